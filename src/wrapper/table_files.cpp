#include "wrapper/table_files.h"

namespace safetp::wrapper {

namespace {

using access::FileText;

/// The files that one read asks for, nested ones included; each is read once, so one that names itself is no trouble.
class Collector {
public:
    explicit Collector(Snapshot& snapshot) : snapshot_(snapshot) {}

    FileText take(const std::string& path)
    {
        const FileMark before = mark_of(path);
        snapshot_.fingerprint[path] = before;
        const Writers writers = writers_of(path);
        FileText file = read_file(path);
        if (writers == Writers::cannot_tell)
            snapshot_.unproven.push_back(path);
        // A young file's next change might bear the same time and size, and then go unseen here.
        if (writers == Writers::some || before.is_young || mark_of(path) != before)
            snapshot_.unsettled.push_back(path);
        return file;
    }

    void take_others(std::vector<std::string> wanted)
    {
        while (!wanted.empty()) {
            const std::string path = std::move(wanted.back());
            wanted.pop_back();
            if (snapshot_.files.others.contains(path))
                continue;
            const FileText& file = snapshot_.files.others[path] = take(path);
            if (file.state != FileText::State::text)
                continue;
            for (std::string& nested : access::files_named_by_pattern_file(file.text))
                wanted.push_back(std::move(nested));
        }
    }

private:
    Snapshot& snapshot_;
};

} // namespace

Snapshot read_tables(const TablePaths& paths, access::Reading reading, const std::vector<std::string>& daemons)
{
    Snapshot snapshot;
    snapshot.files.allow_path = paths.allow;
    snapshot.files.deny_path = paths.deny;
    Collector collector(snapshot);
    snapshot.files.allow = collector.take(paths.allow);
    snapshot.files.deny = collector.take(paths.deny);
    for (const FileText* table : {&snapshot.files.allow, &snapshot.files.deny})
        collector.take_others(access::files_named_by_table(table->text, reading, daemons));
    return snapshot;
}

} // namespace safetp::wrapper
