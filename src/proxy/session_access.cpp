// The session's first step: may this client come in (hosts_access(5)), and what it gets if not.
#include "proxy/access_step.h"
#include "proxy/session.h"

#include <algorithm>
#include <cerrno>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace safetp::proxy {

namespace {

constexpr std::string_view kRefusal = "Connection refused by this server's access rules.";
constexpr std::chrono::milliseconds kLookAgain{250};

bool has_left(int fd)
{
    tcp_info info{};
    socklen_t length = sizeof info;
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || info.tcpi_state != TCP_ESTABLISHED;
}

/// "421-": what tcpd's banner files often begin their lines with, because they were made for one kind of refusal.
bool has_code(std::string_view line)
{
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return line.size() >= 4 && std::ranges::all_of(line.substr(0, 3), is_digit) && (line[3] == '-' || line[3] == ' ');
}

} // namespace

// A client reads replies, not text (RFC 959 section 4.2): each line becomes one of a reply with that code.
std::string banner_lines(std::string_view banner, std::string_view code)
{
    std::string lines;
    while (!banner.empty()) {
        const auto end = banner.find('\n');
        std::string_view line = banner.substr(0, end);
        banner.remove_prefix(end == std::string_view::npos ? banner.size() : end + 1);
        while (line.ends_with('\r'))
            line.remove_suffix(1);
        if (has_code(line))
            line.remove_prefix(4);
        lines.append(code).append("-").append(line).append("\r\n");
    }
    return lines;
}

net::Task<> Session::admit()
{
    AccessStep step({environment_, front_.listener, number_, client_.fd(), peer_, local_});
    access_step_ = &step;
    is_handshaking_ = front_.listener.implicit_tls; // nothing in clear there
    net::TaskGroup watching(environment_.executor);
    net::Event decided(environment_.executor);
    watching.spawn("client watch", watch_for_leaving(decided));
    Admission admission = co_await step.run();
    if (admission.kind == Admission::Kind::refused && !is_ending_)
        co_await refuse(admission);
    access_step_ = nullptr;
    is_handshaking_ = false;
    is_refused_silently_ = is_refused_silently_ || admission.kind == Admission::Kind::twisted;
    decided.notify();
    client_.cancel_waits();
    co_await watching.all_done();
    if (is_ending_)
        co_return;
    linger_ = admission.linger;
    banner_ = std::move(admission.banner);
    access_record_ = std::move(admission.record);
    if (admission.kind == Admission::Kind::given_up)
        end(ftp::EndReason::client_closed);
    else if (admission.kind != Admission::Kind::granted)
        end(ftp::EndReason::access_refused);
}

// A client that hangs up waits for no lookup of ours. One that has already said something is looked at now and then, because
// its end stands behind what nobody reads yet.
net::Task<> Session::watch_for_leaving(net::Event& decided)
{
    while (access_step_ != nullptr) {
        char byte = 0;
        const ssize_t got = ::recv(client_.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        const bool is_waiting = got < 0 && (errno == EAGAIN || errno == EINTR);
        if ((got <= 0 && !is_waiting) || has_left(client_.fd())) {
            access_step_->stop();
            client_left_.notify();
            co_return;
        }
        if (is_waiting)
            co_await client_.wait(tls::IoStep::Kind::want_read);
        else
            co_await decided.wait_until(Clock::now() + kLookAgain);
    }
}

// The administrator's choice; what can be said in clear is, before anything of TLS.
net::Task<> Session::refuse(const Admission& admission)
{
    const config::Access& access = environment_.config.access;
    is_refused_silently_ = access.refusal != config::Refusal::reply || front_.listener.implicit_tls;
    if (access.refusal == config::Refusal::delay && environment_.access->take_refusal_slot()) {
        const auto until = Clock::now() + access.refusal_delay;
        co_await client_left_.wait_until(until);
        environment_.access->free_refusal_slot();
    }
    const bool is_strict = access.reading == config::AccessReading::strict;
    if (!admission.banner.empty() && !front_.listener.implicit_tls) {
        is_refused_silently_ = false; // banners are sent whatever the refusal is
        to_client_.bytes += is_strict ? admission.banner : banner_lines(admission.banner, "421");
    }
    const bool is_answered = access.refusal == config::Refusal::reply || (!is_strict && !admission.banner.empty());
    if (is_answered && !is_refused_silently_)
        to_client_.bytes.append("421 ").append(kRefusal).append("\r\n");
}

// What was said first now begins with the banner, as lines of the same reply.
void Session::put_banner_before(std::string& first_reply)
{
    if (banner_.empty() || first_reply.size() < 4)
        return;
    first_reply.insert(0, banner_lines(std::exchange(banner_, {}), first_reply.substr(0, 3)));
}

} // namespace safetp::proxy
