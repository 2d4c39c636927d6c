#include "setup/store.h"

#include "base/unique_fd.h"
#include "setup/durable_file.h"
#include "setup/manifest.h"
#include "setup/sha256.h"
#include "setup/text.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::setup {

namespace {

/// One numbered directory of kStateDirectory.
struct Run {
    unsigned number = 0;
    std::string place; ///< on this machine
    Manifest manifest;
};

std::string hash_of(const std::optional<std::string>& content) { return content ? sha256(*content) : std::string(); }

Result<std::string> current_hash(const Root& root, const std::string& path)
{
    const auto content = root.read(path);
    if (!content)
        return std::unexpected(content.error());
    return hash_of(*content);
}

/// Held while files change, so that two setups cannot mix. flock(2) on the directory itself: nothing is left behind.
Result<UniqueFd> lock(const std::string& place)
{
    UniqueFd directory(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory)
        return fail(ErrorCode::bad_file, errno, place);
    if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::bad_file, 0, "another safetpd setup is at work (" + place + " is locked)");
    return directory;
}

/// A directory without a manifest is what a crash left before anything was changed: it is thrown away.
void discard(const std::string& place)
{
    const Root machine;
    for (const std::string& name : machine.list(place))
        ::unlink((place + "/" + name).c_str());
    ::rmdir(place.c_str());
}

/// All runs, the last one first.
Result<std::vector<Run>> find_runs(const Root& root)
{
    std::vector<Run> runs;
    for (const std::string& name : root.list(kStateDirectory)) {
        Run run;
        const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), run.number);
        if (error != std::errc() || rest != name.data() + name.size())
            continue;
        const std::string within = fmt::format("{}/{}", kStateDirectory, name);
        const auto text = root.read(within + "/manifest");
        const auto place = root.resolve(within);
        if (!text)
            return std::unexpected(text.error());
        if (!place)
            return std::unexpected(place.error());
        run.place = *place;
        if (*text) {
            auto manifest = parse_manifest(**text, run.place + "/manifest");
            if (!manifest)
                return std::unexpected(manifest.error());
            run.manifest = std::move(*manifest);
            runs.push_back(std::move(run));
        }
    }
    std::ranges::sort(runs, std::ranges::greater(), &Run::number);
    return runs;
}

/// What crashes left that had not come to a manifest, and the state directory itself where nothing is in it any more.
void discard_unfinished(const Root& root)
{
    const auto state = root.resolve(kStateDirectory);
    for (const std::string& name : root.list(kStateDirectory)) {
        const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
        if (is_number && !root.exists(fmt::format("{}/{}/manifest", kStateDirectory, name)))
            discard(*state + "/" + name);
    }
    ::rmdir(state->c_str());
}

/// Directories that are missing on the way to a file, within the root, outermost first.
std::vector<std::string> missing_directories(const Root& root, const std::string& path)
{
    std::vector<std::string> missing;
    for (std::string directory(directory_name(path)); directory != "/" && !root.exists(directory);
         directory = directory_name(directory))
        missing.insert(missing.begin(), directory);
    return missing;
}

/// Copies what is to be replaced and makes the manifest durable.
Result<Run> keep(const Root& root, const std::vector<Change>& changes, unsigned number, std::vector<std::string> directories)
{
    const auto state = root.resolve(kStateDirectory);
    Run run{number, fmt::format("{}/{}", *state, number), {}};
    if (const auto made = make_directories(run.place, 0700); !made)
        return std::unexpected(made.error());
    discard(run.place); // of a crash, where there is one
    if (const auto made = make_directories(run.place, 0700); !made)
        return std::unexpected(made.error());
    run.manifest.directories = std::move(directories);
    for (const Change& change : changes) {
        const auto real = root.resolve(change.path);
        if (!real)
            return std::unexpected(real.error());
        ManifestEntry entry{root.within(*real), hash_of(change.before), sha256(change.after), ""};
        for (std::string& directory : missing_directories(root, entry.path)) {
            if (std::ranges::find(run.manifest.directories, directory) == run.manifest.directories.end())
                run.manifest.directories.push_back(std::move(directory));
        }
        if (change.before) {
            entry.kept = fmt::format("{}-{}", run.manifest.files.size() + 1, base_name(entry.path));
            const auto written = write_durably(run.place + "/" + entry.kept, *change.before, *real, true);
            if (!written)
                return std::unexpected(written.error());
        }
        run.manifest.files.push_back(std::move(entry));
    }
    const auto written = write_durably(run.place + "/manifest", to_text(run.manifest), "");
    return written ? Result<Run>(std::move(run)) : std::unexpected(written.error());
}

