#include "supervisor/rule_commands.h"

#include "process/records.h"
#include "supervisor/replay.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr int kNotRun = 127; // as a shell that finds no program

struct Order {
    RequestKind kind;
    Facts facts;
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

} // namespace

// Privileges go before the facts are looked at.
int rule_command_main(process::Helper& helper)
{
    Order order{};
    const bool has_order = helper.descriptors.size() == 1 && process::RecordReader(helper.text).take(order);
    if (!has_order || (helper.identity.is_changed && !process::become(helper.identity.user)))
        return kNotRun;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::chdir("/") != 0)
        return kNotRun;
    const auto command = find_command(order, helper.descriptors[0].get());
    if (!command)
        return kNotRun;
    ::setsid();
    ::umask(022);
    ::fcntl(STDIN_FILENO, F_SETFL, ::fcntl(STDIN_FILENO, F_GETFL) & ~O_NONBLOCK); // the worker, who shares it, is done with it
    process::reset_signals(process::SignalsToService::obeyed);
    static constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char* const environment[] = {const_cast<char*>(kPath), nullptr};
    ::execle("/bin/sh", "sh", "-c", command->c_str(), static_cast<char*>(nullptr), environment);
    return kNotRun;
}

Result<void> RuleCommands::configure(const config::Access& config)
{
    identity_.reset();
    if (!config.commands || ::geteuid() != 0)
        return {};
    auto user = process::find_user(config.command_user);
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
    process::RecordWriter order;
    order.append(Order{kind, facts});
    process::HelperOrder helper{
        .role = kRuleCommandRole, .text = order.bytes(), .descriptors = {image}, .streams = client.get()};
    if (identity_)
        helper.identity = {.is_changed = true, .user = *identity_, .root = {}};
    const auto started = process::start_helper(helper);
    if (!started)
        return std::unexpected(started.error());
    running_.emplace(started->pid, is_twist ? std::nullopt : std::optional(asker));
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
