#include "probe.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace safetp::ftp {

namespace {

constexpr unsigned kCountedBadCommands = 4; // a higher limit is one that no search comes near

// A text that is held counts by its first and its last line: those are of a finite alphabet, and what stands between is passed
// on unread.
void fold_text(std::string_view text, explore::Folder& into)
{
    into.add(text.substr(0, text.find("\r\n")));
    if (text.ends_with("\r\n"))
        text.remove_suffix(2);
    const auto last = text.rfind("\r\n");
    into.add(last == std::string_view::npos ? std::string_view() : text.substr(last));
}

} // namespace

void DialogueProbe::fold_command(const Command& command, explore::Folder& into)
{
    const auto& [verb, name, argument, has_argument] = command;
    into.add(verb);
    into.add(name);
    into.add(argument);
    into.add(has_argument);
}

void DialogueProbe::fold_transfer(const std::optional<Transfer>& transfer, explore::Folder& into)
{
    into.add(transfer.has_value());
    if (!transfer)
        return;
    const auto& [command, direction, is_protected, has_started, preliminary_seen, data_is_over, finishing, end_is_awaited,
        is_client_aborted, is_aborted, client_said_abor, verdict_given, is_asked_for_end, failure, final_code, final_text]
        = *transfer;
    fold_command(command, into);
    into.add(direction);
    for (const bool flag : {is_protected, has_started, preliminary_seen, data_is_over, finishing, end_is_awaited,
             is_client_aborted, is_aborted, verdict_given, is_asked_for_end})
        into.add(flag);
    into.add(failure ? static_cast<int>(*failure) : -1);
    into.add(final_code.value_or(0));
    fold_text(final_text, into);
}

void DialogueProbe::fold(const ControlChannel& channel, explore::Folder& into)
{
    // Left out: what never changes within one search (the policy, the peers, the proxy's name, SNI), what only reaches the log
    // (TYPE), and counters whose limits no search comes near (README.md).
    const auto& [policy, client, server_is_ipv4, output, has_ended, is_draining, queue, auth_is_waiting, auth_is_asked,
        abor_was_done, pending, server_has_ended, reply_reader, reply_bytes, preliminaries, collected, login, user, asked_user,
        given_user, proxy_name, is_clear_anonymous, has_changed_in_clear, is_ascii, asked_for_ascii, login_failures,
        bad_commands, tls_is_starting, is_secure, was_cleared, pbsz_given, is_data_protected, server_name, setup, asks_again,
        setup_command, active_target, only_epsv, server_mode, transfer, transferred_bytes]
        = channel;

    into.add(has_ended);
    for (const bool flag : {is_draining, auth_is_waiting, auth_is_asked, abor_was_done, server_has_ended,
             reply_reader.is_inside(), is_clear_anonymous, has_changed_in_clear, tls_is_starting, is_secure, was_cleared,
             pbsz_given, is_data_protected, asks_again, only_epsv})
        into.add(flag);
    into.add(pending);
    into.add(setup);
    if (has_ended)
        return; // the rest is never looked at again
    into.add(queue.size());
    for (const auto& [waited, times] : queue.entries_) {
        into.add(times);
        into.add(waited.has_value());
        if (waited)
            fold_command(*waited, into);
        else
            into.add(waited.error());
    }
    fold_text(collected, into);
    into.add(login);
    into.add(user);
    into.add(asked_user);
    into.add(login == ControlChannel::Login::user_given ? std::string_view(given_user) : std::string_view());
    into.add(login_failures);
    into.add(policy.bad_commands <= kCountedBadCommands ? bad_commands : 0);
    into.add(setup == ControlChannel::Setup::preparing ? setup_command.verb : Verb::other);
    into.add(active_target.has_value());
    into.add(server_mode);
    fold_transfer(transfer, into);
}

std::string DialogueProbe::phase(const ControlChannel& channel)
{
    static constexpr std::array<std::string_view, 15> kPending{"idle", "greeting", "relayed", "USER", "PASS", "ACCT", "QUIT",
        "HOST", "FEAT", "TYPE", "EPSV", "PASV", "PORT", "transfer", "own NOOP"};
    static constexpr std::array<std::string_view, 3> kLogin{"nobody", "USER given", "logged in"};
    if (channel.has_ended_)
        return "ended";
    std::string text(kPending.at(static_cast<std::size_t>(channel.pending_)));
    text += ", ";
    text += kLogin.at(static_cast<std::size_t>(channel.login_));
    text += channel.tls_is_starting_ ? ", TLS begins" : channel.is_secure_ ? ", TLS" : channel.was_cleared_ ? ", cleared" : "";
    if (channel.setup_ != ControlChannel::Setup::none)
        text += channel.setup_ == ControlChannel::Setup::ready ? ", port ready" : ", port wanted";
    return text;
}

} // namespace safetp::ftp
