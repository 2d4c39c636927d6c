#include "proxy/table_image.h"

#include <cerrno>
#include <sys/mman.h>
#include <sys/stat.h>

namespace safetp::proxy {

Result<std::shared_ptr<const TableImage>> TableImage::map(int fd, std::uint64_t version)
{
    struct stat status{};
    if (::fstat(fd, &status) != 0 || status.st_size <= 0)
        return fail(ErrorCode::system_call, errno, "the access tables' memory");
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (start == MAP_FAILED)
        return fail(ErrorCode::system_call, errno, "the access tables' memory");
    const std::span bytes(static_cast<const std::byte*>(start), size);
    auto tables = access::Tables::open(bytes);
    if (!tables) {
        ::munmap(start, size);
        return std::unexpected(tables.error());
    }
    return std::shared_ptr<const TableImage>(new TableImage(bytes, *tables, version));
}

TableImage::~TableImage() { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }

} // namespace safetp::proxy
