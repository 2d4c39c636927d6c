// The layout of a compiled image and the way to read it. One block of bytes; every place in it is an offset from its start.
#pragma once

#include "access/rules.h"
#include "access/tables.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace safetp::access::image {

inline constexpr std::array<char, 8> kMagic{'s', 't', 'p', '-', 'h', 'a', '0', '2'};

struct Section {
    std::uint64_t offset = 0;
    std::uint64_t size = 0; ///< in bytes
};

/// A rule or trouble of a table: what a RuleReader needs to read it.
struct Item {
    std::uint32_t offset = 0;
    std::uint32_t lines_before = 0;
};

struct File {
    Section path;
    Section text;
    std::uint32_t state = 0;
    std::int32_t os_error = 0;
};

/// A net of the index and the first rule for it.
struct Entry4 {
    std::uint32_t key = 0;
    std::uint32_t item = 0;
};
struct Entry6 {
    std::array<std::uint8_t, 16> key{};
    std::uint32_t item = 0;
};

/// The nets of one length of the rules with one daemon list.
struct Run {
    std::uint32_t group = 0;
    std::uint16_t ipv6 = 0;
    std::uint16_t bits = 0;
    Section entries; ///< Entry4 or Entry6, sorted by key
};

struct Table {
    File file;
    Section items;    ///< Item, in the order of the text
    Section ordinary; ///< std::uint32_t: items that are not in the index, in order
    Section groups;   ///< Section: the text of a daemon list
    Section runs;     ///< Run, those of a group together
};

struct Header {
    std::array<char, 8> magic = kMagic;
    std::uint64_t size = 0;
    std::uint32_t reading = 0;
    std::uint32_t reserved = 0;
    std::array<Table, 2> tables; ///< by TableName
    Section files;               ///< File, sorted by path
};

/// Records of one kind in a section. They are copied out: the block need not be aligned.
template <typename Record>
class Records {
    static_assert(std::is_trivially_copyable_v<Record>);

public:
    Records() = default;
    explicit Records(std::span<const std::byte> bytes) : bytes_(bytes) { }

    std::size_t size() const { return bytes_.size() / sizeof(Record); }
    Record operator[](std::size_t index) const
    {
        Record record;
        std::memcpy(&record, bytes_.subspan(index * sizeof(Record), sizeof(Record)).data(), sizeof(Record));
        return record;
    }

private:
    std::span<const std::byte> bytes_;
};

/// A checked image. Cheap to make from one that Tables::open has accepted.
class View {
public:
    explicit View(std::span<const std::byte> bytes);

    Reading reading() const { return static_cast<Reading>(header_.reading); }
    std::string_view path(TableName table) const { return text(header(table).file.path); }
    FileText::State state(TableName table) const { return static_cast<FileText::State>(header(table).file.state); }
    int os_error(TableName table) const { return header(table).file.os_error; }
    std::string_view table_text(TableName table) const { return text(header(table).file.text); }
    Records<Item> items(TableName table) const { return Records<Item>(bytes(header(table).items)); }

    Records<std::uint32_t> ordinary(TableName table) const { return Records<std::uint32_t>(bytes(header(table).ordinary)); }
    Records<Section> groups(TableName table) const { return Records<Section>(bytes(header(table).groups)); }
    Records<Run> runs(TableName table) const { return Records<Run>(bytes(header(table).runs)); }

    struct Named {
        FileText::State state;
        int os_error;
        std::string_view text;
    };
    /// A pattern or banner file, or a banner directory; none: nobody read it when the image was made.
    std::optional<Named> file(std::string_view path) const;

    std::string_view text(const Section& section) const;
    std::span<const std::byte> bytes(const Section& section) const { return bytes_.subspan(section.offset, section.size); }
    const Table& header(TableName table) const { return header_.tables[static_cast<std::size_t>(table)]; }
    Records<File> files() const { return Records<File>(bytes(header_.files)); }

private:
    std::span<const std::byte> bytes_;
    Header header_;
};

} // namespace safetp::access::image
