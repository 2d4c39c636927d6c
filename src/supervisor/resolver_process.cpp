#include "supervisor/resolver_process.h"

#include "access/request.h"
#include "base/ip_address.h"
#include "process/records.h"
#include "supervisor/messages.h"
#include "wrapper/names.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace safetp::supervisor {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kFailureCacheTime{5}; ///< at most: a name server may come back

template <std::size_t size>
void set_text(char (&to)[size], std::string_view text)
{
    const std::size_t count = std::min(text.size(), size - 1);
    std::memcpy(to, text.data(), count);
    to[count] = '\0';
}

std::int64_t now_ms()
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

/// What makes two questions one.
std::string key_of(const LookupRequest& request)
{
    if (request.kind == LookupKind::netgroup)
        return fmt::format("g{}\n{}", request.group, request.host);
    const std::string address(reinterpret_cast<const char*>(request.address), sizeof request.address);
    return fmt::format("n{}/{}/", request.is_ipv6, request.scope) + address;
}

bool is_sound(const LookupRequest& request)
{
    const bool is_known = request.kind == LookupKind::name || request.kind == LookupKind::netgroup;
    return is_known && std::memchr(request.group, '\0', sizeof request.group) != nullptr
        && std::memchr(request.host, '\0', sizeof request.host) != nullptr;
}

using Line = std::shared_ptr<UniqueFd>; ///< to one worker; closed when the last answer has gone

struct Asker {
    Line line;
    std::uint32_t id;
    std::int64_t deadline_ms;
};