Result<void> replace(const Root& root, const Change& change)
{
    const auto real = root.resolve(change.path);
    if (!real)
        return std::unexpected(real.error());
    const auto hash = current_hash(root, change.path);
    if (!hash)
        return std::unexpected(hash.error());
    if (*hash != hash_of(change.before))
        return fail(ErrorCode::bad_file, 0, change.path + " has changed meanwhile; start again");
    if (const auto made = make_directories(std::string(directory_name(*real)), 0755); !made)
        return std::unexpected(made.error());
    return write_durably(*real, change.after, change.before ? *real : std::string());
}

/// Where a version that was changed after the apply is kept before --force puts the older one back.
Result<std::string> keep_changed(const Root& root, const ManifestEntry& entry, const std::string& content)
{
    const auto state = root.resolve(kStateDirectory);
    const std::string name = fmt::format("changed/{}-{}", sha256(content).substr(0, 8), base_name(entry.path));
    if (const auto made = make_directories(*state + "/changed", 0700); !made)
        return std::unexpected(made.error());
    const auto real = root.resolve(entry.path);
    const auto written = write_durably(*state + "/" + name, content, *real, true);
    return written ? Result<std::string>(fmt::format("{}/{}", kStateDirectory, name)) : std::unexpected(written.error());
}

/// What to do with a file that is neither as it was before an apply nor as the apply left it.
enum class Changed { leave, keep_and_restore };

Result<void> restore_file(const Root& root, const Run& run, const ManifestEntry& entry, Changed changed, Undone& undone)
{
    const auto content = root.read(entry.path);
    if (!content)
        return std::unexpected(content.error());
    const std::string hash = hash_of(*content);
    if (hash == entry.before)
        return {}; // never replaced, or put back before a crash
    if (hash != entry.after && changed == Changed::leave)
        return {};
    if (hash != entry.after && *content) {
        auto kept = keep_changed(root, entry, **content);
        if (!kept)
            return std::unexpected(kept.error());
        undone.kept.push_back(std::move(*kept));
    }
    const auto real = root.resolve(entry.path);
    if (entry.before.empty()) {
        undone.removed.push_back(entry.path);
        return remove_durably(*real);
    }
    undone.restored.push_back(entry.path);
    const std::string copy = run.place + "/" + entry.kept;
    const auto kept = Root().read(copy);
    if (!kept)
        return std::unexpected(kept.error());
    if (hash_of(*kept) != entry.before)
        return fail(ErrorCode::bad_file, 0, copy + " is damaged: " + entry.path + " is left as it is");
    if (const auto made = make_directories(std::string(directory_name(*real)), 0755); !made)
        return std::unexpected(made.error());
    return write_durably(*real, **kept, copy, true);
}

/// Puts the files of one run back and forgets it; the manifest goes first, so that a crash leaves only rubbish.
Result<void> undo_run(const Root& root, const Run& run, Changed changed, Undone& undone)
{
    // Backwards: what guards a file was changed before it, and stays until it is back.
    for (auto entry = run.manifest.files.rbegin(); entry != run.manifest.files.rend(); ++entry) {
        if (const auto restored = restore_file(root, run, *entry, changed, undone); !restored)
            return restored;
        if (const auto real = root.resolve(entry->path))
            sweep_temporary_files(std::string(directory_name(*real)));
    }
    if (const auto removed = remove_durably(run.place + "/manifest"); !removed)
        return removed;
    discard(run.place);
    for (auto directory = run.manifest.directories.rbegin(); directory != run.manifest.directories.rend(); ++directory) {
        if (const auto real = root.resolve(*directory))
            ::rmdir(real->c_str()); // only where it is empty
    }
    return {};
}

/// Before anything is touched: whether each file is in a state that these runs explain.
Result<void> check_runs(const Root& root, const std::vector<Run>& runs)
{
    std::map<std::string, std::string> hashes;
    std::string changed;
    for (const Run& run : runs) {
        for (const ManifestEntry& entry : run.manifest.files) {
            if (!hashes.contains(entry.path)) {
                const auto hash = current_hash(root, entry.path);
                if (!hash)
                    return std::unexpected(hash.error());
                hashes[entry.path] = *hash;
            }
            std::string& hash = hashes[entry.path];
            if (hash != entry.after && hash != entry.before && changed.find(entry.path + "\n") == std::string::npos)
                changed += "  " + entry.path + "\n";
            hash = entry.before;
        }
    }
    if (changed.empty())
        return {};
    return fail(ErrorCode::bad_file, 0,
        fmt::format("changed since setup, so nothing was put back:\n{}--force puts back what was there before setup and keeps "
                    "the changed versions in {}/changed",
            changed, kStateDirectory));
}

