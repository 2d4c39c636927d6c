#include "supervisor/rule_commands.h"

#include "supervisor/replay.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr int kNotRun = 127; // as a shell that finds no program

struct Order {
    RequestKind kind;
    const Facts& facts;
    const std::optional<Identity>& identity;
};

std::optional<std::string> find_command(const Order& order, int image)
{
    const auto replayed = replay_from(image, order.facts);
    if (!replayed)
        return {};
    if (order.kind == RequestKind::run_command)
        return replayed->command;
    const bool is_twisted = replayed->verdict && replayed->verdict->outcome == access::Outcome::twisted;
    return is_twisted ? std::optional(replayed->verdict->twist) : std::nullopt;
}

void reset_signals()
{
    struct sigaction defaults{};
    defaults.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal)
        ::sigaction(signal, &defaults, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// In the child, with nothing but `image` open beside 0, 1 and 2. Privileges go before the facts are looked at.
int become_command(const Order& order, int image)
{
    if (order.identity && !become(*order.identity))
        return kNotRun;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::chdir("/") != 0)
        return kNotRun;
    const auto command = find_command(order, image);
    if (!command)
        return kNotRun;
    ::umask(022);
    ::close(image);
    static constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* const environment[] = {const_cast<char*>(kPath), nullptr};
    ::execle("/bin/sh", "sh", "-c", command->c_str(), static_cast<char*>(nullptr), environment);
    return kNotRun;
}

[[noreturn]] void become_child(const Order& order, int image, int client)
{
    static constexpr int kImage = 3;
    ::setsid();
    reset_signals();
    const UniqueFd high_image(::fcntl(image, F_DUPFD_CLOEXEC, 10));
    const UniqueFd stream(client >= 0 ? ::fcntl(client, F_DUPFD_CLOEXEC, 10) : ::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (client >= 0) // shared with the worker, which is done with it
        ::fcntl(stream.get(), F_SETFL, ::fcntl(stream.get(), F_GETFL) & ~O_NONBLOCK);
    for (const int fd : {0, 1, 2})
        if (::dup2(stream.get(), fd) < 0)
            ::_exit(kNotRun);
    if (::dup2(high_image.get(), kImage) < 0 || ::close_range(kImage + 1, ~0u, 0) != 0)
        ::_exit(kNotRun);
    try {
        ::_exit(become_command(order, kImage));
    } catch (const std::exception&) {
        ::_exit(kNotRun);
    }
}

} // namespace

Result<void> RuleCommands::configure(const config::Access& config)
{
    identity_.reset();
    if (!config.commands || ::geteuid() != 0)
        return {};
    auto user = find_user(config.command_user);
    if (!user || user->uid == 0)
        return fail(ErrorCode::bad_config, 0, "[access] command_user " + config.command_user + " is no ordinary user");
    identity_ = std::move(*user);
    return {};
}

Result<void> RuleCommands::start(const Asker& asker, RequestKind kind, int image, const Facts& facts, UniqueFd client)
{
    const bool is_twist = kind == RequestKind::twist;
    const auto alike = [is_twist](const auto& running) { return !running.second == is_twist; };
    if (std::ranges::count_if(running_, alike) >= kMost)
        return fail(ErrorCode::supervisor, EAGAIN, "too many commands of access rules run at one time");
    if (::geteuid() == 0 && !identity_)
        return fail(ErrorCode::supervisor, EPERM, "no user is known who may run commands of access rules");
    const pid_t pid = ::fork();
    if (pid < 0)
        return fail(ErrorCode::system_call, errno, "fork of an access rule's command");
    if (pid == 0)
        become_child({kind, facts, identity_}, image, client.get());
    running_.emplace(pid, is_twist ? std::nullopt : std::optional(asker));
    return {};
}

std::optional<RuleCommands::Ended> RuleCommands::on_child_end(pid_t pid, int status)
{
    const auto found = running_.find(pid);
    if (found == running_.end())
        return {};
    const Ended ended{found->second, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
    running_.erase(found);
    return ended;
}

} // namespace safetp::supervisor
