// The load generator of bench/run: moves one file, or holds idle sessions, and prints what it saw as one line of JSON.
#include "ftps_client.h"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::string_literals;
using safetp::bench::FtpsSession;
using safetp::bench::TlsContext;
using safetp::bench::Transfer;

constexpr const char* kUsage = "usage: safetp_load download ADDRESS PORT FILE\n"
                               "       safetp_load upload ADDRESS PORT FILE SIZE NONCE\n"
                               "       safetp_load hold ADDRESS PORT SESSIONS\n"
                               "hold keeps the sessions until its standard input ends\n";

std::uint64_t parse_number(const std::string& text, std::uint64_t most)
{
    std::size_t used = 0;
    const auto number = text.empty() || text[0] == '-' ? 0 : std::stoull(text, &used);
    if (used != text.size() || number == 0 || number > most)
        throw std::runtime_error(fmt::format("{}: not a number from 1 to {}", text, most));
    return number;
}

double to_seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

void print(const Transfer& transfer)
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const double cpu = to_seconds(used.ru_utime) + to_seconds(used.ru_stime);
    fmt::print(R"({{"bytes": {}, "seconds": {:.6f}, "resumed": {}, "cipher": "{}", "own_cpu": {:.6f}}})"
               "\n",
        transfer.bytes, transfer.seconds, transfer.is_resumed, transfer.cipher, cpu);
}

void hold(const TlsContext& context, const std::string& address, std::uint16_t port, std::uint64_t count)
{
    std::vector<std::unique_ptr<FtpsSession>> sessions;
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < count; ++i)
        sessions.push_back(std::make_unique<FtpsSession>(context, address, port));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    fmt::print(R"({{"sessions": {}, "seconds": {:.6f}}})"
               "\n",
        count, elapsed.count());
    std::fflush(stdout);
    char told;
    while (::read(STDIN_FILENO, &told, 1) > 0)
        continue;
    for (const auto& session : sessions)
        session->quit();
}

int run(const std::vector<std::string>& arguments)
{
    const std::string verb = arguments.empty() ? ""s : arguments[0];
    const std::size_t wanted = verb == "upload" ? 6 : 4;
    if ((verb != "download" && verb != "upload" && verb != "hold") || arguments.size() != wanted) {
        fmt::print(stderr, "{}", kUsage);
        return 2;
    }
    const TlsContext context;
    const std::string& address = arguments[1];
    const auto port = static_cast<std::uint16_t>(parse_number(arguments[2], 65535));
    if (verb == "hold") {
        hold(context, address, port, parse_number(arguments[3], 100000));
        return 0;
    }
    FtpsSession session(context, address, port);
    const Transfer transfer = verb == "download"
        ? session.download(arguments[3])
        : session.upload(arguments[3], parse_number(arguments[4], 1ull << 50), arguments[5]);
    session.quit();
    print(transfer);
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
