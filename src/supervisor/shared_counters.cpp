#include "supervisor/shared_counters.h"

#include "supervisor/process_identity.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace safetp::supervisor {

namespace {

constexpr unsigned kBuckets = 16384;     // of clients' numbers in each row
constexpr unsigned kRateBuckets = 65536; // of arrivals

using Count = std::atomic<std::uint32_t>;
using Holder = std::atomic<ProcessIdentity>; ///< 0: a free row
static_assert(Count::is_always_lock_free && Holder::is_always_lock_free);

struct Row {
    Holder holder;
    Count sessions; ///< of a supervisor: started raw ftpds
    Count startups;
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

/// What counts as one client, and how many times the limits of one it may have. An IPv6 customer gets a /64 whole, often a
/// /56, and for the asking a /48: who has a wide network must not take every place by changing between its parts.
struct NetworkLevel {
    std::size_t bytes;
    unsigned factor;
};
constexpr NetworkLevel kIpv4Levels[] = {{4, 1}};
constexpr NetworkLevel kIpv6Levels[] = {{8, 1}, {7, 4}, {6, 16}};

std::span<const NetworkLevel> levels_of(const IpAddress& client)
{
    return client.is_ipv4() ? std::span<const NetworkLevel>(kIpv4Levels) : std::span<const NetworkLevel>(kIpv6Levels);
}

std::uint64_t hash_of(const HashKey& key, const IpAddress& client, const NetworkLevel& level)
{
    std::uint64_t network = 0;
    std::memcpy(&network, client.bytes().data(), level.bytes);
    return keyed_hash(key, {network, level.bytes});
}

/// A row that was cleared by mistake must not wrap round to four thousand million.
void decrement(Count& count)
{
    std::uint32_t value = count.load();
    while (value != 0 && !count.compare_exchange_weak(value, value - 1))
        continue;
}

constexpr char kMagic[8] = "safetpC";
constexpr std::uint32_t kLayout = 1; ///< another number for every change of Page

/// One more than there are: from `begin` on some are refused at random, so that whoever keeps knocking cannot keep the others
/// out before all places are taken (MaxStartups of sshd_config(5)).
bool is_refused_early(unsigned there, const config::Startups& startups)
{
    if (there < startups.begin)
        return false;
    if (there >= startups.full)
        return true;
    const std::uint64_t above = there - startups.begin;
    const std::uint64_t percent = startups.percent + (100 - startups.percent) * above / (startups.full - startups.begin);
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
        return true;
    return random % 100 < percent;
}

std::uint64_t nanoseconds(std::chrono::nanoseconds time) { return static_cast<std::uint64_t>(time.count()); }

std::uint64_t now() { return nanoseconds(std::chrono::steady_clock::now().time_since_epoch()); }

/// Of a rate of which a network may have `factor` times as much.
std::uint64_t interval(const config::Rate& rate, unsigned factor)
{
    return nanoseconds(rate.time) / (std::uint64_t{rate.count} * factor);
}

} // namespace

/// Zeros are its first values; to construct it would touch all of it.
struct SharedCounters::Page {
    char magic[sizeof kMagic];
    std::uint32_t layout;
    HashKey key;
    std::atomic<std::uint64_t> last_session;
    std::atomic<unsigned> used_rows; ///< rows at and above it were never used: sums need not look there
    /// When the connections that came so far were all due, had they kept to the rate: the generic cell rate algorithm (ITU-T
    /// I.371). Not in rows: times lie in the past soon, nobody needs to take them back.
    std::array<std::atomic<std::uint64_t>, kRateBuckets> arrivals;
    std::array<Row, kSupervisors> supervisors;
    std::array<Row, kRows> rows;

