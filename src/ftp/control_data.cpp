// Data connections and transfers (RFC 959 section 3.2, RFC 2428, RFC 4217 sections 7 and 10). Whatever the client asks for,
// the raw ftpd is asked for what it can do: EPSV, else PASV, else it is given a port of ours. Both sides are joined only here.
#include "ftp/control_channel.h"

#include "ftp/host_port.h"
#include "ftp/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace safetp::ftp {

namespace {

constexpr std::uint16_t kFirstUnprivilegedPort = 1024;

std::string_view verdict_of(DataFailure failure)
{
    switch (failure) {
    case DataFailure::client_not_connected: return "425 No data connection came from the client.";
    case DataFailure::client_unreachable: return "425 The client's data port cannot be reached.";
    case DataFailure::handshake_failed: return "522 The TLS handshake on the data connection failed.";
    case DataFailure::not_resumed: return "522 The data connection must resume the control connection's TLS session.";
    case DataFailure::wrong_certificate: return "522 The data connection came with another client certificate.";
    case DataFailure::client_broken: return "426 The data connection broke off, transfer aborted.";
    case DataFailure::server_unreachable: return "425 % cannot be reached for the data connection.";
    case DataFailure::server_broken: return "426 % broke off the transfer.";
    case DataFailure::server_not_secured: return "425 % could not make the data connection safe, so nothing was transferred.";
    case DataFailure::stalled: return "426 The transfer stalled and was aborted.";
    }
    return "451 Transfer aborted.";
}

bool is_fault_of_server(DataFailure failure)
{
    return failure == DataFailure::server_broken || failure == DataFailure::server_not_secured;
}

} // namespace

std::string_view to_string(DataFailure failure)
{
    switch (failure) {
    case DataFailure::client_not_connected: return "no data connection came from the client";
    case DataFailure::client_unreachable: return "the client's data port cannot be reached";
    case DataFailure::handshake_failed: return "the TLS handshake on the data connection failed";
    case DataFailure::not_resumed: return "the data connection did not resume the control connection's TLS session";
    case DataFailure::wrong_certificate: return "the data connection came with another client certificate";
    case DataFailure::client_broken: return "the client broke off the data connection";
    case DataFailure::server_unreachable: return "the server's data port cannot be reached";
    case DataFailure::server_broken: return "the server broke off the data connection";
    case DataFailure::server_not_secured: return "the server's data connection could not be made safe";
    case DataFailure::stalled: return "nothing moved for too long";
    }
    return "unknown";
}

std::string Transfer::reason() const
{
    std::string why;
    if (client_said_abor)
        why = "the client said ABOR";
    else if (failure)
        why = to_string(*failure);
    else if (final_code && is_positive(*final_code))
        why = preliminary_seen ? "the server ended it before the data did" : "the server never began it";
    if (!final_code)
        return why;
    const std::string words = final_text.substr(0, std::min(final_text.find('\r'), kMostWords));
    return why.empty() ? "the server says: " + words : why + "; the server says: " + words;
}

// ---- PASV, EPSV, PORT, EPRT

void ControlChannel::execute_pasv()
{
    if (only_epsv_)
        return reply("503 EPSV ALL was given: only EPSV from here on.");
    if (!client_.address.is_ipv4())
        return reply("425 PASV has no room for IPv6: please use EPSV.");
    Command command;
    command.verb = Verb::pasv;
    prepare_data(command, {});
}

void ControlChannel::execute_epsv(const Command& command)
{
    const std::string_view argument = command.argument;
    if (equals_ignoring_case(argument, "ALL")) {
        only_epsv_ = true;
        return reply("200 Only EPSV from here on.");
    }
    const std::string_view own_family = client_.address.is_ipv4() ? "1" : "2";
    if (command.has_argument && argument != own_family) {
        const bool is_number = !argument.empty() && std::ranges::all_of(argument, [](char c) { return c >= '0' && c <= '9'; });
        if (!is_number)
            return reply("501 EPSV takes a protocol number or ALL.");
        return reply("522 Network protocol not supported, use (" + std::string(own_family) + ").");
    }
    prepare_data(command, {});
}

bool ControlChannel::is_client_address(const Endpoint& target)
{
    // EPRT has no room for the interface of a link-local address: the client's own is meant.
    const bool is_same
        = target.address.family() == client_.address.family() && target.address.bytes() == client_.address.bytes();
    if (is_same && target.port >= kFirstUnprivilegedPort)
        return true;
    act(Note{"bounce-refused", "data connection to " + target.to_string() + " refused"});
    reply("501 Data connections go to the client's own address and an unprivileged port only.");
    return false;
}

