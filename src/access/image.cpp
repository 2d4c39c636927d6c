#include "access/image.h"

#include <algorithm>

namespace safetp::access {

namespace image {

View::View(std::span<const std::byte> bytes) : bytes_(bytes) { std::memcpy(&header_, bytes.data(), sizeof header_); }

std::string_view View::text(const Section& section) const
{
    const auto part = bytes(section);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
}

std::optional<File> View::file(std::string_view path) const
{
    const Records<File> all = files();
    std::size_t low = 0;
    std::size_t high = all.size();
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (text(all[middle].path) < path)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == all.size())
        return std::nullopt;
    const File found = all[low];
    if (text(found.path) != path)
        return std::nullopt;
    return found;
}

namespace {

class Checker {
public:
    explicit Checker(std::span<const std::byte> bytes) : bytes_(bytes) { }

    bool section(const Section& section, std::size_t record = 1) const
    {
        const std::uint64_t size = bytes_.size();
        return section.offset <= size && section.size <= size - section.offset && section.size % record == 0;
    }

    /// `items`: how many numbers of its index can be; `groups`: how many daemon lists there are.
    bool file(const File& file, std::uint64_t items, std::uint64_t groups) const
    {
        if (!section(file.path) || !section(file.text) || !section(file.ordinary, sizeof(std::uint32_t))
            || !section(file.runs, sizeof(Run)))
            return false;
        return file.state <= static_cast<std::uint32_t>(FileText::State::unreadable)
            && all(records<std::uint32_t>(file.ordinary), [&](std::uint32_t item) { return item < items; })
            && all(records<Run>(file.runs), [&](const Run& one) { return one.group < groups && run(one, items); });
    }

    bool run(const Run& run, std::uint64_t items) const
    {
        const auto is_item = [&](const auto& entry) { return entry.item < items; };
        if (run.bits > (run.ipv6 != 0 ? 128 : 32) || !section(run.entries, run.ipv6 != 0 ? sizeof(Entry6) : sizeof(Entry4)))
            return false;
        return run.ipv6 != 0 ? all(records<Entry6>(run.entries), is_item) : all(records<Entry4>(run.entries), is_item);
    }

    bool table(const Table& table) const
    {
        if (!section(table.items, sizeof(Item)) || !section(table.groups, sizeof(Section)))
            return false;
        const auto items = records<Item>(table.items);
        const auto groups = records<Section>(table.groups);
        return file(table.file, items.size(), groups.size())
            && all(items, [&](const Item& item) { return item.offset < table.file.text.size; })
            && all(groups, [&](const Section& group) { return section(group); });
    }

    bool image() const
    {
        Header header;
        if (bytes_.size() < sizeof header)
            return false;
        std::memcpy(&header, bytes_.data(), sizeof header);
        if (header.magic != kMagic || header.size != bytes_.size())
            return false;
        if (header.reading > static_cast<std::uint32_t>(Reading::strict))
            return false;
        if (!table(header.tables[0]) || !table(header.tables[1]) || !section(header.files, sizeof(File)))
            return false;
        return all(records<File>(header.files), [&](const File& one) { return file(one, one.text.size, 1); });
    }

private:
    template <typename Record>
    Records<Record> records(const Section& section) const
    {
        return Records<Record>(bytes_.subspan(section.offset, section.size));
    }

    template <typename Record, typename Test>
    static bool all(const Records<Record>& records, Test test)
    {
        for (std::size_t i = 0; i < records.size(); ++i) {
            if (!test(records[i]))
                return false;
        }
        return true;
    }

    std::span<const std::byte> bytes_;
};

} // namespace
} // namespace image

Result<Tables> Tables::open(std::span<const std::byte> bytes)
{
    if (!image::Checker(bytes).image())
        return fail(ErrorCode::bad_file, 0, "the compiled access tables are damaged");
    Tables tables;
    tables.image_ = bytes;
    return tables;
}

Reading Tables::reading() const { return image::View(image_).reading(); }

std::string Tables::path(TableName table) const { return std::string(image::View(image_).path(table)); }

} // namespace safetp::access
