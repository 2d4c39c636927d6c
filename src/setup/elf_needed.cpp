#include "setup/elf_needed.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <optional>

namespace safetp::setup {

namespace {

/// A copy of a structure at an offset that the file itself gives: it may lie anywhere, also outside.
template <typename T>
std::optional<T> read_at(std::string_view image, std::uint64_t offset)
{
    if (offset > image.size() || image.size() - offset < sizeof(T))
        return std::nullopt;
    T value;
    std::memcpy(&value, image.data() + offset, sizeof value);
    return value;
}

std::string text_at(std::string_view image, std::uint64_t offset)
{
    if (offset >= image.size())
        return {};
    const std::string_view rest = image.substr(offset);
    return std::string(rest.substr(0, rest.find('\0')));
}

template <typename Header, typename Segment, typename Entry>
std::vector<std::string> read_needed(std::string_view image)
{
    const auto header = read_at<Header>(image, 0);
    if (!header || header->e_phentsize != sizeof(Segment))
        return {};
    std::vector<Segment> segments;
    for (unsigned index = 0; index < header->e_phnum; ++index) {
        if (const auto segment = read_at<Segment>(image, header->e_phoff + std::uint64_t{index} * sizeof(Segment)))
            segments.push_back(*segment);
    }
    std::vector<std::uint64_t> names;
    std::optional<std::uint64_t> strings; // an address in memory
    for (const Segment& segment : segments) {
        if (segment.p_type != PT_DYNAMIC)
            continue;
        for (std::uint64_t at = 0; at + sizeof(Entry) <= segment.p_filesz; at += sizeof(Entry)) {
            const auto entry = read_at<Entry>(image, segment.p_offset + at);
            if (!entry || entry->d_tag == DT_NULL)
                break;
            if (entry->d_tag == DT_NEEDED)
                names.push_back(entry->d_un.d_val);
            else if (entry->d_tag == DT_STRTAB)
                strings = entry->d_un.d_ptr;
        }
    }
    std::vector<std::string> needed;
    for (const Segment& segment : segments) {
        if (!strings || segment.p_type != PT_LOAD || *strings < segment.p_vaddr
            || *strings - segment.p_vaddr >= segment.p_filesz)
            continue;
        const std::uint64_t table = segment.p_offset + (*strings - segment.p_vaddr);
        for (const std::uint64_t name : names)
            needed.push_back(text_at(image, table + name));
        break;
    }
    return needed;
}

} // namespace

std::vector<std::string> needed_libraries(std::string_view image)
{
    static constexpr unsigned char kOurOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    if (image.size() < EI_NIDENT || !image.starts_with(ELFMAG) || static_cast<unsigned char>(image[EI_DATA]) != kOurOrder)
        return {};
    if (image[EI_CLASS] == ELFCLASS64)
        return read_needed<Elf64_Ehdr, Elf64_Phdr, Elf64_Dyn>(image);
    return read_needed<Elf32_Ehdr, Elf32_Phdr, Elf32_Dyn>(image);
}

bool needs_libwrap(std::string_view image)
{
    return std::ranges::any_of(needed_libraries(image), [](const std::string& name) { return name.starts_with("libwrap.so"); });
}

} // namespace safetp::setup
