// Transfer buffers, taken when data begins to move and given back when it ends: idle sessions hold none.
#pragma once

#include <array>
#include <cstddef>
#include <malloc.h>
#include <memory>
#include <vector>

namespace safetp::proxy {

class BufferPool {
public:
    static constexpr std::size_t kBufferBytes = 512 * 1024;
    using Buffer = std::array<std::byte, kBufferBytes>;

    // Told nothing, the allocator raises this limit by itself (mallopt(3)): then large blocks come to lie between small
    // ones, and the kernel gets none of them back.
    BufferPool() { ::mallopt(M_MMAP_THRESHOLD, 128 * 1024); }

    class Lease {
    public:
        Lease(BufferPool& pool, std::unique_ptr<Buffer> buffer) : pool_(pool), buffer_(std::move(buffer)) {}
        Lease(const Lease&) = delete;
        ~Lease() { pool_.give_back(std::move(buffer_)); }
        Buffer& operator*() { return *buffer_; }

    private:
        BufferPool& pool_;
        std::unique_ptr<Buffer> buffer_;
    };

    Lease take()
    {
        if (free_.empty())
            return {*this, std::make_unique_for_overwrite<Buffer>()};
        auto buffer = std::move(free_.back());
        free_.pop_back();
        return {*this, std::move(buffer)};
    }

private:
    static constexpr std::size_t kKept = 4;

    void give_back(std::unique_ptr<Buffer> buffer)
    {
        if (free_.size() < kKept)
            free_.push_back(std::move(buffer));
    }

    std::vector<std::unique_ptr<Buffer>> free_;
};

} // namespace safetp::proxy
