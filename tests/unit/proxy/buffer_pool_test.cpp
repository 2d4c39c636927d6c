#include "proxy/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {

int buffers_allocated = 0;
int buffers_alive = 0;

/// Stands in front of each block, so that its release can be told from others'.
struct alignas(std::max_align_t) Header {
    std::size_t bytes;
};

} // namespace

// The whole test program's: the pool's buffers are counted.
void* operator new(std::size_t bytes)
{
    auto* const header = static_cast<Header*>(std::malloc(sizeof(Header) + bytes));
    if (header == nullptr)
        throw std::bad_alloc();
    header->bytes = bytes;
    if (bytes == safetp::proxy::BufferPool::kBufferBytes) {
        ++buffers_allocated;
        ++buffers_alive;
    }
    return header + 1;
}

void operator delete(void* block) noexcept
{
    if (block == nullptr)
        return;
    Header* const header = static_cast<Header*>(block) - 1;
    if (header->bytes == safetp::proxy::BufferPool::kBufferBytes)
        --buffers_alive;
    std::free(header);
}

void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace safetp::proxy {
namespace {

class BufferPoolTest : public testing::Test {
protected:
    /// Takes so many at once and gives all back.
    void use(unsigned count)
    {
        const BufferPool::Lease lease = pool_.take();
        if (count > 1)
            use(count - 1);
    }

    const int alive_before_ = buffers_alive;
    const int allocated_before_ = buffers_allocated;
    BufferPool pool_;
    int allocated() const { return buffers_allocated - allocated_before_; }
    int alive() const { return buffers_alive - alive_before_; }
};

TEST_F(BufferPoolTest, HoldsNothingBeforeItsFirstUse)
{
    EXPECT_EQ(allocated(), 0);
}

TEST_F(BufferPoolTest, OneAfterTheOtherUseTheSameBuffer)
{
    for (int i = 0; i < 100; ++i)
        use(1);
    EXPECT_EQ(allocated(), 1);
    EXPECT_EQ(alive(), 1);
}

TEST_F(BufferPoolTest, TwoAtOnceHaveTwo)
{
    auto first = pool_.take();
    auto second = pool_.take();
    EXPECT_NE((*first).data(), (*second).data());
    EXPECT_EQ((*first).size(), BufferPool::kBufferBytes);
}

TEST_F(BufferPoolTest, AfterARushOnlyFourAreKept)
{
    use(20);
    EXPECT_EQ(allocated(), 20);
    EXPECT_EQ(alive(), 4);
    use(4);
    EXPECT_EQ(allocated(), 20) << "the kept ones are used";
    use(5);
    EXPECT_EQ(allocated(), 21);
}

TEST_F(BufferPoolTest, GivesBackAllItKeeps)
{
    {
        BufferPool pool;
        { const auto lease = pool.take(); }
        EXPECT_EQ(alive(), 1);
    }
    EXPECT_EQ(alive(), 0);
}

} // namespace
} // namespace safetp::proxy
