#include "client/trust.h"

#include "base/log.h"
#include "client/pin_line.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::client {

namespace {

using Reason = Verdict::Reason;
using Outcome = Verdict::Outcome;

constexpr std::size_t kMaxText = 256; ///< of a peer's own words in a sentence

std::vector<std::string> expected_keys(const TrustOptions& options, const KnownServer& known)
{
    if (!options.configured_pins.empty())
        return options.configured_pins;
    std::vector<std::string> keys;
    for (const Pin& pin : known.pins)
        keys.push_back(pin.fingerprint);
    return keys;
}

Seconds to_seconds(std::chrono::system_clock::time_point time) { return std::chrono::floor<std::chrono::seconds>(time); }

std::string log_text(const ServerName& server, const tls::PeerCertificate& certificate, const std::string& what)
{
    return fmt::format("{}: {}; key {} ({} {}), subject {}, valid until {}{}", server.to_string(), what,
        certificate.key_fingerprint, certificate.key_type, certificate.key_bits, log::escape(certificate.subject, kMaxText),
        format_time(to_seconds(certificate.not_after)),
        certificate.why_not.empty() ? "" : "; authorities: " + log::escape(certificate.why_not, kMaxText));
}

Verdict accept(const ServerName& server, const tls::PeerCertificate& certificate, Reason reason)
{
    const bool is_first = reason == Reason::first_use;
    const char* const what = is_first ? "first use, the key is remembered"
        : reason == Reason::pinned    ? "the key is the known one"
                                      : "the authorities vouch for the certificate";
    return {.outcome = is_first ? Outcome::accepted_first_use : Outcome::accepted,
        .reason = reason,
        .for_person = is_first ? fmt::format("The server {} was met for the first time; its key {} is remembered from now on.",
                          server.to_string(), certificate.key_fingerprint)
                               : fmt::format("The connection to {} is secure.", server.to_string()),
        .for_log = log_text(server, certificate, what)};
}

Verdict refuse(const ServerName& server, const tls::PeerCertificate& certificate, Reason reason, std::string for_person,
    const std::string& what)
{
    return {.outcome = Outcome::refused,
        .reason = reason,
        .for_person = std::move(for_person),
        .for_log = log_text(server, certificate, what)};
}

std::string how_to_add(const ServerName& server, const std::string& fingerprint, const TrustOptions& options)
{
    const std::string where = options.pins_file.empty() ? "" : " --pins " + options.pins_file;
    return fmt::format("safetp pin add{} {} {}", where, server.to_string(), fingerprint);
}

Verdict refuse_changed(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options,
    const std::vector<std::string>& expected)
{
    const bool is_configured = !options.configured_pins.empty();
    const std::string what_to_do = is_configured ? "put that key into the configuration"
                                                 : "run: " + how_to_add(server, certificate.key_fingerprint, options);
    const char* const likely = certificate.is_vouched && certificate.is_name_right
        ? "; the system's authorities vouch for the new one, so its administrators have probably renewed it"
        : "";
    return refuse(server, certificate, Reason::key_changed,
        fmt::format("THE KEY OF {} HAS CHANGED: either its administrators have replaced it or somebody pretends to be "
                    "that server, so nothing was sent{}; ask them whether the key is {} now, and if it is, {}",
            server.to_string(), likely, certificate.key_fingerprint, what_to_do),
        fmt::format(
            "refused: the key has changed, {} {}", is_configured ? "configured is" : "known is", fmt::join(expected, " or ")));
}

Verdict refuse_not_vouched(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options)
{
    const std::string else_what = options.policy == TrustPolicy::ca && options.configured_pins.empty()
        ? fmt::format(", or use the policy pin and, if its key is {}, run: {}", certificate.key_fingerprint,
            how_to_add(server, certificate.key_fingerprint, options))
        : "";
    return refuse(server, certificate, Reason::not_vouched,
        fmt::format("The certificate of {} cannot be trusted, because {}; nothing was sent: ask its administrators to "
                    "mend that{}",
            server.to_string(), log::escape(certificate.why_not, kMaxText), else_what),
        "refused: the authorities do not vouch for it");
}

Verdict refuse_unknown(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options)
{
    return refuse(server, certificate, Reason::unknown_key,
        fmt::format("The server {} is not known yet and may not be trusted at first sight, so nothing was sent; ask its "
                    "administrators whether its key is {}, and if it is, run: {}",
            server.to_string(), certificate.key_fingerprint, how_to_add(server, certificate.key_fingerprint, options)),
        "refused: the server is unknown");
}

Verdict refuse_expired(
    const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options, bool is_over)
{
    const auto when = format_time(to_seconds(is_over ? certificate.not_after : certificate.not_before)).substr(0, 10);
    return refuse(server, certificate, Reason::expired,
        fmt::format("The server {} is not known yet and its certificate {} {}, so nothing was sent; ask its "
                    "administrators to renew it or, if its key is {}, run: {}",
            server.to_string(), is_over ? "has expired on" : "is not valid before", when, certificate.key_fingerprint,
            how_to_add(server, certificate.key_fingerprint, options)),
        is_over ? "refused: unknown and expired" : "refused: unknown and not valid yet");
}

Verdict refuse_for_store(const ServerName& server, const tls::PeerCertificate& certificate, const std::string& why)
{
    return refuse(server, certificate, Reason::bad_store,
        fmt::format("The list of known servers cannot be used, so the key of {} cannot be checked and nothing was "
                    "sent: {}",
            server.to_string(), why),
        "refused: " + why);
}

/// What was there may have been the very line about this server.
Verdict refuse_for_nameless(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options,
    const std::string& line)
{
    return refuse_for_store(server, certificate,
        fmt::format("{} cannot be understood and names no server, so it may have been this one's; put the file back from a "
                    "copy, or remove what cannot be understood (safetp pin list shows it), or, if the server's key is {}, "
                    "run: {}",
            line, certificate.key_fingerprint, how_to_add(server, certificate.key_fingerprint, options)));
}

} // namespace

