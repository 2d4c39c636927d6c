// The load generator of bench/run: makes one kind of work for an FTP server and prints what it saw as one line of JSON.
#include "floor.h"
#include "ftps_client.h"
#include "soak.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using safetp::bench::DataProtection;
using safetp::bench::FtpsSession;
using safetp::bench::TlsContext;
using safetp::bench::Transfer;
using Clock = std::chrono::steady_clock;

constexpr const char* kUsage = R"(usage: safetp_load VERB ADDRESS PORT ...
  download FILE SESSIONS BYTES     each session fetches FILE, at most BYTES of it
  pour FILE SESSIONS               the same without a limit; says when all of them have got their first bytes
  plain FILE                       one download with PROT C
  upload FILE SIZE NONCE           overwrites FILE from its second byte on; its last bytes become NONCE
  files FILE SESSIONS COUNT        each session fetches FILE COUNT times
  logins WORKERS COUNT             each worker logs in and out COUNT times
  hold SESSIONS                    keeps idle sessions until standard input ends; a line "N" there: N NOOPs on random ones
  soak SESSIONS SECONDS SMALL LARGE UPLOAD SIZE
                                   sessions that fetch SMALL, break off LARGE, overwrite UPLOAD, come and go
  stream BYTES                     takes BYTES of a plain TCP stream, no FTP
       safetp_load source PORT     serves such a stream to everybody, until it is killed
       safetp_load floor BYTES     what sealing and one receive and one send of the same bytes take here
SAFETP_LOAD_CIPHERS=any: the server chooses the cipher; otherwise it is AES-256-GCM. SAFETP_LOAD_USER: instead of anonymous.
)";

struct Target {
    const TlsContext& context;
    std::string address;
    std::uint16_t port;
    std::unique_ptr<FtpsSession> log_in(DataProtection protection = DataProtection::private_) const
    {
        return std::make_unique<FtpsSession>(context, address, port, protection);
    }
};

std::uint64_t parse_number(const std::string& text, std::uint64_t most)
{
    std::size_t used = 0;
    const auto number = text.empty() || text[0] == '-' ? 0 : std::stoull(text, &used);
    if (used != text.size() || number == 0 || number > most)
        throw std::runtime_error(fmt::format("{}: not a number from 1 to {}", text, most));
    return number;
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double own_cpu()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// The value below which `share` of them lie.
double quantile(std::vector<double>& values, double share)
{
    std::ranges::sort(values);
    return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

/// Each of `count` threads first prepares, then all start their work together. Seconds from there to the last one's end.
double run_together(std::size_t count, const std::function<std::function<void()>(std::size_t)>& prepare)
{
    std::barrier start(static_cast<std::ptrdiff_t>(count) + 1);
    std::mutex mutex;
    std::exception_ptr failure;
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            std::function<void()> work;
            try {
                work = prepare(i);
            } catch (...) {
                const std::lock_guard lock(mutex);
                failure = std::current_exception();
            }
            start.arrive_and_wait();
            try {
                if (work)
                    work();
            } catch (...) {
                const std::lock_guard lock(mutex);
                failure = std::current_exception();
            }
        });
    }
    start.arrive_and_wait();
    const auto begin = Clock::now();
    threads.clear();
    const double seconds = seconds_since(begin);
    if (failure)
        std::rethrow_exception(failure);
    return seconds;
}

void print_transfers(const std::vector<Transfer>& transfers, double seconds)
{
    std::uint64_t bytes = 0;
    std::size_t resumed = 0;
    for (const Transfer& transfer : transfers) {
        bytes += transfer.bytes;
        resumed += transfer.is_resumed ? 1 : 0;
    }
    fmt::print(R"({{"bytes": {}, "seconds": {:.6f}, "resumed": {}, "of": {}, "cipher": "{}", "own_cpu": {:.6f}}})"
               "\n",
        bytes, seconds, resumed, transfers.size(), transfers.front().cipher, own_cpu());
}