    std::span<Row> used() { return std::span(rows).first(std::min(used_rows.load(), kRows)); }
};

namespace {

std::uint64_t sum(std::span<Row> rows, Count Row::*which)
{
    std::uint64_t result = 0;
    for (const Row& row : rows)
        result += row.holder.load() == 0 ? 0 : (row.*which).load();
    return result;
}

std::uint64_t sum_of_client(std::span<Row> rows, std::uint64_t bucket)
{
    std::uint64_t result = 0;
    for (const Row& row : rows)
        result += row.holder.load() == 0 ? 0 : row.clients[bucket].load();
    return result;
}

void count_in(Row& row, const HashKey& key, const IpAddress& client)
{
    row.sessions.fetch_add(1);
    for (const NetworkLevel& level : levels_of(client))
        row.clients[hash_of(key, client, level) % kBuckets].fetch_add(1);
}

void count_out(Row& row, const HashKey& key, const IpAddress& client)
{
    for (const NetworkLevel& level : levels_of(client))
        decrement(row.clients[hash_of(key, client, level) % kBuckets]);
    decrement(row.sessions);
}

/// Of two who find the same holder dead only one comes to empty its row: while he does so the row is his.
void clear(Row& row, ProcessIdentity held)
{
    const ProcessIdentity own = own_identity();
    if (held != own && !row.holder.compare_exchange_strong(held, own))
        return;
    for (Count& count : row.clients)
        count.store(0);
    row.startups.store(0);
    row.sessions.store(0);
    row.holder.store(0);
}

std::optional<unsigned> claim(std::span<Row> rows)
{
    const ProcessIdentity own = own_identity();
    for (unsigned i = 0; i < rows.size(); ++i) {
        ProcessIdentity nobody = 0;
        if (rows[i].holder.compare_exchange_strong(nobody, own))
            return i;
    }
    return {};
}

Result<void*> map(int memory, std::size_t bytes)
{
    void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED)
        return fail(ErrorCode::system_call, errno, "mmap of the shared counters");
    return mapped;
}

void give_back(std::atomic<std::uint64_t>& arrivals, std::uint64_t step)
{
    std::uint64_t seen = arrivals.load();
    while (seen > step && !arrivals.compare_exchange_weak(seen, seen - step))
        continue;
}

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

} // namespace

// ---- the memory