void send_answer(const Asker& asker, LookupAnswer answer)
{
    answer.id = asker.id;
    // A worker that does not read its answers gets none; nobody waits for it.
    [[maybe_unused]] const ssize_t sent = ::send(asker.line->get(), &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// Whose name service is asked, roughly: an IPv4 /24, an IPv6 /48, or this machine's for netgroups.
std::string network_of(const LookupRequest& request)
{
    if (request.kind == LookupKind::netgroup)
        return "netgroups";
    const std::size_t size = request.is_ipv6 != 0 ? 6 : 3;
    return std::string(reinterpret_cast<const char*>(request.address), size);
}

/// The questions under way and the answers that are still fresh. All threads share it.
///
/// One network gets a quarter of the threads and of the queue: who owns a reverse zone can make its answers as slow as he
/// likes, and has as many addresses as he likes, and the names of all others would wait behind his.
class Desk {
public:
    Desk(const ResolverSettings& settings, const LookUp& look_up)
        : settings_(settings)
        , look_up_(look_up)
        , most_at_work_(std::max(1u, settings.threads / kShares))
        , most_queued_(std::max<std::size_t>(1, settings.most_waiting / kShares))
    {
    }

    void ask(const LookupRequest& request, Line line)
    {
        const Asker asker{std::move(line), request.id, request.deadline_ms};
        const std::string key = key_of(request);
        const std::lock_guard lock(mutex_);
        if (const auto known = cache_.find(key); known != cache_.end() && Clock::now() < known->second.until)
            return send_answer(asker, known->second.answer);
        if (const auto asked = asked_.find(key); asked != asked_.end())
            return asked->second.askers.push_back(asker);
        const std::string network = network_of(request);
        const auto load = loads_.find(network);
        const bool has_queued_most = load != loads_.end() && load->second.queued >= most_queued_;
        if (queue_.size() >= settings_.most_waiting || has_queued_most)
            return send_answer(asker, unknown());
        ++loads_[network].queued;
        asked_.emplace(key, Question{request, {asker}});
        queue_.push_back(key);
        start_thread_if_needed();
        is_filled_.notify_one();
    }

    void stop()
    {
        {
            const std::lock_guard lock(mutex_);
            is_stopped_ = true;
        }
        is_filled_.notify_all();
        for (std::thread& thread : threads_)
            thread.join();
    }

private:
    struct Question {
        LookupRequest request;
        std::vector<Asker> askers;
    };
    struct Known {
        LookupAnswer answer;
        Clock::time_point until;
    };
    struct Load { ///< of one network
        std::size_t queued = 0;
        unsigned at_work = 0;
    };
    using Queue = std::deque<std::string>;

    static constexpr unsigned kShares = 4;

    static LookupAnswer unknown()
    {
        LookupAnswer answer{};
        set_text(answer.value, access::kUnknown);
        return answer;
    }

    void start_thread_if_needed()
    {
        if (idle_ < queue_.size() && threads_.size() < settings_.threads)
            threads_.emplace_back([this] { work(); });
    }

    /// The first one whose network has a thread left.
    Queue::iterator find_next()
    {
        return std::ranges::find_if(queue_,
            [this](const std::string& key) { return loads_.at(network_of(asked_.at(key).request)).at_work < most_at_work_; });
    }

    void work()
    {
        std::unique_lock lock(mutex_);
        for (;;) {
            ++idle_;
            is_filled_.wait(lock, [this] { return is_stopped_ || find_next() != queue_.end(); });
            --idle_;
            if (is_stopped_)
                return;
            const auto next = find_next();
            const std::string key = std::move(*next);
            queue_.erase(next);
            const Question& question = asked_.at(key);
            const LookupRequest request = question.request;
            Load& load = loads_.at(network_of(request));
            --load.queued;
            if (std::ranges::all_of(question.askers, [](const Asker& asker) { return asker.deadline_ms <= now_ms(); })) {
                asked_.erase(key); // nobody waits any more
                forget_if_idle(request);
                continue;
            }
            ++load.at_work;
            LookupAnswer answer = unknown();
            lock.unlock();
            look_up_(request, answer);
            lock.lock();
            --load.at_work;
            forget_if_idle(request);
            finish(key, answer);
        }
    }

    void forget_if_idle(const LookupRequest& request)
    {
        const auto load = loads_.find(network_of(request));
        if (load->second.queued == 0 && load->second.at_work == 0)
            loads_.erase(load);
    }

    void finish(const std::string& key, const LookupAnswer& answer)
    {
        const auto asked = asked_.extract(key);
        for (const Asker& asker : asked.mapped().askers)
            send_answer(asker, answer);
        const bool is_netgroup = asked.mapped().request.kind == LookupKind::netgroup;
        const std::string_view value = answer.value;
        const bool has_failed = !is_netgroup && (value == access::kUnknown || value == access::kParanoid);
        const auto time = has_failed ? std::min(settings_.cache_time, kFailureCacheTime) : settings_.cache_time;
        if (time.count() == 0)
            return;
        if (cache_.size() >= settings_.most_cached)
            std::erase_if(cache_, [now = Clock::now()](const auto& each) { return each.second.until <= now; });
        if (cache_.size() >= settings_.most_cached)
            cache_.clear();
        cache_.insert_or_assign(key, Known{answer, Clock::now() + time});
    }

    const ResolverSettings& settings_;
    const LookUp& look_up_;
    const unsigned most_at_work_;
    const std::size_t most_queued_;
    std::mutex mutex_;
    std::condition_variable is_filled_;
    Queue queue_;
    std::map<std::string, Load> loads_; ///< of the networks in asked_
    std::map<std::string, Question> asked_; ///< waiting in the queue, or with a thread
    std::map<std::string, Known> cache_;
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    bool is_stopped_ = false;
};

/// False: the worker is gone.
bool read_line(const Line& line, Desk& desk)
{
    LookupRequest request{};
    ssize_t got = 0;
    while ((got = ::recv(line->get(), &request, sizeof request, MSG_DONTWAIT)) == sizeof request) {
        if (!is_sound(request))
            return false;
        desk.ask(request, line);
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/// False: the supervisor is gone, or wants this to end.
bool read_control(const UniqueFd& control, std::vector<Line>& lines)
{
    for (;;) {
        auto received = receive_notice(control.get());
        if (!received)
            return false;
        if (!*received)
            return true;
        if ((*received)->passed)
            lines.push_back(std::make_shared<UniqueFd>(std::move((*received)->passed)));
    }
}

} // namespace

void look_up(const LookupRequest& request, LookupAnswer& answer)
{
    if (request.kind == LookupKind::netgroup) {
        answer.is_member = ::innetgr(request.group, request.host, nullptr, nullptr) == 1 ? 1 : 0;
        return;
    }
    std::array<std::uint8_t, 16> bytes;
    std::ranges::copy(request.address, bytes.begin());
    const IpAddress address = request.is_ipv6 != 0 ? IpAddress::from_ipv6(bytes, request.scope)
                                                   : IpAddress::from_ipv4({bytes[0], bytes[1], bytes[2], bytes[3]});
    const wrapper::NameFinding found = wrapper::look_up_name(address, sizeof answer.value - 1);
    set_text(answer.value, found.value);
    set_text(answer.warning, found.warning);
}

std::string encode(const ResolverSettings& settings)
{
    process::RecordWriter writer;
    writer.append(settings);
    return writer.bytes();
}

int resolver_main(process::Helper& helper)
{
    static constexpr rlim_t kDescriptors = 512; // enough for every thread's sockets
    ResolverSettings settings;
    if (!process::RecordReader(helper.text).take(settings))
        return EXIT_FAILURE;
    // The name service decides whom it asks, and which files and modules it reads.
    const auto confined = process::confine(helper,
        {.descriptors = kDescriptors, .files = process::FileAccess::reading, .ports = std::nullopt, .calls = std::nullopt});
    if (!confined)
        return EXIT_FAILURE;
    run_resolver(std::move(helper.channel), settings, look_up);
    return EXIT_SUCCESS;
}

void run_resolver(UniqueFd control, const ResolverSettings& settings, const LookUp& look_up)
{
    // resolv.conf(5)'s five seconds a try would leave no time for a second server.
    const auto timeout = std::clamp<std::int64_t>(settings.lookup_time.count() / 4, 1, 30);
    ::setenv("RES_OPTIONS", fmt::format("timeout:{} attempts:2", timeout).c_str(), 0); // an administrator's own goes first
    Desk desk(settings, look_up);
    std::vector<Line> lines;
    for (bool is_wanted = true; is_wanted;) {
        std::vector<pollfd> entries{{control.get(), POLLIN, 0}};
        for (const Line& line : lines)
            entries.push_back({line->get(), POLLIN, 0});
        ::poll(entries.data(), entries.size(), -1);
        std::vector<Line> left;
        for (std::size_t i = 0; i < lines.size(); ++i)
            if (entries[i + 1].revents == 0 || read_line(lines[i], desk))
                left.push_back(lines[i]);
        lines.swap(left);
        if (entries[0].revents != 0)
            is_wanted = read_control(control, lines);
    }
    desk.stop();
}

} // namespace safetp::supervisor
