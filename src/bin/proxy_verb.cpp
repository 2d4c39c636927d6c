#include "bin/proxy_verb.h"

#include "base/log.h"
#include "bin/connection.h"
#include "bin/transparent_serving.h"
#include "client/exit_codes.h"
#include "client/proxy_service.h"
#include "supervisor/address_argument.h"
#include "process/identity.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

constexpr int kBacklog = 128;
constexpr const char* kDefaultUser = "safetp";
constexpr const char* kStateDirectory = "/var/lib/safetp-proxy";

/// [ADDRESS:]PORT, where port 0 leaves the choice to the kernel: the log says what it was.
Result<Endpoint> parse_listen(const std::string& text)
{
    const bool is_any_port = text == "0" || text.ends_with(":0");
    const auto where = supervisor::parse_address_argument(is_any_port ? text.substr(0, text.size() - 1) + "1" : text);
    if (!where)
        return std::unexpected(where.error());
    const std::uint16_t port = is_any_port ? 0 : where->port;
    return Endpoint{where->address.value_or(IpAddress::from_ipv4({127, 0, 0, 1})), port};
}

/// `is_foreign`: also for connections to other machines' addresses.
Result<UniqueFd> listen_on(const Endpoint& endpoint, bool is_foreign)
{
    UniqueFd fd(::socket(endpoint.address.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    const SocketAddress address = to_socket_address(endpoint);
    const bool is_ipv4 = endpoint.address.is_ipv4();
    const int level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (is_foreign && ::setsockopt(fd.get(), level, is_ipv4 ? IP_TRANSPARENT : IPV6_TRANSPARENT, &on, sizeof on) != 0)
        return fail(ErrorCode::system_call, errno, "--transparent=tproxy must be started as root");
    const bool is_listening = fd && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
        && (is_ipv4 || ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0)
        && ::bind(fd.get(), address.get(), address.length) == 0 && ::listen(fd.get(), kBacklog) == 0;
    if (!is_listening)
        return fail(ErrorCode::system_call, errno, "cannot listen on " + endpoint.to_string());
    return fd;
}

/// Root is needed for a low port, at most: whoever reads what comes from the network must not have it.
Result<void> give_up_root(const process::Identity& user, bool uses_foreign_addresses)
{
    const auto became = uses_foreign_addresses ? become_with_foreign_addresses(user) : process::become(user);
    if (!became)
        return became;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return fail(ErrorCode::system_call, errno, "prctl");
    return {};
}

Result<process::Identity> find_server_user(const std::string& wanted)
{
    const std::string name = wanted.empty() ? kDefaultUser : wanted;
    auto user = process::find_user(name);
    if (!user)
        return fail(ErrorCode::bad_config, 0,
            "started as root, and there is no user " + name + " to serve the sessions: name one with --user");
    if (user->uid == 0)
        return fail(ErrorCode::bad_config, 0, "--user " + name + " is root: who reads network bytes must not be root");
    return user;
}

/// The machine's proxy has its own place for what it remembers; a person's is the one of all his safetp commands.
std::string pins_of(const std::optional<process::Identity>& user)
{
    return user ? std::string(kStateDirectory) + "/known_servers" : std::string();
}

void hand_over(int fd, const process::Identity& user)
{
    struct stat status { };
    if (fd >= 0 && ::fstat(fd, &status) == 0 && status.st_uid == 0 && ::fchown(fd, user.uid, user.gid) != 0)
        log::Event(log::Level::warning, 0, "state",
            std::string("cannot hand over ") + kStateDirectory + ": " + std::strerror(errno));
}

/// For the unprivileged user that is about to serve: made while we still can. What root has noted before the first start
/// (safetp pin add) comes along; the rest the store says when it is needed.
void prepare_state_directory(const process::Identity& user)
{
    ::mkdir(kStateDirectory, 0700);
    const UniqueFd directory(::open(kStateDirectory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    for (const char* name : {"known_servers", "known_servers.lock"}) {
        const UniqueFd file(::openat(directory.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        hand_over(file.get(), user);
    }
    hand_over(directory.get(), user);
}

Result<std::optional<proxy::Destination>> find_destination(const ProxyArguments& arguments)
{
    if (arguments.server.empty())
        return std::optional<proxy::Destination>();
    const std::uint16_t port = arguments.engine.is_implicit ? client::kImplicitPort : client::kFtpPort;
    const auto name = client::ServerName::parse(arguments.server, port);
    if (!name)
        return std::unexpected(name.error());
    return proxy::Destination{name->host, name->port, {}};
}

/// One listener, or one of each family. A machine without IPv6 has no [::1]; that is no reason to serve nobody.
Result<std::vector<UniqueFd>> open_listeners(const ProxyArguments& arguments, std::optional<client::Interception> interception)
{
    std::vector<Endpoint> endpoints;
    if (interception) {
        auto all = find_listen_endpoints(arguments);
        if (!all)
            return std::unexpected(all.error());
        endpoints = std::move(*all);
    } else {
        const auto where = parse_listen(arguments.listen);
        if (!where)
            return std::unexpected(where.error());
        endpoints.push_back(*where);
    }
    std::vector<UniqueFd> listeners;
    for (const Endpoint& endpoint : endpoints) {
        auto listener = listen_on(endpoint, interception == client::Interception::tproxy);
        const bool is_missing_family = !listener && !listeners.empty()
            && (listener.error().os_error == EADDRNOTAVAIL || listener.error().os_error == EAFNOSUPPORT);
        if (is_missing_family)
            continue;
        if (!listener)
            return std::unexpected(listener.error());
        listeners.push_back(std::move(*listener));
    }
    return listeners;
}

int serve(client::ProxyStart start)
{
    auto helper = client::start_name_helper();
    if (!helper)
        return complain(client::kExitFailure, describe(helper.error()));
    start.resources.name_helper = std::move(*helper);
    const auto here = local_endpoint(start.listeners.front().get());
    log::Event(log::Level::info, 0, "ready", "safetp proxy is ready").with("listen", here ? here->to_string() : "?")
        .with("server", start.destination ? start.destination->to_string()
                               : start.interception ? "as clients have dialled it" : "as USER user@host names it");
    return client::run_proxy(std::move(start));
}

} // namespace

int run_proxy(const ProxyArguments& arguments)
{
    std::optional<process::Identity> user;
    if (::geteuid() == 0) {
        auto found = find_server_user(arguments.user);
        if (!found)
            return complain(client::kExitUsage, describe(found.error()));
        user = std::move(*found);
    }
    const auto interception = find_interception(arguments);
    if (!interception)
        return complain(client::kExitUsage, interception.error().context);
    if (arguments.wants_rules)
        return print_rules(arguments, user);
    auto settings = make_settings(arguments.engine, pins_of(user));
    if (const int* code = std::get_if<int>(&settings))
        return *code;
    if (const auto chosen = choose_data_ports(arguments, std::get<client::Settings>(settings)); !chosen)
        return complain(client::kExitUsage, chosen.error().context);
    auto destination = find_destination(arguments);
    if (!destination)
        return complain(client::kExitUsage, "--server: " + describe(destination.error()));
    log::open(std::get<client::Settings>(settings).config.log.options);
    auto listeners = open_listeners(arguments, *interception);
    if (!listeners && listeners.error().code != ErrorCode::system_call)
        return complain(client::kExitUsage, "--listen takes [ADDRESS:]PORT, as in 2121 or 127.0.0.1:2121");
    if (!listeners)
        return complain(client::kExitUnreachable, describe(listeners.error()));
    auto resources = client::Engine::prepare(std::get<client::Settings>(settings));
    if (!resources)
        return complain(client::kExitFailure, describe(resources.error()));
    client::block_stop_signals();
    if (user) { // before the name helper is forked, and after files were read that only root may read
        prepare_state_directory(*user);
        if (const auto given_up = give_up_root(*user, *interception == client::Interception::tproxy); !given_up)
            return complain(client::kExitFailure, describe(given_up.error()));
    }
    return serve({std::get<client::Settings>(settings), std::move(*resources), std::move(*listeners), std::move(*destination),
        *interception});
}

} // namespace safetp::bin
