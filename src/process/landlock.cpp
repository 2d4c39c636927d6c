#include "process/landlock.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace safetp::process {

namespace {

// The kernel's own header may be older than the kernel: linux/landlock.h of Linux 6.12.
struct RulesetAttributes {
    std::uint64_t handled_files;
    std::uint64_t handled_network;
    std::uint64_t scoped;
};
struct PathRule {
    std::uint64_t allowed;
    std::int32_t parent;
} __attribute__((packed));
struct PortRule {
    std::uint64_t allowed;
    std::uint64_t port;
};
[[maybe_unused]] constexpr unsigned kAskVersion = 1;
constexpr int kPathRule = 1;
constexpr int kPortRule = 2;
constexpr std::uint64_t kReadFile = 1u << 2;
constexpr std::uint64_t kReadDirectory = 1u << 3;
constexpr std::uint64_t kConnectTcp = 1u << 1;
constexpr std::uint64_t kAbstractSockets = 1u << 0;
constexpr std::uint64_t kSignals = 1u << 1;

/// Every right over files that this version knows.
std::uint64_t rights_over_files(int version)
{
    static constexpr unsigned kRights[] = {0, 13, 14, 15, 15, 16}; // bits by version
    const std::size_t known = std::min<std::size_t>(static_cast<std::size_t>(version), std::size(kRights) - 1);
    return (std::uint64_t{1} << kRights[known]) - 1;
}

Result<void> add_rule(int ruleset, int kind, const void* rule)
{
    if (::syscall(SYS_landlock_add_rule, ruleset, kind, rule, 0) != 0)
        return fail(ErrorCode::system_call, errno, "a rule of Landlock");
    return {};
}

Result<void> allow_reading(int ruleset)
{
    const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    const PathRule rule{kReadFile | kReadDirectory, root.get()};
    return add_rule(ruleset, kPathRule, &rule);
}

Result<void> allow_ports(int ruleset, const PortRanges& ports)
{
    for (const auto& [first, last] : ports) {
        for (std::uint64_t port = first; port <= last; ++port) {
            const PortRule rule{kConnectTcp, port};
            if (auto added = add_rule(ruleset, kPortRule, &rule); !added)
                return added;
        }
    }
    return {};
}

} // namespace

#ifdef SAFETP_SANITIZED // the sanitizers open files of their own
int landlock_version() { return 0; }
#else
int landlock_version()
{
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion);
    return version < 0 ? 0 : static_cast<int>(version);
}
#endif

Result<UniqueFd> make_landlock(FileAccess files, const std::optional<PortRanges>& ports)
{
    const int version = landlock_version();
    if (version == 0)
        return UniqueFd();
    const bool knows_ports = version >= 4 && ports;
    const RulesetAttributes attributes{.handled_files = rights_over_files(version),
        .handled_network = knows_ports ? kConnectTcp : 0,
        .scoped = version >= 6 ? kAbstractSockets | kSignals : 0};
    UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
    if (!ruleset)
        return fail(ErrorCode::system_call, errno, "Landlock");
    if (files == FileAccess::reading) {
        if (const auto allowed = allow_reading(ruleset.get()); !allowed)
            return std::unexpected(allowed.error());
    }
    if (knows_ports) {
        if (const auto allowed = allow_ports(ruleset.get(), *ports); !allowed)
            return std::unexpected(allowed.error());
    }
    return ruleset;
}

Result<void> enter_landlock(int ruleset)
{
    if (ruleset >= 0 && ::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return fail(ErrorCode::system_call, errno, "entering Landlock");
    return {};
}

void confine_helper(FileAccess files, const std::optional<PortRanges>& ports)
{
    if (const auto ruleset = make_landlock(files, ports))
        [[maybe_unused]] const auto entered = enter_landlock(ruleset->get());
}

std::string describe_landlock(const PortRanges& ports)
{
    const int version = landlock_version();
    if (version == 0)
        return "this kernel has no Landlock: workers are confined by their identity, an empty root and seccomp alone";
    std::string text = fmt::format("Landlock {} confines workers: no files", version);
    if (version >= 4) {
        std::vector<std::string> words;
        for (const auto& [first, last] : ports)
            words.push_back(first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last));
        text += fmt::format(", TCP connections to the ports {} only", fmt::join(words, ", "));
    }
    return text + (version >= 6 ? ", no abstract sockets, no signals" : "");
}

} // namespace safetp::process