/// Before anything is touched: whether every copy is still what was kept.
Result<void> check_copies(const std::vector<Run>& runs)
{
    for (const Run& run : runs) {
        for (const ManifestEntry& entry : run.manifest.files) {
            const std::string copy = run.place + "/" + entry.kept;
            if (!entry.kept.empty() && sha256(Root().read_text(copy)) != entry.before)
                return fail(
                    ErrorCode::bad_file, 0, copy + " is damaged or missing, so nothing was put back: it held " + entry.path);
        }
    }
    return {};
}

/// The state directory with those above it; the new ones, within the root.
Result<std::vector<std::string>> make_state_directory(const Root& root)
{
    const std::vector<std::string> missing = missing_directories(root, std::string(kStateDirectory) + "/x");
    const auto state = root.resolve(kStateDirectory);
    if (!state)
        return std::unexpected(state.error());
    if (const auto made = make_directories(std::string(directory_name(directory_name(*state))), 0755); !made)
        return std::unexpected(made.error());
    if (const auto made = make_directories(*state, 0700); !made)
        return std::unexpected(made.error());
    return missing;
}

bool is_plain_path(const std::string& path)
{
    return std::ranges::none_of(path, [](char letter) { return letter == '\t' || letter == '\n'; });
}

} // namespace

Result<std::optional<std::string>> read_for_change(const Root& root, const std::string& path)
{
    const auto real = root.resolve(path);
    if (!real)
        return std::unexpected(real.error());
    struct stat status { };
    if (::lstat(real->c_str(), &status) != 0) {
        if (errno != ENOENT)
            return fail(ErrorCode::bad_file, errno, path);
        if (root.read_link(path))
            return fail(ErrorCode::bad_file, 0, path + " is a link to a file that does not exist; make one or remove the link");
        return std::optional<std::string>();
    }
    if (S_ISREG(status.st_mode) && status.st_nlink > 1)
        return fail(
            ErrorCode::bad_file, 0, path + " has other names (hard links), which would keep the old text; edit it yourself");
    if (!is_plain_path(*real))
        return fail(ErrorCode::bad_file, 0, path + " is a link to a name with tabs or line ends");
    return root.read(path); // refuses what is no regular file
}

Result<void> apply_changes(const Root& root, const std::vector<Change>& changes)
{
    std::vector<Change> needed;
    std::ranges::copy_if(changes, std::back_inserter(needed), &Change::is_needed);
    if (needed.empty())
        return {};
    const auto directories = make_state_directory(root);
    if (!directories)
        return std::unexpected(directories.error());
    const auto held = lock(*root.resolve(kStateDirectory));
    if (!held)
        return std::unexpected(held.error());
    const auto runs = find_runs(root);
    if (!runs)
        return std::unexpected(runs.error());
    auto run = keep(root, needed, runs->empty() ? 1 : runs->front().number + 1, *directories);
    if (!run)
        return std::unexpected(run.error());
    for (const Change& change : needed) {
        const auto replaced = replace(root, change);
        if (replaced)
            continue;
        Undone undone;
        const auto back = undo_run(root, *run, Changed::leave, undone);
        Error error = replaced.error();
        error.context += back ? " (the files before it were put back)" : " (and then: " + describe(back.error()) + ")";
        return std::unexpected(std::move(error));
    }
    return {};
}

Result<Undone> undo_changes(const Root& root, bool force)
{
    Undone undone;
    if (!root.exists(kStateDirectory))
        return undone;
    const auto held = lock(*root.resolve(kStateDirectory));
    if (!held)
        return std::unexpected(held.error());
    const auto runs = find_runs(root);
    if (!runs)
        return std::unexpected(runs.error());
    if (const auto whole = check_copies(*runs); !whole)
        return std::unexpected(whole.error());
    if (const auto sound = check_runs(root, *runs); !sound && !force)
        return std::unexpected(sound.error());
    for (const Run& run : *runs) {
        if (const auto done = undo_run(root, run, Changed::keep_and_restore, undone); !done)
            return std::unexpected(done.error());
    }
    discard_unfinished(root);
    return undone;
}

bool has_manifest(const Root& root)
{
    const auto runs = find_runs(root);
    return !runs || !runs->empty(); // a damaged one is one
}

} // namespace safetp::setup
