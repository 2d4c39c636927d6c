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

namespace safetp::setup {

namespace {

/// One numbered directory of kStateDirectory.
struct Run {
    unsigned number = 0;
    std::string place; ///< a real path of the root's
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
Result<UniqueFd> lock(const Root& root)
{
    const auto state = root.resolve(kStateDirectory);
    auto directory = state ? root.open(*state, O_RDONLY | O_DIRECTORY) : std::unexpected(state.error());
    if (directory && ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::bad_file, 0, "another safetpd setup is at work (" + root.on_machine(*state) + " is locked)");
    return directory;
}

/// A directory without a manifest is what a crash left before anything was changed: it is thrown away.
void discard(const Root& root, const std::string& place)
{
    for (const std::string& name : root.list(place))
        remove_durably(root, place + "/" + name);
    remove_if_empty(root, place);
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
            auto manifest = parse_manifest(**text, root.on_machine(run.place + "/manifest"));
            if (!manifest)
                return std::unexpected(manifest.error());
            run.manifest = std::move(*manifest);
            runs.push_back(std::move(run));
        }
    }
    std::ranges::sort(runs, std::ranges::greater(), &Run::number);
    return runs;
}

/// The directories that were made for the state, outermost first, as kMadeFile says; and where those are that may hold what a
/// crash left of making them.
std::vector<std::string> directories_made(const Root& root, const std::string& state)
{
    const std::string text = root.read_text(state + "/" + kMadeFile);
    std::vector<std::string> made;
    for (const Line& line : split_lines(text))
        made.emplace_back(line.text);
    return made;
}

void sweep_above(const Root& root, const std::string& state)
{
    for (std::string directory(directory_name(state)); directory != "/"; directory = directory_name(directory))
        sweep_temporary_files(root, directory);
    sweep_temporary_files(root, "/");
}

/// What crashes left that had not come to a manifest, and the state directory with those that were made for it where nothing is
/// in them any more.
void discard_unfinished(const Root& root)
{
    const auto state = root.resolve(kStateDirectory);
    if (!state)
        return;
    for (const std::string& name : root.list(*state)) {
        const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
        if (is_number && !root.exists(fmt::format("{}/{}/manifest", *state, name)))
            discard(root, *state + "/" + name);
    }
    // The outermost ones may have got another use meanwhile: then they stay.
    for (auto made = directories_made(root, *state); !made.empty(); made.erase(made.begin()))
        remove_directories_at_once(root, made);
    sweep_above(root, *state);
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
Result<Run> keep(const Root& root, const std::vector<Change>& changes, unsigned number, std::vector<std::string> commands)
{
    const auto state = root.resolve(kStateDirectory);
    if (!state)
        return std::unexpected(state.error());
    Run run{number, fmt::format("{}/{}", *state, number), {}};
    run.manifest.commands = std::move(commands);
    discard(root, run.place); // of a crash, where there is one
    if (const auto made = make_directories(root, run.place, 0700); !made)
        return std::unexpected(made.error());
    for (const Change& change : changes) {
        const auto real = root.resolve(change.path);
        if (!real)
            return std::unexpected(real.error());
        ManifestEntry entry{*real, hash_of(change.before), sha256(change.after), ""};
        for (std::string& directory : missing_directories(root, entry.path)) {
            if (std::ranges::find(run.manifest.directories, directory) == run.manifest.directories.end())
                run.manifest.directories.push_back(std::move(directory));
        }
        if (change.before) {
            entry.kept = fmt::format("{}-{}", run.manifest.files.size() + 1, base_name(entry.path));
            const auto written = write_durably(root, run.place + "/" + entry.kept, *change.before, *real, true);
            if (!written)
                return std::unexpected(written.error());
        }
        run.manifest.files.push_back(std::move(entry));
    }
    const auto written = write_durably(root, run.place + "/manifest", to_text(run.manifest), "");
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
    if (const auto made = make_directories(root, std::string(directory_name(*real)), 0755); !made)
        return std::unexpected(made.error());
    return write_durably(root, *real, change.after, change.before ? *real : std::string());
}

/// Where a version that was changed after the apply is kept before --force puts the older one back.
Result<std::string> keep_changed(const Root& root, const ManifestEntry& entry, const std::string& content)
{
    const auto state = root.resolve(kStateDirectory);
    const std::string name = fmt::format("changed/{}-{}", sha256(content).substr(0, 8), base_name(entry.path));
    if (!state)
        return std::unexpected(state.error());
    if (const auto made = make_directories(root, *state + "/changed", 0700); !made)
        return std::unexpected(made.error());
    const auto written = write_durably(root, *state + "/" + name, content, entry.path, true);
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
    if (entry.before.empty()) {
        undone.removed.push_back(entry.path);
        return remove_durably(root, entry.path);
    }
    undone.restored.push_back(entry.path);
    const std::string copy = run.place + "/" + entry.kept;
    const auto kept = root.read(copy);
    if (!kept)
        return std::unexpected(kept.error());
    if (hash_of(*kept) != entry.before)
        return fail(ErrorCode::bad_file, 0, copy + " is damaged: " + entry.path + " is left as it is");
    if (const auto made = make_directories(root, std::string(directory_name(entry.path)), 0755); !made)
        return std::unexpected(made.error());
    return write_durably(root, entry.path, **kept, copy, true);
}

/// Puts the files of one run back and forgets it; the manifest goes when all else is done, and before what it speaks of.
Result<void> undo_run(const Root& root, const Run& run, Changed changed, Undone& undone)
{
    // Backwards: what guards a file was changed before it, and stays until it is back.
    for (auto entry = run.manifest.files.rbegin(); entry != run.manifest.files.rend(); ++entry) {
        if (const auto restored = restore_file(root, run, *entry, changed, undone); !restored)
            return restored;
        sweep_temporary_files(root, std::string(directory_name(entry->path)));
    }
    for (auto directory = run.manifest.directories.rbegin(); directory != run.manifest.directories.rend(); ++directory)
        remove_if_empty(root, *directory);
    if (const auto removed = remove_durably(root, run.place + "/manifest"); !removed)
        return removed;
    discard(root, run.place);
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
Result<void> check_copies(const Root& root, const std::vector<Run>& runs)
{
    for (const Run& run : runs) {
        for (const ManifestEntry& entry : run.manifest.files) {
            const std::string copy = run.place + "/" + entry.kept;
            if (!entry.kept.empty() && sha256(root.read_text(copy)) != entry.before)
                return fail(ErrorCode::bad_file, 0,
                    root.on_machine(copy) + " is damaged or missing, so nothing was put back: it held " + entry.path);
        }
    }
    return {};
}

/// The state directory with those above it.
Result<void> make_state_directory(const Root& root)
{
    const auto state = root.resolve(kStateDirectory);
    if (!state)
        return std::unexpected(state.error());
    std::vector<std::string> missing = missing_directories(root, *state + "/x");
    if (missing.empty())
        return {};
    std::string made;
    for (const std::string& directory : missing)
        made += directory + "\n";
    return make_directories_at_once(root, missing, 2, made);
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
    const auto file = root.open(*real, O_PATH);
    struct stat status { };
    if (!file || ::fstat(file->get(), &status) != 0) {
        const int error = file ? errno : file.error().os_error;
        if (error != ENOENT)
            return fail(ErrorCode::bad_file, error, path);
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

Result<void> apply_changes(
    const Root& root, const std::vector<Change>& changes, const std::vector<std::string>& commands_after_undo)
{
    std::vector<Change> needed;
    std::ranges::copy_if(changes, std::back_inserter(needed), &Change::is_needed);
    if (needed.empty())
        return {};
    if (const auto made = make_state_directory(root); !made)
        return std::unexpected(made.error());
    const auto held = lock(root);
    if (!held)
        return std::unexpected(held.error());
    const auto runs = find_runs(root);
    if (!runs)
        return std::unexpected(runs.error());
    auto run = keep(root, needed, runs->empty() ? 1 : runs->front().number + 1, commands_after_undo);
    if (!run) {
        discard_unfinished(root);
        return std::unexpected(run.error());
    }
    for (const Change& change : needed) {
        const auto replaced = replace(root, change);
        if (replaced)
            continue;
        Undone undone;
        const auto back = undo_run(root, *run, Changed::leave, undone);
        discard_unfinished(root);
        Error error = replaced.error();
        error.context += back ? " (the files before it were put back)" : " (and then: " + describe(back.error()) + ")";
        return std::unexpected(std::move(error));
    }
    return {};
}

Result<Undone> undo_changes(const Root& root, bool force)
{
    Undone undone;
    if (!root.exists(kStateDirectory)) {
        if (const auto state = root.resolve(kStateDirectory))
            sweep_above(root, *state);
        return undone;
    }
    const auto held = lock(root);
    if (!held)
        return std::unexpected(held.error());
    const auto runs = find_runs(root);
    if (!runs)
        return std::unexpected(runs.error());
    if (const auto whole = check_copies(root, *runs); !whole)
        return std::unexpected(whole.error());
    if (const auto sound = check_runs(root, *runs); !sound && !force)
        return std::unexpected(sound.error());
    for (const Run& run : *runs) {
        if (const auto done = undo_run(root, run, Changed::keep_and_restore, undone); !done)
            return std::unexpected(done.error());
        for (const std::string& command : run.manifest.commands) {
            std::erase(undone.commands, command); // what an older run wants comes last, and so counts
            undone.commands.push_back(command);
        }
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
