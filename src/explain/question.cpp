#include "explain/question.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <strings.h>
#include <sysexits.h>

namespace safetp::explain {

namespace {

bool is_same(const std::string& one, const std::string& other) { return ::strcasecmp(one.c_str(), other.c_str()) == 0; }

std::string address_text(const IpAddress& address) { return wrapper::numeric_text(to_socket_address({address, 0})); }

/// An IPv6 address as the tables write it.
std::string without_brackets(const std::string& text)
{
    const bool is_bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
    return is_bracketed ? text.substr(1, text.size() - 2) : text;
}

const std::string& daemon_of(const config::Listener& listener, const config::Config& config)
{
    return listener.daemon.empty() ? config.access.daemon : listener.daemon;
}

std::string name_of(const config::Listener& listener)
{
    return listener.address ? Endpoint{*listener.address, listener.port}.to_string() : std::to_string(listener.port);
}

/// Fills one Case; each step may fail.
class Understanding {
public:
    Understanding(const Question& question, const config::Config& config, const FindAddresses& find_addresses)
        : question_(question)
        , config_(config)
        , find_addresses_(find_addresses)
    {
    }

    std::expected<Case, QuestionError> run();

private:
    using Step = std::expected<void, QuestionError>;

    Step take_listener();
    Step take_daemon();
    Step take_server(const std::string& text);
    Step take_client();
    void take_tables();
    static std::unexpected<QuestionError> usage(std::string text)
    {
        return std::unexpected(QuestionError{EX_USAGE, std::move(text)});
    }
    static std::unexpected<QuestionError> no_host(const std::string& name)
    {
        return std::unexpected(
            QuestionError{EX_NOHOST, fmt::format("there is no host \"{}\", or no answer about it", printable(name))});
    }

    const Question& question_;
    const config::Config& config_;
    const FindAddresses& find_addresses_;
    const config::Listener* listener_ = nullptr;
    access::Request request_;
    Case result_;
};

std::expected<Case, QuestionError> Understanding::run()
{
    take_tables();
    request_.client_port = request_.server_port = 0; // not known, but there would be some: ident is asked
    for (const auto step : {&Understanding::take_listener, &Understanding::take_daemon, &Understanding::take_client})
        if (const Step taken = (this->*step)(); !taken)
            return std::unexpected(taken.error());
    return std::move(result_);
}

void Understanding::take_tables()
{
    result_.paths = {question_.allow.empty() ? config_.access.hosts_allow : question_.allow,
        question_.deny.empty() ? config_.access.hosts_deny : question_.deny};
    const bool is_strict
        = question_.reading.empty() ? config_.access.reading == config::AccessReading::strict : question_.reading == "strict";
    result_.reading = is_strict ? access::Reading::strict : access::Reading::safe;
}

Understanding::Step Understanding::take_listener()
{
    listener_ = config_.listeners.empty() ? nullptr : &config_.listeners.front();
    if (question_.listener.empty())
        return {};
    std::string known;
    for (const config::Listener& listener : config_.listeners) {
        if (name_of(listener) == question_.listener || std::to_string(listener.port) == question_.listener) {
            listener_ = &listener;
            return {};
        }
        known += (known.empty() ? "" : ", ") + name_of(listener);
    }
    return usage(fmt::format("there is no listener \"{}\"; the configuration has: {}", printable(question_.listener), known));
}

Understanding::Step Understanding::take_daemon()
{
    const std::size_t at = question_.daemon.find('@', question_.daemon.empty() ? 0 : 1);
    request_.daemon = question_.daemon.substr(0, at);
    if (question_.daemon.empty())
        request_.daemon = listener_ ? daemon_of(*listener_, config_) : config_.access.daemon;
    const auto has_name
        = [&](const config::Listener& listener) { return is_same(daemon_of(listener, config_), request_.daemon); };
    if (question_.listener.empty() && listener_ && !has_name(*listener_)) {
        const auto found = std::ranges::find_if(config_.listeners, has_name);
        listener_ = found == config_.listeners.end() ? nullptr : &*found;
    }
    result_.daemon.is_gateway
        = is_same(request_.daemon, config_.access.daemon) || std::ranges::any_of(config_.listeners, has_name);
    result_.refusal = config_.access.refusal;
    const bool waits_for_ever = !result_.daemon.is_gateway && result_.reading == access::Reading::strict; // as tcpd
    result_.lookup_time = waits_for_ever ? std::chrono::seconds(0) : config_.access.lookup_time;
    result_.refusal_delay = config_.access.refusal_delay;
    result_.daemon.runs_commands = config_.access.commands;
    result_.daemon.starts_server = !config_.server.command.empty();
    result_.daemon.refuses_paranoid = config_.access.paranoid == config::Paranoid::always;
    result_.is_enabled = config_.access.enabled || !result_.daemon.is_gateway;
    if (question_.port)
        request_.server_port = *question_.port;
    else if (listener_ && result_.daemon.is_gateway)
        request_.server_port = listener_->port;
    if (at != std::string::npos)
        return take_server(question_.daemon.substr(at + 1));
    if (!question_.server.empty())
        return take_server(question_.server);
    if (listener_ && result_.daemon.is_gateway && listener_->address)
        request_.server_address = address_text(*listener_->address);
    return {};
}

Understanding::Step Understanding::take_server(const std::string& text)
{
    if (text == access::kUnknown)
        return {};
    if (const auto address = IpAddress::parse(without_brackets(text))) {
        request_.server_address = address_text(*address);
        return {};
    }
    const std::vector<IpAddress> found = find_addresses_ ? find_addresses_(text) : std::vector<IpAddress>{};
    if (found.empty())
        return no_host(text);
    request_.server_address = address_text(found.front());
    if (found.size() > 1)
        result_.notes.push_back(
            fmt::format("{} has {} addresses; {} is taken", printable(text), found.size(), request_.server_address));
    return {};
}

Understanding::Step Understanding::take_client()
{
    const std::size_t at = question_.client.find('@', 1);
    std::string host = question_.client;
    if (at != std::string::npos) {
        request_.client_user = host.substr(0, at);
        host.erase(0, at + 1);
    }
    if (!question_.user.empty())
        request_.client_user = question_.user;
    if (!question_.name.empty())
        request_.client_name = question_.name;
    if (host.empty())
        return usage("CLIENT is [USER@] and an address, a host name, or unknown");
    host = without_brackets(host);
    if (host == access::kUnknown || host == access::kParanoid) {
        if (!request_.client_name)
            request_.client_name = host;
        result_.requests.push_back(request_);
        return {};
    }
    std::vector<IpAddress> addresses;
    if (const auto address = IpAddress::parse(host.substr(0, host.find('%'))))
        addresses.push_back(*address);
    else if (find_addresses_)
        addresses = find_addresses_(host);
    else if (!request_.client_name) { // nobody to ask: the name alone is judged
        request_.client_name = host;
        result_.requests.push_back(request_);
        result_.notes.push_back("the name is not looked up, so the client has no address here");
        return {};
    }
    if (addresses.empty())
        return no_host(host);
    for (const IpAddress& address : addresses) {
        access::Request request = request_;
        request.client_address = address_text(address);
        result_.requests.push_back(std::move(request));
    }
    return {};
}

} // namespace

std::expected<Case, QuestionError> understand(
    const Question& question, const config::Config& config, const FindAddresses& find_addresses)
{
    return Understanding(question, config, find_addresses).run();
}

} // namespace safetp::explain