void download(const Target& target, const std::string& file, std::size_t sessions, std::uint64_t most)
{
    std::vector<Transfer> transfers(sessions);
    const double seconds = run_together(sessions, [&](std::size_t i) -> std::function<void()> {
        return [&transfers, &file, most, i, session = std::shared_ptr<FtpsSession>(target.log_in())] {
            transfers[i] = session->download(file, most);
            if (transfers[i].bytes < most)
                session->quit();
        };
    });
    print_transfers(transfers, seconds);
}

void pour(const Target& target, const std::string& file, std::size_t sessions)
{
    std::atomic<std::size_t> begun = 0;
    const auto begin = [&begun, sessions] {
        if (++begun == sessions) {
            fmt::print("{{\"begun\": {}}}\n", sessions);
            std::fflush(stdout);
        }
    };
    run_together(sessions, [&](std::size_t) -> std::function<void()> {
        return [&begin, &file, session = std::shared_ptr<FtpsSession>(target.log_in())] {
            session->download(file, UINT64_MAX, begin);
        };
    });
}

void files(const Target& target, const std::string& file, std::size_t sessions, std::uint64_t count)
{
    std::vector<std::vector<double>> times(sessions);
    const double seconds = run_together(sessions, [&](std::size_t i) -> std::function<void()> {
        return [&times, &file, count, i, session = std::shared_ptr<FtpsSession>(target.log_in())] {
            for (std::uint64_t k = 0; k < count; ++k) {
                const auto start = Clock::now();
                session->download(file);
                times[i].push_back(seconds_since(start));
            }
            session->quit();
        };
    });
    std::vector<double> all;
    for (const auto& some : times)
        all.insert(all.end(), some.begin(), some.end());
    fmt::print(R"({{"files": {}, "seconds": {:.6f}, "p50": {:.6f}, "p99": {:.6f}, "own_cpu": {:.6f}}})"
               "\n",
        all.size(), seconds, quantile(all, 0.5), quantile(all, 0.99), own_cpu());
}

void logins(const Target& target, std::size_t workers, std::uint64_t count)
{
    const double seconds = run_together(workers, [&](std::size_t) -> std::function<void()> {
        return [&target, count] {
            for (std::uint64_t k = 0; k < count; ++k)
                target.log_in()->quit();
        };
    });
    fmt::print(R"({{"logins": {}, "seconds": {:.6f}, "own_cpu": {:.6f}}})"
               "\n",
        workers * count, seconds, own_cpu());
}

/// As many at a time as a rush of clients would be.
std::vector<std::unique_ptr<FtpsSession>> open_sessions(const Target& target, std::size_t count)
{
    constexpr std::size_t kAtOnce = 8;
    std::vector<std::unique_ptr<FtpsSession>> sessions(count);
    std::atomic<std::size_t> next = 0;
    run_together(kAtOnce, [&](std::size_t) -> std::function<void()> {
        return [&] {
            for (std::size_t i; (i = next++) < count;)
                sessions[i] = target.log_in();
        };
    });
    return sessions;
}

void hold(const Target& target, std::size_t count)
{
    const auto start = Clock::now();
    const auto sessions = open_sessions(target, count);
    fmt::print(R"({{"sessions": {}, "seconds": {:.6f}}})"
               "\n",
        count, seconds_since(start));
    std::fflush(stdout);
    std::mt19937_64 random; // the same choice in every run
    for (std::string line; std::getline(std::cin, line);) {
        std::vector<double> times;
        for (std::uint64_t left = parse_number(line, 1'000'000); left > 0; --left) {
            FtpsSession& session = *sessions[random() % sessions.size()];
            const auto sent = Clock::now();
            session.noop();
            times.push_back(seconds_since(sent));
        }
        fmt::print(R"({{"noops": {}, "p50": {:.6f}, "p99": {:.6f}}})"
                   "\n",
            times.size(), quantile(times, 0.5), quantile(times, 0.99));
        std::fflush(stdout);
    }
    for (const auto& session : sessions)
        session->quit();
}

