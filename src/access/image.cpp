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

std::optional<View::Named> View::file(std::string_view path) const
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
    return Named{static_cast<FileText::State>(found.state), found.os_error, text(found.text)};
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

    bool file(const File& file) const
    {
        return section(file.path) && section(file.text)
            && file.state <= static_cast<std::uint32_t>(FileText::State::unreadable);
    }

    bool table(const Table& table) const
    {
        if (!file(table.file) || !section(table.items, sizeof(Item)) || !section(table.ordinary, sizeof(std::uint32_t))
            || !section(table.groups, sizeof(Section)) || !section(table.runs, sizeof(Run)))
            return false;
        const auto items = records<Item>(table.items);
        const auto fits = [&](const Item& item) { return item.offset < table.file.text.size; };
        const auto is_item = [&](std::uint32_t item) { return item < items.size(); };
        return all(items, fits) && all(records<std::uint32_t>(table.ordinary), is_item)
            && all(records<Section>(table.groups), [&](const Section& group) { return section(group); })
            && all(records<Run>(table.runs), [&](const Run& one) { return run(one, table); });
    }

    bool run(const Run& run, const Table& table) const
    {
        const std::size_t items = table.items.size / sizeof(Item);
        const auto is_item = [&](const auto& entry) { return entry.item < items; };
        if (run.group >= table.groups.size / sizeof(Section) || run.bits > (run.ipv6 != 0 ? 128 : 32))
            return false;
        if (!section(run.entries, run.ipv6 != 0 ? sizeof(Entry6) : sizeof(Entry4)))
            return false;
        return run.ipv6 != 0 ? all(records<Entry6>(run.entries), is_item) : all(records<Entry4>(run.entries), is_item);
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
        return all(records<File>(header.files), [&](const File& one) { return file(one); });
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
        return fail(ErrorCode::bad_file, 0, "compiled access tables");
    Tables tables;
    tables.image_ = bytes;
    return tables;
}

Reading Tables::reading() const { return image::View(image_).reading(); }

std::string Tables::path(TableName table) const { return std::string(image::View(image_).path(table)); }

} // namespace safetp::access