void ControlChannel::execute_port(const Command& command)
{
    if (only_epsv_)
        return reply("503 EPSV ALL was given: only EPSV from here on.");
    const auto target = parse_port_argument(command.argument);
    if (!target)
        return reply("501 PORT takes h1,h2,h3,h4,p1,p2.");
    if (is_client_address(*target))
        prepare_data(command, Endpoint{client_.address, target->port});
}

void ControlChannel::execute_eprt(const Command& command)
{
    if (only_epsv_)
        return reply("503 EPSV ALL was given: only EPSV from here on.");
    const auto target = parse_eprt_argument(command.argument);
    if (!target && target.error() == EprtProblem::malformed)
        return reply("501 EPRT takes |protocol|address|port|.");
    if (!target || target->address.family() != client_.address.family())
        return reply(fmt::format("522 Network protocol not supported, use ({}).", client_.address.is_ipv4() ? 1 : 2));
    if (is_client_address(*target))
        prepare_data(command, Endpoint{client_.address, target->port});
}

// The raw ftpd is asked first, so that its refusal reaches the client in place of a port where nothing will ever come.
void ControlChannel::prepare_data(const Command& command, std::optional<Endpoint> active_target)
{
    forget_data();
    setup_ = Setup::preparing;
    setup_command_ = command;
    active_target_ = active_target;
    ask_server_for_data();
}

void ControlChannel::ask_server_for_data()
{
    if (server_mode_ == ServerDataMode::active)
        return act(ListenForServer{});
    Command question;
    const bool is_pasv = server_mode_ == ServerDataMode::pasv;
    question.name = is_pasv ? "PASV" : "EPSV";
    forward(question, is_pasv ? Question::pasv : Question::epsv);
}

// The raw ftpd owes nothing; the shell has been asked for a port.
bool ControlChannel::awaits_shell() const
{
    return !has_ended_ && setup_ == Setup::preparing && pending_ == Question::nothing && !asks_again_;
}

void ControlChannel::on_server_listener(const Endpoint& shown_to_server)
{
    if (!awaits_shell())
        return;
    Command command;
    command.name = server_is_ipv4_ ? "PORT" : "EPRT";
    command.has_argument = true;
    command.argument = server_is_ipv4_ ? port_argument(shown_to_server) : eprt_argument(shown_to_server);
    forward(command, Question::port);
}

void ControlChannel::on_data_setup_final(int code, const std::string& text)
{
    if (is_positive(code)) {
        if (server_mode_ == ServerDataMode::active)
            return on_server_side_ready();
        const auto port = code == 227 ? port_of_pasv_reply(text) : port_of_epsv_reply(text);
        if (port && *port >= kFirstUnprivilegedPort) {
            act(DialServer{*port});
            return on_server_side_ready();
        }
        act(Note{"bad-passive-reply", "raw ftpd gave no usable data port: " + text.substr(0, 80)});
        return on_data_setup_failed(naming_server("% gave no data port."));
    }
    const bool is_about_mode = code >= 500 && code != 530 && code != 532 && code != 550;
    if (is_about_mode && policy_.server_data_mode == ServerDataMode::automatic && server_mode_ != ServerDataMode::active)
        return ask_server_next_mode();
    if (policy_.server_data_mode == ServerDataMode::automatic)
        server_mode_ = ServerDataMode::epsv; // nothing worked: next time from the beginning
    forget_data();
    send(text);
}

void ControlChannel::ask_server_next_mode()
{
    const bool can_try_pasv = server_mode_ == ServerDataMode::epsv && server_is_ipv4_;
    server_mode_ = can_try_pasv ? ServerDataMode::pasv : ServerDataMode::active;
    asks_again_ = true; // in proceed(), when all that it has said was heard
}

void ControlChannel::on_server_side_ready()
{
    if (setup_command_.verb == Verb::pasv || setup_command_.verb == Verb::epsv)
        return act(OpenPassive{was_secured() && is_data_protected_});
    act(UseActive{*active_target_});
    setup_ = Setup::ready;
    reply(setup_command_.verb == Verb::port ? "200 PORT command successful." : "200 EPRT command successful.");
}

