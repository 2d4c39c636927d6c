#include "bin/proxy_verb.h"

#include "base/log.h"
#include "bin/connection.h"
#include "client/exit_codes.h"
#include "client/proxy_service.h"
#include "supervisor/address_argument.h"
#include "supervisor/privileges.h"

#include <cerrno>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

constexpr int kBacklog = 128;
constexpr const char* kDefaultUser = "safetp";

/// [ADDRESS:]PORT, where port 0 leaves the choice to the kernel: the log says what it was.
Result<Endpoint> parse_listen(const std::string& text)
{
    const bool is_any_port = text == "0" || text.ends_with(":0");
    const auto where = supervisor::parse_address_argument(is_any_port ? text.substr(0, text.size() - 1) + "1" : text);
    if (!where)
        return std::unexpected(where.error());
    return Endpoint{where->address.value_or(IpAddress::from_ipv4({127, 0, 0, 1})), is_any_port ? std::uint16_t{0} : where->port};
}

Result<UniqueFd> listen_on(const Endpoint& endpoint)
{
    UniqueFd fd(::socket(endpoint.address.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    const SocketAddress address = to_socket_address(endpoint);
    const bool is_listening = fd && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
        && (endpoint.address.is_ipv4() || ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0)
        && ::bind(fd.get(), address.get(), address.length) == 0 && ::listen(fd.get(), kBacklog) == 0;
    if (!is_listening)
        return fail(ErrorCode::system_call, errno, "cannot listen on " + endpoint.to_string());
    return fd;
}

/// Root is needed for a low port, at most: whoever reads what comes from the network must not have it. The user is looked up,
/// and his files are found, by his own name; so known_servers is his.
Result<void> give_up_root(const supervisor::Identity& user)
{
    if (const auto became = supervisor::become(user); !became)
        return became;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "prctl");
    return {};
}

Result<supervisor::Identity> find_server_user(const std::string& wanted)
{
    const std::string name = wanted.empty() ? kDefaultUser : wanted;
    auto user = supervisor::find_user(name);
    if (!user)
        return fail(ErrorCode::bad_config, 0,
            "started as root, and there is no user " + name + " to serve the sessions: name one with --user");
    if (user->uid == 0)
        return fail(ErrorCode::bad_config, 0, "--user " + name + " is root: sessions read network bytes and must not be root's");
    return user;
}

} // namespace

int run_proxy(const ProxyArguments& arguments)
{
    auto made = make_settings(arguments.engine);
    if (const int* code = std::get_if<int>(&made))
        return *code;
    const client::Settings settings = std::get<client::Settings>(std::move(made));
    const auto where = parse_listen(arguments.listen);
    if (!where)
        return complain(client::kExitUsage, "--listen takes [ADDRESS:]PORT, as in 2121 or 127.0.0.1:2121");
    std::optional<proxy::Destination> destination;
    if (!arguments.server.empty()) {
        const auto name = client::ServerName::parse(arguments.server,
            settings.others.implicit_tls.value_or(false) ? client::kImplicitPort : client::kFtpPort);
        if (!name)
            return complain(client::kExitUsage, "--server: " + describe(name.error()));
        destination = proxy::Destination{name->host, name->port, {}};
    }
    log::open(settings.config.log.options);
    auto listener = listen_on(*where);
    if (!listener)
        return complain(client::kExitUnreachable, describe(listener.error()));
    std::optional<supervisor::Identity> user;
    if (::geteuid() == 0) {
        auto found = find_server_user(arguments.user);
        if (!found)
            return complain(client::kExitUsage, describe(found.error()));
        user = std::move(*found);
    }
    client::block_stop_signals();
    if (user) { // before the helper is forked, so that it has no more rights than we have
        if (const auto given_up = give_up_root(*user); !given_up)
            return complain(client::kExitFailure, describe(given_up.error()));
    }
    auto resources = client::Engine::prepare(settings);
    if (!resources)
        return complain(client::kExitFailure, describe(resources.error()));
    log::Event(log::Level::info, 0, "ready", "safetp proxy is ready").with("listen", local_endpoint(listener->get())->to_string())
        .with("server", destination ? destination->to_string() : "as USER user@host names it");
    std::vector<UniqueFd> listeners;
    listeners.push_back(std::move(*listener));
    return client::run_proxy({settings, std::move(*resources), std::move(listeners), std::move(destination)});
}

} // namespace safetp::bin