Result<SharedCounters> SharedCounters::make()
{
    UniqueFd memory(::memfd_create("safetpd-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory || ::ftruncate(memory.get(), sizeof(Page)) != 0 || ::fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0)
        return fail(ErrorCode::system_call, errno, "memory of the shared counters");
    const auto mapped = map(memory.get(), sizeof(Page));
    if (!mapped)
        return std::unexpected(mapped.error());
    SharedCounters counters(static_cast<Page*>(*mapped), std::move(memory));
    Page& page = *counters.page_;
    if (::getrandom(&page.key, sizeof page.key, 0) != static_cast<ssize_t>(sizeof page.key))
        return fail(ErrorCode::system_call, errno, "getrandom");
    std::memcpy(page.magic, kMagic, sizeof kMagic);
    page.layout = kLayout;
    if (const auto claimed = counters.claim_supervisor_row(); !claimed)
        return std::unexpected(claimed.error());
    return counters;
}

Result<SharedCounters> SharedCounters::take_over(UniqueFd memory)
{
    struct stat status{};
    const bool is_known = ::fstat(memory.get(), &status) == 0 && status.st_size == static_cast<off_t>(sizeof(Page))
        && (::fcntl(memory.get(), F_GET_SEALS) & kSeals) == kSeals; // a memory that shrank would end us with SIGBUS
    if (!is_known)
        return fail(ErrorCode::supervisor, 0, "the older program counts in another way");
    const auto mapped = map(memory.get(), sizeof(Page));
    if (!mapped)
        return std::unexpected(mapped.error());
    SharedCounters counters(static_cast<Page*>(*mapped), std::move(memory));
    Page& page = *counters.page_;
    if (std::memcmp(page.magic, kMagic, sizeof kMagic) != 0 || page.layout != kLayout)
        return fail(ErrorCode::supervisor, 0, "the older program counts in another way");
    counters.clear_rows_of_the_dead();
    const auto free = std::ranges::count_if(page.rows, [](const Row& row) { return row.holder.load() == 0; });
    if (free < static_cast<std::ptrdiff_t>(kMaxWorkers))
        return fail(ErrorCode::supervisor, 0, "workers of older programs hold too many rows");
    if (const auto claimed = counters.claim_supervisor_row(); !claimed)
        return std::unexpected(claimed.error());
    return counters;
}

SharedCounters::SharedCounters(SharedCounters&& other) noexcept
    : page_(std::exchange(other.page_, nullptr))
    , memory_(std::move(other.memory_))
    , supervisor_row_(other.supervisor_row_)
{
}

SharedCounters::~SharedCounters()
{
    if (page_ != nullptr)
        ::munmap(page_, sizeof(Page));
}

// ---- rows

Result<void> SharedCounters::claim_supervisor_row()
{
    const auto row = claim(page_->supervisors);
    if (!row)
        return fail(ErrorCode::supervisor, 0, "too many older programs still serve their sessions");
    supervisor_row_ = *row;
    return {};
}

std::optional<unsigned> SharedCounters::claim_row()
{
    const auto row = claim(page_->rows);
    if (!row)
        return {};
    unsigned used = page_->used_rows.load();
    while (used <= *row && !page_->used_rows.compare_exchange_weak(used, *row + 1))
        continue;
    return row;
}

void SharedCounters::hold_row(unsigned row) { page_->rows[row].holder.store(own_identity()); }

void SharedCounters::clear_row(unsigned row, pid_t worker)
{
    const ProcessIdentity held = page_->rows[row].holder.load();
    if (process_id(held) == worker || held == own_identity()) // else the successor was faster
        clear(page_->rows[row], held);
}

void SharedCounters::clear_rows_of_the_dead()
{
    const auto clear_dead = [](std::span<Row> rows) {
        for (Row& row : rows) {
            if (const ProcessIdentity held = row.holder.load(); held != 0 && !is_alive(held))
                clear(row, held);
        }
    };
    clear_dead(page_->used());
    clear_dead(page_->supervisors);
}

// ---- sessions

std::uint64_t SharedCounters::next_session_number() { return page_->last_session.fetch_add(1) + 1; }

// Raw ftpds beyond the number of sessions are those that still end, as far as numbers alone can tell: they count too, and with
// the sessions without a login, since whoever hangs up at once leaves just them.
std::optional<SharedCounters::Refusal> SharedCounters::limit_passed(
    const IpAddress& client, const config::Limits& limits) const
{
    const std::uint64_t servers = sum(page_->supervisors, &Row::sessions);
    const std::uint64_t sessions = sum(page_->used(), &Row::sessions); // the new one among them, which has no raw ftpd yet
    if (std::max(sessions, servers + 1) > limits.sessions)
        return Refusal::sessions;
    for (const NetworkLevel& level : levels_of(client)) {
        const std::uint64_t bucket = hash_of(page_->key, client, level) % kBuckets;
        const std::uint64_t of_client
            = std::max(sum_of_client(page_->used(), bucket), sum_of_client(page_->supervisors, bucket) + 1);
        if (of_client > std::uint64_t{limits.sessions_per_client} * level.factor)
            return Refusal::client;
    }
    const std::uint64_t ending = servers + 1 > sessions ? servers + 1 - sessions : 0;
    const std::uint64_t others = sum(page_->used(), &Row::startups) + ending - 1;
    if (is_refused_early(static_cast<unsigned>(others), config::startups_of(limits)))
        return Refusal::startups;
    return {};
}

std::expected<SharedCounters::Place, SharedCounters::Refusal> SharedCounters::admit(
    unsigned row, const IpAddress& client, const config::Limits& limits)
{
    // Count first and look after: two that race may both be refused, but never both pass the limit.
    page_->rows[row].startups.fetch_add(1);
    count_in(page_->rows[row], page_->key, client);
    auto refusal = limit_passed(client, limits);
    if (!refusal && !take_connection(client, limits.connection_rate))
        refusal = Refusal::rate;
    if (refusal) {
        leave(row, client, true);
        return std::unexpected(*refusal);
    }
    return Place(*this, row, client, limits.connection_rate);
}

void SharedCounters::leave(unsigned row, const IpAddress& client, bool is_startup)
{
    if (is_startup)
        decrement(page_->rows[row].startups);
    count_out(page_->rows[row], page_->key, client);
}

SharedCounters::Place::Place(Place&& other) noexcept
    : counters_(std::exchange(other.counters_, nullptr))
    , row_(other.row_)
    , client_(other.client_)
    , rate_(other.rate_)
    , is_logged_in_(other.is_logged_in_)
{
}

SharedCounters::Place::~Place()
{
    if (counters_ != nullptr)
        counters_->leave(row_, client_, !is_logged_in_);
}

void SharedCounters::Place::log_in()
{
    if (std::exchange(is_logged_in_, true))
        return;
    decrement(counters_->page_->rows[row_].startups);
    counters_->give_connection_back(client_, rate_, std::size(kIpv6Levels));
}

// ---- the rate of connections

bool SharedCounters::take_connection(const IpAddress& client, const config::Rate& rate)
{
    const std::uint64_t present = now();
    const std::uint64_t latest = present + nanoseconds(rate.time);
    const auto levels = levels_of(client);
    for (const NetworkLevel& level : levels) {
        const std::uint64_t step = interval(rate, level.factor);
        auto& arrivals = page_->arrivals[hash_of(page_->key, client, level) % kRateBuckets];
        std::uint64_t seen = arrivals.load();
        std::uint64_t next = 0;
        do {
            next = std::clamp(seen, present, latest) + step; // later than `latest`: by a rate that is no longer in force
        } while (next <= latest && !arrivals.compare_exchange_weak(seen, next));
        if (next <= latest)
            continue;
        arrivals.compare_exchange_strong(seen, std::min(seen, latest));
        give_connection_back(client, rate, static_cast<std::size_t>(&level - levels.data()));
        return false;
    }
    return true;
}

/// To the first `levels` of its networks.
void SharedCounters::give_connection_back(const IpAddress& client, const config::Rate& rate, std::size_t levels)
{
    for (const NetworkLevel& level : levels_of(client).first(std::min(levels, levels_of(client).size())))
        give_back(page_->arrivals[hash_of(page_->key, client, level) % kRateBuckets], interval(rate, level.factor));
}

// ---- started raw ftpds

bool SharedCounters::add_server(const IpAddress& client, const config::Limits& limits)
{
    const auto has_room = [&](const NetworkLevel& level) {
        return sum_of_client(page_->supervisors, hash_of(page_->key, client, level) % kBuckets)
            < std::uint64_t{limits.sessions_per_client} * level.factor;
    };
    if (sum(page_->supervisors, &Row::sessions) >= limits.sessions || !std::ranges::all_of(levels_of(client), has_room))
        return false;
    count_in(page_->supervisors[supervisor_row_], page_->key, client);
    return true;
}

void SharedCounters::remove_server(const IpAddress& client)
{
    count_out(page_->supervisors[supervisor_row_], page_->key, client);
}

// ---- sums and words

unsigned SharedCounters::sessions() const { return static_cast<unsigned>(sum(page_->used(), &Row::sessions)); }

unsigned SharedCounters::sessions_of(unsigned row) const { return page_->rows[row].sessions.load(); }

unsigned SharedCounters::startups() const { return static_cast<unsigned>(sum(page_->used(), &Row::startups)); }

const char* to_string(SharedCounters::Refusal refusal)
{
    switch (refusal) {
    case SharedCounters::Refusal::sessions: return "too many sessions";
    case SharedCounters::Refusal::client: return "too many sessions from one client";
    case SharedCounters::Refusal::startups: return "too many sessions without a login";
    case SharedCounters::Refusal::rate: return "too many connections without a login from one client";
    }
    return "";
}

const char* reply_to(SharedCounters::Refusal refusal)
{
    switch (refusal) {
    case SharedCounters::Refusal::sessions: return "421 Too many sessions, please try again later.\r\n";
    case SharedCounters::Refusal::client: return "421 Too many sessions from your address, please try again later.\r\n";
    case SharedCounters::Refusal::startups: return "421 Too many clients are logging in, please try again.\r\n";
    case SharedCounters::Refusal::rate: return "421 Too many connections from your address, please try again later.\r\n";
    }
    return "";
}

} // namespace safetp::supervisor