void soak(const Target& target, const std::vector<std::string>& a)
{
    const safetp::bench::SoakPlan plan{.log_in = [&target] { return target.log_in(); },
        .sessions = parse_number(a[0], 1'000'000),
        .time = std::chrono::seconds(parse_number(a[1], 1'000'000)),
        .small_file = a[2],
        .large_file = a[3],
        .upload = a[4],
        .upload_size = parse_number(a[5], 1ull << 50)};
    const safetp::bench::SoakCounts did = safetp::bench::soak(plan);
    fmt::print(R"({{"noops": {}, "downloads": {}, "uploads": {}, "aborts": {}, "logins": {}, "losses": {}}})"
               "\n",
        did.noops, did.downloads, did.uploads, did.aborts, did.logins, did.losses);
}

void stream(const std::string& address, std::uint16_t port, std::uint64_t bytes)
{
    const auto start = Clock::now();
    const std::uint64_t got = safetp::bench::take_stream(address, port, bytes);
    print_transfers({{.bytes = got, .cipher = "none"}}, seconds_since(start));
}

using Arguments = std::vector<std::string>;

struct Verb {
    std::size_t arguments;
    std::function<void(const Target&, const Arguments&)> run;
};

const std::map<std::string, Verb>& verbs()
{
    constexpr std::uint64_t kMany = 1'000'000;
    constexpr std::uint64_t kHuge = 1ull << 50;
    static const std::map<std::string, Verb> all{
        {"download",
            {3, [](const Target& to, const Arguments& a) {
                 download(to, a[0], parse_number(a[1], kMany), parse_number(a[2], kHuge));
             }}},
        {"pour", {2, [](const Target& to, const Arguments& a) { pour(to, a[0], parse_number(a[1], kMany)); }}},
        {"plain",
            {1, [](const Target& to, const Arguments& a) {
                 const auto session = to.log_in(DataProtection::clear);
                 const Transfer moved = session->download(a[0]);
                 session->quit();
                 print_transfers({moved}, moved.seconds);
             }}},
        {"upload",
            {3, [](const Target& to, const Arguments& a) {
                 const auto session = to.log_in();
                 const Transfer moved = session->upload(a[0], parse_number(a[1], kHuge), a[2]);
                 session->quit();
                 print_transfers({moved}, moved.seconds);
             }}},
        {"files",
            {3, [](const Target& to, const Arguments& a) {
                 files(to, a[0], parse_number(a[1], kMany), parse_number(a[2], kMany));
             }}},
        {"logins",
            {2, [](const Target& to, const Arguments& a) {
                 logins(to, parse_number(a[0], kMany), parse_number(a[1], kMany));
             }}},
        {"stream", {1, [](const Target& to, const Arguments& a) { stream(to.address, to.port, parse_number(a[0], kHuge)); }}},
        {"soak", {6, [](const Target& to, const Arguments& a) { soak(to, a); }}},
        {"hold", {1, [](const Target& to, const Arguments& a) { hold(to, parse_number(a[0], kMany)); }}},
    };
    return all;
}

int run(const Arguments& arguments)
{
    if (arguments.size() == 2 && arguments[0] == "floor") {
        const safetp::bench::Floor floor = safetp::bench::measure_floor(parse_number(arguments[1], 1ull << 50));
        fmt::print(R"({{"bytes": {}, "seal": {:.6f}, "move": {:.6f}}})"
                   "\n",
            floor.bytes, floor.seal_cpu, floor.move_cpu);
        return 0;
    }
    if (arguments.size() == 2 && arguments[0] == "source")
        safetp::bench::serve_streams(static_cast<std::uint16_t>(parse_number(arguments[1], 65535)));
    const auto verb = arguments.empty() ? verbs().end() : verbs().find(arguments[0]);
    if (verb == verbs().end() || arguments.size() != verb->second.arguments + 3) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    const char* const wanted = std::getenv("SAFETP_LOAD_CIPHERS");
    const bool is_any = wanted != nullptr && std::string_view(wanted) == "any";
    const TlsContext context(is_any ? TlsContext::Ciphers::any : TlsContext::Ciphers::same);
    const Target target{context, arguments[1], static_cast<std::uint16_t>(parse_number(arguments[2], 65535))};
    verb->second.run(target, {arguments.begin() + 3, arguments.end()});
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    ::signal(SIGPIPE, SIG_IGN);
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        fmt::print(stderr, "safetp_load: {}\n", error.what());
        return 1;
    }
}
