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
        if (!file(table.file) || !section(table.items, sizeof(Item)))
            return false;
        const Records<Item> items(bytes_.subspan(table.items.offset, table.items.size));
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (items[i].offset >= table.file.text.size)
                return false;
        }
        return true;
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
        const Records<File> files(bytes_.subspan(header.files.offset, header.files.size));
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (!file(files[i]))
                return false;
        }
        return true;
    }

private:
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
