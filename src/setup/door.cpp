#include "setup/door.h"

#include "setup/conversation.h"
#include "setup/local_addresses.h"
#include "setup/text.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::setup {

namespace {

constexpr std::chrono::seconds kVisitTime{20}; // an ftpd may look names up before it greets
constexpr const char* kNobody = "USER safetpd-doctor";

std::string first_line(const std::string& reply) { return printable(reply.substr(0, reply.find('\n'))); }

/// One visit; each step says what stopped it.
class Visit {
public:
    Visit(const config::Listener& listener, const Endpoint& endpoint, const tls::ClientContext& context)
        : listener_(listener)
        , session_(context, {endpoint.address.to_string(), [](const tls::PeerCertificate&) { return true; }})
        , visit_{.endpoint = endpoint}
    {
    }

    DoorVisit make()
    {
        const auto deadline = Conversation::Clock::now() + kVisitTime;
        auto connected = dial(visit_.endpoint, deadline);
        if (!connected) {
            visit_.is_listening = connected.error().os_error != ECONNREFUSED;
            return stopped(visit_.is_listening ? "no connection: " + describe(connected.error()) : "nobody listens there");
        }
        talk_.emplace(std::move(*connected), deadline);
        if (listener_.implicit_tls && !begin_tls())
            return visit_;
        const auto greeting = talk_->read_reply();
        if (!greeting)
            return stopped("no greeting came: " + describe(greeting.error()));
        if (!greeting->starts_with("220"))
            return stopped("it greets with: " + first_line(*greeting));
        if (!listener_.implicit_tls && !secure())
            return visit_;
        return name_somebody();
    }

private:
    DoorVisit stopped(std::string words)
    {
        visit_.words = std::move(words);
        return visit_;
    }

    bool secure()
    {
        const auto answer = talk_->ask("AUTH TLS");
        if (answer && answer->starts_with("234"))
            return begin_tls();
        stopped(answer ? "AUTH TLS is answered with: " + first_line(*answer)
                       : "AUTH TLS is not answered: " + describe(answer.error()));
        return false;
    }

    bool begin_tls()
    {
        const auto done = talk_->start_tls(session_);
        if (!done) {
            stopped("the TLS handshake fails: " + describe(done.error()));
            return false;
        }
        const tls::HandshakeInfo& info = talk_->handshake_info();
        visit_.tls = info.version;
        if (info.server)
            describe_certificate(*info.server);
        return true;
    }

    void describe_certificate(const tls::PeerCertificate& certificate)
    {
        const std::time_t end = std::chrono::system_clock::to_time_t(certificate.not_after);
        std::tm date{};
        ::gmtime_r(&end, &date);
        visit_.tls += ", key " + certificate.key_fingerprint;
        visit_.certificate
            = printable(fmt::format("for {}, until {:%Y-%m-%d}", fmt::join(certificate.names, ", "), date));
        if (certificate.not_after < std::chrono::system_clock::now())
            visit_.certificate += ": it has expired";
    }

    /// The raw ftpd's answer shows whether it would let anybody in: one that insists on TLS of its own does not.
    DoorVisit name_somebody()
    {
        const auto answer = talk_->ask(kNobody);
        if (!answer) {
            if (listener_.client_certificate != config::ClientCertificate::require)
                return stopped("after TLS began, USER is not answered: " + describe(answer.error()));
            visit_.outcome = DoorVisit::Outcome::untried;
            return stopped("it asks for a certificate of the client's, and doctor has none");
        }
        if (answer->starts_with("331") || answer->starts_with("332") || answer->starts_with("230"))
            visit_.outcome = DoorVisit::Outcome::open;
        visit_.words = "behind it, the raw ftpd answers USER with: " + first_line(*answer);
        [[maybe_unused]] const auto farewell = talk_->ask("QUIT");
        return visit_;
    }

    const config::Listener& listener_;
    tls::ClientSession session_;
    std::optional<Conversation> talk_;
    DoorVisit visit_;
};

std::vector<Endpoint> endpoints_of(const config::Listener& listener, const std::vector<IpAddress>& addresses)
{
    if (listener.address && !listener.address->is_unspecified())
        return {{*listener.address, listener.port}};
    std::vector<Endpoint> endpoints{{IpAddress::from_ipv4({127, 0, 0, 1}), listener.port}};
    const auto outside = std::ranges::find_if(
        addresses, [](const IpAddress& address) { return !address.is_loopback() && !is_link_local(address); });
    if (outside != addresses.end())
        endpoints.push_back({*outside, listener.port});
    return endpoints;
}

} // namespace

std::vector<DoorVisit> visit_doors(const config::Config& config, const std::vector<IpAddress>& addresses)
{
    ::signal(SIGPIPE, SIG_IGN); // as tls::Stream wants it
    std::vector<DoorVisit> visits;
    const auto context = tls::ClientContext::make({});
    for (const config::Listener& listener : config.listeners) {
        for (const Endpoint& endpoint : endpoints_of(listener, addresses)) {
            if (context)
                visits.push_back(Visit(listener, endpoint, *context).make());
            else
                visits.push_back({.endpoint = endpoint, .words = describe(context.error())});
        }
    }
    return visits;
}

} // namespace safetp::setup