void ControlChannel::on_passive_opened(const Endpoint& shown_to_client)
{
    if (!awaits_shell())
        return;
    setup_ = Setup::ready;
    if (setup_command_.verb == Verb::pasv)
        reply("227 Entering Passive Mode (" + port_argument(shown_to_client) + ").");
    else
        reply("229 Entering Extended Passive Mode (|||" + std::to_string(shown_to_client.port) + "|)");
}

void ControlChannel::on_data_setup_failed(std::string_view why)
{
    if (!awaits_shell())
        return;
    forget_data();
    reply("425 " + std::string(why));
}

void ControlChannel::forget_data()
{
    if (setup_ != Setup::none)
        act(CloseData{});
    setup_ = Setup::none;
    active_target_.reset();
}

// ---- transfers

void ControlChannel::execute_transfer(Command command)
{
    if (setup_ != Setup::ready)
        return reply("425 Please use EPSV, PASV, EPRT or PORT first.");
    if (was_secured() && policy_.data_security_required && !is_data_protected_) {
        forget_data();
        act(Note{"clear-data-refused", command.name + " without PROT P refused"});
        return reply("521 PROT P is required for data connections here.");
    }
    forward(command, Question::transfer);
    if (pending_ != Question::transfer)
        return; // too long for the raw ftpd
    setup_ = Setup::none;
    transferred_bytes_ = 0;
    Transfer transfer;
    transfer.direction = direction_of(command.verb);
    transfer.is_protected = was_secured() && is_data_protected_;
    transfer.command = std::move(command);
    transfer_ = std::move(transfer);
    if (!is_client_leg_secured())
        act(ExpectTransfer{});
    // A client that listens is dialled only when the raw ftpd has agreed; one that dials may begin its handshake now.
    if (!active_target_)
        start_transfer();
    if (queue_.has(Verb::abor))
        abort_transfer(); // it was sent before this could begin
}

void ControlChannel::start_transfer()
{
    if (transfer_->has_started || transfer_->failure || transfer_->verdict_given)
        return;
    transfer_->has_started = true;
    active_target_.reset();
    act(StartTransfer{transfer_->direction, transfer_->is_protected});
}

void ControlChannel::on_transfer_line(const ReplyLine& line)
{
    // Held until it is whole: nothing of the gateway's own may land in the middle of it.
    collected_ += line.text + "\r\n";
    if (!line.is_last)
        return;
    std::string text = std::exchange(collected_, {});
    if (is_preliminary(line.code)) {
        // Pure-FTPd ends a download that was reset with a second 150 and nothing more.
        if (transfer_->verdict_given && transfer_->preliminary_seen)
            return finish_transfer(false);
        transfer_->preliminary_seen = true;
        if (transfer_->verdict_given || transfer_->failure)
            abort_data();
        login_ = Login::done; // it moves data for nobody else
        if (!transfer_->verdict_given) {
            send(text);
            start_transfer();
        }
        return;
    }
    const bool is_own_noops = transfer_->is_asked_for_end && !can_answer(Question::transfer, line.code);
    if (is_own_noops) {
        transfer_->is_asked_for_end = false;
        return finish_transfer(false);
    }
    transfer_->final_text = std::move(text);
    transfer_->final_code = line.code;
    const bool never_began = is_positive(line.code) && !transfer_->preliminary_seen;
    if (!never_began || transfer_->verdict_given || transfer_->failure)
        return settle_transfer();
    abort_data();
    give_verdict(naming_server("451 % ended the transfer without beginning it."));
}

// One place decides what a transfer's final reply is, whatever order its parts came in.
void ControlChannel::settle_transfer()
{
    Transfer& transfer = *transfer_;
    if (transfer.verdict_given) {
        if (transfer.final_code)
            finish_transfer(false);
        return;
    }
    if (transfer.failure)
        return settle_failure();
    if (!transfer.final_code)
        return;
    if (!is_positive(*transfer.final_code))
        return settle_refusal();
    if (transfer.direction == Direction::upload) {
        if (transfer.data_is_over) {
            send(transfer.final_text);
            return finish_transfer(true);
        }
        // It cannot have stored what it was not yet given.
        abort_data();
        return give_verdict(naming_server("426 % ended the transfer before the data did."));
    }
    if (transfer.data_is_over && !std::exchange(transfer.finishing, true))
        act(FinishDownload{});
}

