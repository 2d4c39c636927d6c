#include "process/child.h"

#include "process/records.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::process {

namespace {

constexpr int kChannel = STDERR_FILENO + 1;
constexpr int kCannotStart = 127; // as a shell that finds no program

struct OrderHead {
    pid_t parent;
    std::uint32_t descriptors;
    std::uint32_t is_changed;
    uid_t uid;
    gid_t gid;
    std::uint32_t groups;
};

std::string encode(const HelperOrder& order)
{
    const Identity& user = order.identity.user;
    RecordWriter writer;
    const auto count = [](const auto& list) { return static_cast<std::uint32_t>(list.size()); };
    writer.append(OrderHead{
        ::getpid(), count(order.descriptors), order.identity.is_changed, user.uid, user.gid, count(user.groups)});
    for (const gid_t group : user.groups)
        writer.append(group);
    writer.append_text(order.identity.root);
    writer.append_text(order.text);
    return writer.bytes();
}

std::optional<Helper> decode(std::string_view bytes)
{
    RecordReader reader(bytes);
    OrderHead head{};
    if (!reader.take(head))
        return {};
    Helper helper{.channel = UniqueFd(kChannel), .parent = head.parent};
    helper.identity.is_changed = head.is_changed != 0;
    helper.identity.user.uid = head.uid;
    helper.identity.user.gid = head.gid;
    for (std::uint32_t i = 0; i < head.groups; ++i)
        if (!reader.take(helper.identity.user.groups.emplace_back()))
            return {};
    if (!reader.take_text(helper.identity.root) || !reader.take_text(helper.text) || !reader.is_empty())
        return {};
    for (std::uint32_t i = 0; i < head.descriptors; ++i)
        helper.descriptors.emplace_back(kChannel + 1 + static_cast<int>(i));
    for (const UniqueFd& fd : helper.descriptors)
        if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0)
            return {};
    return helper;
}

/// The order lies there already: it was sent before this process was made.
std::optional<Helper> receive_order()
{
    char nothing = 0;
    const ssize_t size = ::recv(kChannel, &nothing, 1, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (size <= 0 || ::fcntl(kChannel, F_SETFD, FD_CLOEXEC) != 0)
        return {};
    std::string bytes(static_cast<std::size_t>(size), '\0');
    const auto packet = receive_packet(kChannel, std::as_writable_bytes(std::span(bytes)));
    return packet && *packet ? decode(bytes) : std::nullopt;
}

[[noreturn]] void execute_anew(const HelperOrder& order, int program, int channel)
{
    reset_signals(SignalsToService::ignored);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int stream = order.streams >= 0 ? order.streams : null.get();
#ifdef SAFETP_SANITIZED // whose reports somebody should see
    const int errors = order.streams >= 0 ? order.streams : STDERR_FILENO;
#else
    const int errors = stream;
#endif
    std::vector<int> wanted{stream, stream, errors, channel};
    wanted.insert(wanted.end(), order.descriptors.begin(), order.descriptors.end());
    const int image = static_cast<int>(wanted.size());
    wanted.push_back(program);
    const std::string name = std::string(::program_invocation_short_name) + ":";
    char* const arguments[] = {const_cast<char*>(name.c_str()), const_cast<char*>(order.role.c_str()), nullptr};
    if (keep_only(wanted, 0) && ::fcntl(image, F_SETFD, FD_CLOEXEC) == 0)
        ::fexecve(image, arguments, ::environ);
    ::_exit(kCannotStart);
}

} // namespace

void reset_signals(SignalsToService to_service)
{
    struct sigaction action{};
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal)
        ::sigaction(signal, &action, nullptr);
    action.sa_handler = SIG_IGN;
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE})
        if (to_service == SignalsToService::ignored)
            ::sigaction(signal, &action, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool keep_only(const std::vector<int>& wanted, int first)
{
    const int behind = first + static_cast<int>(wanted.size());
    std::vector<int> moved; // out of each other's way
    for (const int fd : wanted)
        moved.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, behind));
    for (std::size_t i = 0; i < moved.size(); ++i)
        if (moved[i] < 0 || ::dup2(moved[i], first + static_cast<int>(i)) < 0)
            return false;
    return ::close_range(static_cast<unsigned>(behind), ~0u, 0) == 0;
}

Result<Child> start_helper(const HelperOrder& order)
{
    auto channel = make_channel();
    if (!channel)
        return std::unexpected(channel.error());
    const UniqueFd program(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
    if (!program)
        return fail(ErrorCode::system_call, errno, "/proc/self/exe, which helper processes are started from");
    const std::string text = encode(order);
    if (const auto sent = send_packet(channel->first.get(), std::as_bytes(std::span(text))); !sent)
        return std::unexpected(sent.error());
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail(ErrorCode::system_call, errno, "fork of a helper: " + order.role);
    if (pid == 0)
        execute_anew(order, program.get(), channel->second.get());
    return Child{pid, std::move(channel->first)};
}

Result<void> confine(const Helper& helper, const Confinement& confinement)
{
    auto confined = drop_privileges(helper.identity, confinement.descriptors, helper.parent);
    if (!confined)
        return confined;
    confine_helper(confinement.files, confinement.ports);
    return confinement.calls ? enter_sandbox(*confinement.calls) : confined;
}

void run_if_helper(int argc, char* const* argv, std::span<const Role> roles)
{
    if (argc != 2 || !std::string_view(argv[0]).ends_with(':'))
        return;
    const auto role = std::ranges::find_if(roles, [&](const Role& each) { return std::strcmp(each.name, argv[1]) == 0; });
    if (role == roles.end())
        return;
    ::prctl(PR_SET_NAME, (std::string(argv[0]) + argv[1]).c_str()); // execve(2) has left the descriptor's number there
    auto helper = receive_order();
    if (!helper)
        ::_exit(EXIT_FAILURE);
    try {
        ::_exit(role->main(*helper)); // what runs at a program's end may need calls that are gone
    } catch (const std::exception&) { // no memory for it
        ::_exit(EXIT_FAILURE);
    }
}

} // namespace safetp::process