std::optional<TrustPolicy> parse_policy(std::string_view text)
{
    for (const TrustPolicy policy : {TrustPolicy::ca, TrustPolicy::pin, TrustPolicy::ca_and_pin}) {
        if (to_text(policy) == text)
            return policy;
    }
    return std::nullopt;
}

std::string_view to_text(TrustPolicy policy)
{
    switch (policy) {
    case TrustPolicy::ca: return "ca";
    case TrustPolicy::pin: return "pin";
    case TrustPolicy::ca_and_pin: return "ca+pin";
    }
    return "unknown";
}

Pin make_pin(const ServerName& server, const tls::PeerCertificate& certificate, Pin::How how)
{
    return {.server = server,
        .fingerprint = certificate.key_fingerprint,
        .first_seen = to_seconds(std::chrono::system_clock::now()),
        .how = how,
        .not_after = to_seconds(certificate.not_after)};
}

std::optional<Verdict> judge(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options,
    const KnownServer& known, std::chrono::system_clock::time_point now)
{
    const bool is_configured = !options.configured_pins.empty();
    const bool needs_pin = is_configured || options.policy != TrustPolicy::ca;
    const bool needs_authority = options.policy != TrustPolicy::pin;
    if (certificate.key_fingerprint.empty()) // OpenSSL could not read it, so it equals nothing
        return refuse(server, certificate, Reason::not_vouched, "The key of " + server.to_string() + " cannot be read.",
            "refused: no readable key");
    if (needs_pin && !is_configured && !known.unreadable_line.empty())
        return refuse_for_store(server, certificate, known.unreadable_line + " is about it but cannot be understood");

    const std::vector<std::string> expected = needs_pin ? expected_keys(options, known) : std::vector<std::string>{};
    const bool is_known = std::ranges::find(expected, certificate.key_fingerprint) != expected.end();
    if (!expected.empty() && !is_known)
        return refuse_changed(server, certificate, options, expected);
    if (needs_authority && !(certificate.is_vouched && certificate.is_name_right))
        return refuse_not_vouched(server, certificate, options);
    if (!needs_pin || is_known)
        return accept(server, certificate, needs_pin ? Reason::pinned : Reason::vouched);
    if (!known.nameless_line.empty())
        return refuse_for_nameless(server, certificate, options, known.nameless_line);
    if (options.refuse_unknown)
        return refuse_unknown(server, certificate, options);
    if (now < certificate.not_before || now > certificate.not_after)
        return refuse_expired(server, certificate, options, now > certificate.not_after);
    return std::nullopt;
}

Verdict decide(const ServerName& server, const tls::PeerCertificate& certificate, const TrustOptions& options, PinStore& store)
{
    const auto now = std::chrono::system_clock::now();
    const auto known = store.find(server);
    if (!known)
        return refuse_for_store(server, certificate, describe(known.error()));
    std::optional<Verdict> verdict = judge(server, certificate, options, *known, now);
    if (verdict && !verdict->is_accepted())
        return *verdict;
    Pin pin = make_pin(server, certificate, Pin::How::first_use);
    pin.has_been_secure = true;
    if (verdict) {
        if (!options.configured_pins.empty())
            pin.how = Pin::How::config;
        if (verdict->reason == Reason::vouched) {
            pin.how = Pin::How::authority;
            pin.fingerprint.clear(); // keys may change: only that it has been secure is remembered
        }
        const auto noted = store.note_secure(pin);
        return noted ? *verdict : refuse_for_store(server, certificate, describe(noted.error()));
    }
    const auto now_known = store.remember(pin);
    if (!now_known)
        return refuse_for_store(server, certificate, describe(now_known.error()));
    verdict = judge(server, certificate, options, *now_known, now); // another process may have met another key first
    if (!verdict || !verdict->is_accepted())
        return verdict.value_or(refuse_for_store(server, certificate, "the key could not be remembered"));
    return accept(server, certificate, Reason::first_use);
}

} // namespace safetp::client