void ControlChannel::settle_failure()
{
    if (!transfer_->final_code) {
        if (is_fault_of_server(*transfer_->failure))
            return; // its own words, if they come, say more
        return give_verdict(naming_server(verdict_of(*transfer_->failure)));
    }
    const bool is_refused = !is_positive(*transfer_->final_code);
    // A raw ftpd that refuses at once takes the port away that it offered: that breaks no transfer.
    if (is_refused && is_fault_of_server(*transfer_->failure) && !transfer_->preliminary_seen)
        act(EndData{});
    else
        abort_data();
    if (!is_refused)
        return give_verdict(naming_server(verdict_of(*transfer_->failure)));
    send(transfer_->final_text);
    finish_transfer(false);
}

// The client's data end as the raw ftpd's do: in order where those did, and its reply says that the transfer failed (ADR 28).
void ControlChannel::settle_refusal()
{
    Transfer& transfer = *transfer_;
    if (transfer.direction == Direction::upload || !transfer.preliminary_seen) {
        act(EndData{});
        send(transfer.final_text);
        return finish_transfer(false);
    }
    if (!transfer.data_is_over && !std::exchange(transfer.end_is_awaited, true))
        act(AwaitEnd{});
    if (transfer.data_is_over && !std::exchange(transfer.finishing, true))
        act(FinishDownload{});
}

void ControlChannel::give_verdict(std::string_view line)
{
    transfer_->verdict_given = true;
    reply(line);
    if (transfer_->final_code)
        finish_transfer(false);
}

void ControlChannel::finish_transfer(bool is_complete)
{
    const Transfer transfer = std::move(*transfer_);
    transfer_.reset();
    pending_ = transfer.is_asked_for_end ? Question::own_noop : Question::nothing;
    active_target_.reset();
    act(TransferEnded{transfer.direction, transfer.command.name, transfer.command.argument, is_ascii_, is_complete,
        is_complete ? "" : transfer.reason()});
    const bool has_heard_421 = transfer.final_code == 421 && !transfer.verdict_given;
    if (transfer.final_code == 421 || server_has_ended_)
        end(EndReason::server_closed, has_heard_421 ? "" : naming_server("421 % closed the connection."));
}

void ControlChannel::abort_transfer()
{
    abor_was_done_ = true;
    if (transfer_->verdict_given)
        return;
    transfer_->client_said_abor = true;
    abort_data();
    give_verdict("426 Transfer aborted.");
}

void ControlChannel::abort_data()
{
    const bool has_begun = transfer_->preliminary_seen || transfer_->final_code;
    if (has_begun && !std::exchange(transfer_->is_aborted, true))
        act(AbortData{});
    else if (!has_begun && !std::exchange(transfer_->is_client_aborted, true))
        act(AbortClientData{});
}

// Some ftpds say nothing more of a transfer whose data connection was reset, and answer the next command. Whatever this one has
// to say of the transfer, it says before it answers this.
void ControlChannel::ask_whether_over()
{
    if (has_ended_ || !transfer_ || !transfer_->verdict_given || std::exchange(transfer_->is_asked_for_end, true))
        return;
    Command noop;
    noop.name = "NOOP";
    noop.append_line(output_.to_server);
}

// Before the 150 and after the verdict a client that pipelines would take it for the transfer's own reply.
bool ControlChannel::is_status_due() const { return transfer_->preliminary_seen && !transfer_->verdict_given; }

void ControlChannel::execute_status_now()
{
    const std::string_view verb = transfer_->command.name;
    reply("211-Transfer in progress");
    reply(" " + std::string(verb) + ": " + std::to_string(transferred_bytes_) + " bytes so far");
    reply("211 End");
}

void ControlChannel::on_transfer_data_over()
{
    if (has_ended_ || !transfer_ || transfer_->verdict_given)
        return;
    transfer_->data_is_over = true;
    settle_transfer();
}

void ControlChannel::on_transfer_delivered()
{
    if (has_ended_ || !transfer_ || transfer_->verdict_given || !transfer_->finishing)
        return;
    send(transfer_->final_text);
    finish_transfer(is_positive(*transfer_->final_code));
}

void ControlChannel::on_transfer_failed(DataFailure failure)
{
    if (has_ended_ || !transfer_ || transfer_->verdict_given || transfer_->failure)
        return;
    transfer_->failure = failure;
    const bool may_be_refusal = is_fault_of_server(failure) && !transfer_->preliminary_seen;
    if (!may_be_refusal && !transfer_->final_code)
        abort_data();
    settle_transfer();
}

} // namespace safetp::ftp
