#include "client/watch_filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/audit.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>

namespace safetp::client {
namespace {

using Arguments = std::array<std::uint64_t, 6>;

/// What the kernel does with a filter, as far as ours goes: bpf(4), "classic".
std::uint32_t run(const std::vector<sock_filter>& program, const seccomp_data& call)
{
    std::uint32_t loaded = 0;
    for (std::size_t at = 0; at < program.size(); ++at) {
        const sock_filter& step = program[at];
        switch (step.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            std::memcpy(&loaded, reinterpret_cast<const char*>(&call) + step.k, sizeof loaded);
            break;
        case BPF_ALU | BPF_AND | BPF_K: loaded &= step.k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: at += loaded == step.k ? step.jt : step.jf; break;
        case BPF_JMP | BPF_JSET | BPF_K: at += (loaded & step.k) != 0 ? step.jt : step.jf; break;
        case BPF_RET | BPF_K: return step.k;
        default: throw std::logic_error("a step that this test does not know");
        }
    }
    throw std::logic_error("the filter has no end");
}

std::uint32_t verdict(std::uint32_t architecture, std::uint32_t number, const Arguments& arguments = {})
{
    seccomp_data call{};
    call.arch = architecture;
    call.nr = static_cast<int>(number);
    std::copy(arguments.begin(), arguments.end(), call.args);
    return run(make_watch_filter(), call);
}

constexpr std::uint32_t kNoFastOpen = SECCOMP_RET_ERRNO | EOPNOTSUPP;
constexpr std::uint32_t kNotThere = SECCOMP_RET_ERRNO | ENOSYS;

/// As wide as the register, with rubbish above: the kernel takes 32 bits.
constexpr std::uint64_t kFastOpen = 0xFFFFFFFF00000000U | MSG_FASTOPEN | MSG_NOSIGNAL;
constexpr std::uint64_t kOthers = 0xFFFFFFFF00000000U | MSG_NOSIGNAL | MSG_DONTWAIT;

struct Numbers {
    const char* name;
    std::uint32_t architecture;
    std::uint32_t connect, sendto, sendmsg, sendmmsg, read;
};

class WatchFilter : public testing::TestWithParam<Numbers> { };

std::string name_of(const testing::TestParamInfo<Numbers>& of) { return of.param.name; }

TEST_P(WatchFilter, SeesConnect)
{
    const Numbers& of = GetParam();
    EXPECT_EQ(verdict(of.architecture, of.connect), SECCOMP_RET_USER_NOTIF);
    EXPECT_EQ(verdict(of.architecture, of.read), SECCOMP_RET_ALLOW);
}

TEST_P(WatchFilter, RefusesFastOpenAndNothingElseOfSending)
{
    const Numbers& of = GetParam();
    EXPECT_EQ(verdict(of.architecture, of.sendto, {0, 0, 0, kFastOpen}), kNoFastOpen);
    EXPECT_EQ(verdict(of.architecture, of.sendmsg, {0, 0, kFastOpen}), kNoFastOpen);
    EXPECT_EQ(verdict(of.architecture, of.sendmmsg, {0, 0, 0, kFastOpen}), kNoFastOpen);
    const Arguments elsewhere{kFastOpen, kFastOpen, kOthers, kOthers, kFastOpen, kFastOpen};
    EXPECT_EQ(verdict(of.architecture, of.sendto, elsewhere), SECCOMP_RET_ALLOW);
    EXPECT_EQ(verdict(of.architecture, of.sendmsg, elsewhere), SECCOMP_RET_ALLOW);
    EXPECT_EQ(verdict(of.architecture, of.sendmmsg, elsewhere), SECCOMP_RET_ALLOW);
}

TEST_P(WatchFilter, HasNoIoUring)
{
    const Numbers& of = GetParam();
    const std::uint32_t mark = of.connect & 0x40000000U;
    EXPECT_EQ(verdict(of.architecture, mark | 425), kNotThere);
    EXPECT_EQ(verdict(of.architecture, mark | 426), kNotThere);
}

#if defined(__x86_64__)
INSTANTIATE_TEST_SUITE_P(Interfaces, WatchFilter,
    testing::Values(Numbers{"x86_64", AUDIT_ARCH_X86_64, 42, 44, 46, 307, 0},
        Numbers{"x32", AUDIT_ARCH_X86_64, 0x40000000 + 42, 0x40000000 + 44, 0x40000000 + 518, 0x40000000 + 538, 0x40000000},
        Numbers{"i386", AUDIT_ARCH_I386, 362, 369, 370, 345, 3}),
    name_of);

TEST(WatchFilterOfOldPrograms, HandsOverWhatCanConnectAndLooksAtNoRegister)
{
    constexpr std::uint32_t kSocketcall = 102;
    for (const auto which : {SocketCall::connect, SocketCall::sendto, SocketCall::sendmsg, SocketCall::sendmmsg}) {
        const auto number = static_cast<std::uint64_t>(which);
        EXPECT_EQ(verdict(AUDIT_ARCH_I386, kSocketcall, {number}), SECCOMP_RET_USER_NOTIF);
        EXPECT_EQ(verdict(AUDIT_ARCH_I386, kSocketcall, {number, 0, kFastOpen, kFastOpen}), SECCOMP_RET_USER_NOTIF);
    }
    for (const std::uint64_t other : {1u, 2u, 4u, 5u, 9u, 10u, 12u, 14u}) // from socket and bind to recvfrom and setsockopt
        EXPECT_EQ(verdict(AUDIT_ARCH_I386, kSocketcall, {other, 0, kFastOpen, kFastOpen}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(verdict(AUDIT_ARCH_X86_64, kSocketcall, {3}), SECCOMP_RET_ALLOW); // getuid(2) there
}
#elif defined(__aarch64__)
INSTANTIATE_TEST_SUITE_P(Interfaces, WatchFilter,
    testing::Values(Numbers{"aarch64", AUDIT_ARCH_AARCH64, 203, 206, 211, 269, 63},
        Numbers{"arm", AUDIT_ARCH_ARM, 283, 290, 296, 374, 3}),
    name_of);
#endif

TEST(WatchFilterOfUnknownInterfaces, KnowsNoCallAtAll) { EXPECT_EQ(verdict(AUDIT_ARCH_S390X, 0), kNotThere); }

} // namespace
} // namespace safetp::client
