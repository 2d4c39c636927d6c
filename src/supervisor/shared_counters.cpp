#include "supervisor/shared_counters.h"

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <sys/random.h>
#include <utility>

namespace safetp::supervisor {

namespace {

constexpr unsigned kBuckets = 8192;

using Count = std::atomic<std::uint32_t>;
static_assert(Count::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

struct Row {
    Count sessions;
    std::array<Count, kBuckets> clients;
};

using HashKey = std::array<std::uint64_t, 2>;

/// SipHash-1-3 over two words: the key is secret, so nobody can choose addresses that share a bucket with a victim's.
std::uint64_t keyed_hash(const HashKey& key, const std::array<std::uint64_t, 2>& words)
{
    std::uint64_t v0 = key[0] ^ 0x736f6d6570736575u;
    std::uint64_t v1 = key[1] ^ 0x646f72616e646f6du;
    std::uint64_t v2 = key[0] ^ 0x6c7967656e657261u;
    std::uint64_t v3 = key[1] ^ 0x7465646279746573u;
    const auto round = [&] {
        v0 += v1, v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0, v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1, v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2, v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    };
    for (const std::uint64_t word : words) {
        v3 ^= word;
        round();
        v0 ^= word;
    }
    v2 ^= 0xff;
    for (int i = 0; i < 3; ++i)
        round();
    return v0 ^ v1 ^ v2 ^ v3;
}

/// What counts as one client: an IPv4 address, or the /64 that an IPv6 customer gets whole.
unsigned bucket_of(const HashKey& key, const IpAddress& client)
{
    std::uint64_t address = 0;
    std::memcpy(&address, client.bytes().data(), client.is_ipv4() ? 4 : 8);
    return static_cast<unsigned>(keyed_hash(key, {address, client.is_ipv4() ? 4u : 6u}) % kBuckets);
}

/// A row that was cleared by mistake must not wrap round to four thousand million.
void decrement(Count& count)
{
    std::uint32_t value = count.load();
    while (value != 0 && !count.compare_exchange_weak(value, value - 1))
        continue;
}

} // namespace

struct SharedCounters::Page {
    HashKey key;
    std::atomic<std::uint64_t> last_session;
    std::atomic<unsigned> used_rows; ///< rows at and above it were never written: sums need not look there
    std::array<Row, kMaxWorkers> rows;
};

Result<SharedCounters> SharedCounters::make()
{
    void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fail(ErrorCode::system_call, errno, "mmap of the shared counters");
    auto* page = static_cast<Page*>(memory); // the kernel's zeros are its first values; to construct would touch all 8 MiB
    if (::getrandom(&page->key, sizeof page->key, 0) != static_cast<ssize_t>(sizeof page->key)) {
        const int error = errno;
        ::munmap(memory, sizeof(Page));
        return fail(ErrorCode::system_call, error, "getrandom");
    }
    return SharedCounters(page);
}

SharedCounters::SharedCounters(SharedCounters&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}

SharedCounters::~SharedCounters()
{
    if (page_ != nullptr)
        ::munmap(page_, sizeof(Page));
}

std::uint64_t SharedCounters::next_session_number() { return page_->last_session.fetch_add(1) + 1; }

SharedCounters::Admission SharedCounters::admit(unsigned worker, const IpAddress& client, unsigned max_sessions,
    unsigned max_per_client)
{
    unsigned used = page_->used_rows.load();
    while (used <= worker && !page_->used_rows.compare_exchange_weak(used, worker + 1))
        continue;
    // Count first and look after: two that race may both be refused, but never both pass the limit.
    Row& own = page_->rows[worker];
    const unsigned bucket = bucket_of(page_->key, client);
    own.sessions.fetch_add(1);
    own.clients[bucket].fetch_add(1);
    if (sessions() > max_sessions) {
        leave(worker, client);
        return Admission::too_many_sessions;
    }
    unsigned of_client = 0;
    for (unsigned i = 0; i < page_->used_rows.load(); ++i)
        of_client += page_->rows[i].clients[bucket].load();
    if (of_client > max_per_client) {
        leave(worker, client);
        return Admission::too_many_from_client;
    }
    return Admission::admitted;
}

void SharedCounters::leave(unsigned worker, const IpAddress& client)
{
    Row& own = page_->rows[worker];
    decrement(own.clients[bucket_of(page_->key, client)]);
    decrement(own.sessions);
}

void SharedCounters::clear_worker(unsigned worker)
{
    if (worker >= page_->used_rows.load())
        return;
    Row& row = page_->rows[worker];
    for (Count& count : row.clients)
        count.store(0);
    row.sessions.store(0);
}

unsigned SharedCounters::sessions() const
{
    unsigned sum = 0;
    for (unsigned i = 0; i < page_->used_rows.load(); ++i)
        sum += page_->rows[i].sessions.load();
    return sum;
}

} // namespace safetp::supervisor
