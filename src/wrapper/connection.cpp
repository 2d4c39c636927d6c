#include "wrapper/connection.h"

#include "wrapper/names.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

/// getpeername(2), or the sender of the datagram that inetd saw.
bool find_client(Connection& connection)
{
    SocketAddress address;
    if (::getpeername(connection.fd, address.get(), &address.length) != 0) {
        connection.is_unconnected = errno == ENOTCONN;
        address = {};
        char byte = 0;
        if (::recvfrom(connection.fd, &byte, sizeof byte, MSG_PEEK, address.get(), &address.length) < 0)
            return false;
    }
    connection.client = address;
    return true;
}

std::optional<std::uint16_t> port_of(const std::optional<SocketAddress>& address)
{
    const auto endpoint = address ? from_socket_address(*address) : fail(ErrorCode::bad_address);
    return endpoint ? std::optional(endpoint->port) : std::nullopt;
}

std::string text_of(const std::optional<SocketAddress>& address)
{
    return address && from_socket_address(*address) ? numeric_text(*address) : std::string(access::kUnknown);
}

} // namespace

Connection identify_connection(int fd)
{
    Connection connection{.fd = fd, .client = {}, .server = {}, .warning = {}};
    int type = 0;
    socklen_t length = sizeof type;
    connection.is_stream = ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM;
    if (!find_client(connection)) {
        connection.warning = fmt::format("can't get client address: {}", std::strerror(errno));
        return connection;
    }
    SocketAddress address;
    if (::getsockname(fd, address.get(), &address.length) == 0)
        connection.server = address;
    else
        connection.warning = fmt::format("getsockname: {}", std::strerror(errno));
    return connection;
}

void eat_datagram(const Connection& connection)
{
    if (!connection.is_unconnected || connection.is_stream)
        return;
    char byte = 0;
    [[maybe_unused]] const ssize_t ignored = ::recv(connection.fd, &byte, sizeof byte, MSG_DONTWAIT);
}

access::Request request_for(const Connection& connection, const std::string& daemon)
{
    access::Request request;
    request.daemon = daemon;
    request.client_address = text_of(connection.client);
    request.server_address = text_of(connection.server);
    request.client_port = port_of(connection.client);
    request.server_port = port_of(connection.server);
    request.process_id = ::getpid();
    return request;
}

} // namespace safetp::wrapper
