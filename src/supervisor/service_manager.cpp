#include "supervisor/service_manager.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace safetp::supervisor {

namespace {

/// Connected, so that poll(2) says when there is room again. None: no service manager, or it is gone.
UniqueFd connect_to_manager()
{
    const char* const given = std::getenv("NOTIFY_SOCKET");
    const std::string_view path = given == nullptr ? "" : given;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool is_socket = path.size() > 1 && (path[0] == '/' || path[0] == '@');
    if (!is_socket || path.size() >= sizeof address.sun_path)
        return {};
    path.copy(address.sun_path, path.size());
    if (path[0] == '@')
        address.sun_path[0] = '\0'; // an abstract one, unix(7)
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
        return {};
    return fd;
}

} // namespace

void ServiceManager::tell(std::string notice)
{
    if (!socket_)
        socket_ = connect_to_manager();
    if (!socket_)
        return;
    // A sign of life says nothing that the one before it does not say.
    if (!pending_.empty() && pending_.back() == notice)
        return;
    pending_.push_back(std::move(notice));
    if (pending_.size() > kMostPending)
        pending_.pop_front();
    send_pending();
}

void ServiceManager::send_pending()
{
    while (!pending_.empty() && send(pending_.front()))
        pending_.pop_front();
    if (pending_.empty())
        socket_.reset(); // a manager that was started anew has another socket at the same path
}

bool ServiceManager::send(const std::string& notice)
{
    while (::send(socket_.get(), notice.data(), notice.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN || errno == ENOBUFS)
            return false;
        if (errno != EINTR)
            return true; // it is gone: nobody is to be told
    }
    return true;
}

} // namespace safetp::supervisor
