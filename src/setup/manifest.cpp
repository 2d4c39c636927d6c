#include "setup/manifest.h"

#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::setup {

namespace {

constexpr std::string_view kFirstLine = "safetpd setup manifest 1";
constexpr std::string_view kLastLine = "end"; // without it the manifest was cut

std::vector<std::string> split_fields(std::string_view text)
{
    std::vector<std::string> fields;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find('\t', begin), text.size());
        fields.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return fields;
}

bool is_hash(const std::string& text)
{
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_sound(const ManifestEntry& entry)
{
    const bool was_there = !entry.before.empty();
    return entry.path.starts_with('/') && is_hash(entry.after) && (!was_there || is_hash(entry.before))
        && was_there == !entry.kept.empty() && entry.kept.find('/') == std::string::npos;
}

} // namespace

std::string to_text(const Manifest& manifest)
{
    std::string out = fmt::format("{}\n", kFirstLine);
    for (const std::string& directory : manifest.directories)
        out += fmt::format("directory\t{}\n", directory);
    for (const std::string& command : manifest.commands)
        out += fmt::format("command\t{}\n", command);
    for (const ManifestEntry& entry : manifest.files)
        out += fmt::format("file\t{}\t{}\t{}\t{}\n", entry.before, entry.after, entry.kept, entry.path);
    return out + fmt::format("{}\n", kLastLine);
}

Result<Manifest> parse_manifest(std::string_view text, const std::string& file)
{
    const auto refuse = [&] { return fail(ErrorCode::bad_file, 0, file + " is damaged: not a manifest of safetpd setup"); };
    const auto lines = split_lines(text);
    if (lines.size() < 2 || lines.front().text != kFirstLine || lines.back().text != kLastLine || !text.ends_with('\n'))
        return refuse();
    Manifest manifest;
    for (std::size_t index = 1; index + 1 < lines.size(); ++index) {
        const auto fields = split_fields(lines[index].text);
        if (fields.size() == 2 && fields[0] == "directory" && fields[1].starts_with('/')) {
            manifest.directories.push_back(fields[1]);
            continue;
        }
        if (fields.size() == 2 && fields[0] == "command") {
            manifest.commands.push_back(fields[1]);
            continue;
        }
        if (fields.size() != 5 || fields[0] != "file")
            return refuse();
        manifest.files.push_back({fields[4], fields[1], fields[2], fields[3]});
        if (!is_sound(manifest.files.back()))
            return refuse();
    }
    return manifest;
}

} // namespace safetp::setup
