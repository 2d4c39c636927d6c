// The compiled access tables as the supervisor has made them, mapped read-only: shared by all who map the same memory.
#pragma once

#include "access/tables.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace safetp::proxy {

/// Goes away with the last session that judges by it.
class TableImage {
public:
    /// The descriptor is only borrowed. access: what it holds are no tables.
    static Result<std::shared_ptr<const TableImage>> map(int fd, std::uint64_t version);
    TableImage(const TableImage&) = delete;
    ~TableImage();

    std::uint64_t version() const { return version_; }
    const access::Tables& tables() const { return tables_; }

private:
    TableImage(std::span<const std::byte> bytes, access::Tables tables, std::uint64_t version)
        : bytes_(bytes)
        , tables_(tables)
        , version_(version)
    {
    }

    std::span<const std::byte> bytes_;
    access::Tables tables_;
    std::uint64_t version_;
};

} // namespace safetp::proxy
