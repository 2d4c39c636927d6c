#include "access/image.h"
#include "access/index.h"
#include "access/options.h"
#include "access/text.h"

#include <cerrno>
#include <limits>
#include <set>

namespace safetp::access {

namespace {

class Builder {
public:
    image::Section add(const void* data, std::size_t size)
    {
        const image::Section section{bytes_.size(), size};
        const auto* start = static_cast<const std::byte*>(data);
        bytes_.insert(bytes_.end(), start, start + size);
        return section;
    }

    image::Section add(std::string_view text) { return add(text.data(), text.size()); }

    template <typename Record>
    image::Section add(const std::vector<Record>& records)
    {
        return add(records.data(), records.size() * sizeof(Record));
    }

    image::File add(std::string_view path, const FileText& file)
    {
        return {add(path), add(file.text), static_cast<std::uint32_t>(file.state), file.os_error};
    }

    void reserve_header() { bytes_.resize(sizeof(image::Header)); }

    std::vector<std::byte> finish(image::Header header)
    {
        header.size = bytes_.size();
        std::memcpy(bytes_.data(), &header, sizeof header);
        return std::move(bytes_);
    }

private:
    std::vector<std::byte> bytes_;
};

/// Offsets of rules have 32 bits: a larger table is not read in part.
FileText limited(const FileText& file)
{
    if (file.text.size() <= std::numeric_limits<std::uint32_t>::max())
        return file;
    return {FileText::State::unreadable, {}, EFBIG};
}

/// The entries from `first` on that belong to one run, and where they end.
std::size_t add_run(Builder& builder, const std::vector<IndexBuilder::Entry>& entries, std::size_t first, image::Run& run)
{
    const NetKey& key = entries[first].key;
    run = {entries[first].group, static_cast<std::uint16_t>(key.ipv6), static_cast<std::uint16_t>(key.bits), {}};
    std::size_t end = first;
    std::vector<image::Entry4> entries4;
    std::vector<image::Entry6> entries6;
    for (; end < entries.size(); ++end) {
        const IndexBuilder::Entry& entry = entries[end];
        if (entry.group != run.group || entry.key.ipv6 != key.ipv6 || entry.key.bits != key.bits)
            break;
        if (key.ipv6)
            entries6.push_back({entry.key.address, entry.item});
        else
            entries4.push_back({ipv4_number(entry.key), entry.item});
    }
    run.entries = key.ipv6 ? builder.add(entries6) : builder.add(entries4);
    return end;
}

void add_index(Builder& builder, IndexBuilder::Result index, image::Table& table)
{
    table.ordinary = builder.add(index.ordinary);
    std::vector<image::Section> groups;
    for (const std::string& daemons : index.groups)
        groups.push_back(builder.add(daemons));
    table.groups = builder.add(groups);
    std::vector<image::Run> runs;
    for (std::size_t i = 0; i < index.entries.size();)
        i = add_run(builder, index.entries, i, runs.emplace_back());
    table.runs = builder.add(runs);
}

void add_rules(Builder& builder, std::string_view text, Reading reading, image::Table& table)
{
    std::vector<image::Item> items;
    IndexBuilder index;
    RuleReader reader(text, reading);
    for (auto kind = reader.next(); kind != RuleReader::Item::end; kind = reader.next()) {
        const auto item = static_cast<std::uint32_t>(items.size());
        items.push_back({static_cast<std::uint32_t>(reader.item_offset()), reader.item_lines_before()});
        if (kind == RuleReader::Item::rule)
            index.add_rule(reader.rule(), item);
        else
            index.add_trouble(item);
    }
    table.items = builder.add(items);
    add_index(builder, index.finish(), table);
}

image::Table table(Builder& builder, std::string_view path, const FileText& file, Reading reading)
{
    const FileText text = limited(file);
    image::Table result;
    result.file = builder.add(path, text);
    if (text.state == FileText::State::text)
        add_rules(builder, text.text, reading, result);
    return result;
}

bool is_path(std::string_view text) { return text.starts_with('/'); }

/// A daemon list names files behind @ only.
void add_paths_of_list(std::string_view list, bool daemons, std::set<std::string>& paths)
{
    Words words(list);
    for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
        const std::size_t at = find_outside_brackets(word.substr(1), '@');
        const std::string_view host = at == std::string_view::npos ? word : word.substr(at + 2);
        if (is_path(host) && (!daemons || at != std::string_view::npos))
            paths.emplace(host);
    }
}

void add_paths_of_options(const Rule& rule, const std::vector<std::string>& daemons, std::set<std::string>& paths)
{
    const std::vector<std::string> fields = split_options(rule.options);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto option = parse_option(fields[i], i + 1 == fields.size());
        if (!option || option->keyword != Keyword::banners || !is_path(*option->value))
            continue;
        paths.insert(*option->value);
        for (const std::string& daemon : daemons)
            paths.insert(*option->value + "/" + daemon);
    }
}

} // namespace

std::vector<std::string> files_named_by_table(std::string_view text, Reading reading, const std::vector<std::string>& daemons)
{
    std::set<std::string> paths;
    RuleReader reader(text, reading);
    for (auto kind = reader.next(); kind != RuleReader::Item::end; kind = reader.next()) {
        if (kind != RuleReader::Item::rule)
            continue;
        add_paths_of_list(reader.rule().daemons, true, paths);
        add_paths_of_list(reader.rule().clients, false, paths);
        if (reader.rule().has_options)
            add_paths_of_options(reader.rule(), daemons, paths);
    }
    return {paths.begin(), paths.end()};
}

std::vector<std::string> files_named_by_pattern_file(std::string_view text)
{
    std::set<std::string> paths;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && !is_space(text[end]))
            ++end;
        const std::string_view word = text.substr(at, end - at);
        if (is_path(word))
            paths.emplace(word.substr(0, word.find('\0')));
        at = end + 1;
    }
    return {paths.begin(), paths.end()};
}

std::vector<std::byte> compile(const TableFiles& files, Reading reading)
{
    Builder builder;
    builder.reserve_header();
    image::Header header;
    header.reading = static_cast<std::uint32_t>(reading);
    header.tables[0] = table(builder, files.allow_path, files.allow, reading);
    header.tables[1] = table(builder, files.deny_path, files.deny, reading);
    std::vector<image::File> others;
    for (const auto& [path, file] : files.others)
        others.push_back(builder.add(path, file));
    header.files = builder.add(others);
    return builder.finish(header);
}

} // namespace safetp::access
