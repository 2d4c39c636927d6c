#include "base/system_log.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <utility>

namespace safetp::log {

namespace {

constexpr int kPatienceMs = 100; ///< for a syslogd that is behind: its queue is short, and each line that is lost is missed

} // namespace

UniqueFd connect_to_syslogd(const char* path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        fd.reset();
        errno = error;
    }
    return fd;
}

void SystemLog::open(int facility)
{
    facility_ = facility;
    connection_ = connect_to_syslogd(path_);
}

/// RFC 3164, in local time, as syslogd expects it on this socket.
std::string SystemLog::header(int severity) const
{
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    char time[32];
    std::strftime(time, sizeof time, "%b %e %H:%M:%S", &local);
    return fmt::format("<{}>{} safetpd[{}]: ", facility_ | severity, time, ::getpid());
}

void SystemLog::write(int severity, std::string_view line)
{
    std::string datagram = header(severity);
    datagram += line;
    deliver(std::move(datagram));
}

void SystemLog::deliver(std::string datagram)
{
    Fate fate = is_asked_ ? Fate::gone : send(datagram);
    if (fate == Fate::gone && ask_ == nullptr) { // a syslogd that was started anew is at the same place
        connection_ = connect_to_syslogd(path_);
        fate = send(datagram);
    }
    if (fate == Fate::sent)
        return say_what_was_lost();
    if (fate == Fate::lost || ask_ == nullptr) {
        ++lost_;
        return;
    }
    waiting_.push_back(std::move(datagram));
    if (waiting_.size() > kMaxWaiting) {
        waiting_.pop_front();
        ++lost_;
    }
    if (!std::exchange(is_asked_, true))
        ask_();
}

void SystemLog::give(UniqueFd connection)
{
    connection_ = std::move(connection);
    is_asked_ = false;
    for (std::string& datagram : std::exchange(waiting_, {}))
        deliver(std::move(datagram));
}

SystemLog::Fate SystemLog::send(const std::string& datagram)
{
    for (;;) {
        if (::send(connection_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
            may_wait_ = true;
            return Fate::sent;
        }
        if (errno == EINTR)
            continue;
        const bool is_full = errno == EAGAIN || errno == ENOBUFS;
        if (!is_full)
            return errno == EMSGSIZE ? Fate::lost : Fate::gone;
        pollfd ready{.fd = connection_.get(), .events = POLLOUT, .revents = 0};
        if (!std::exchange(may_wait_, false) || ::poll(&ready, 1, kPatienceMs) <= 0)
            return Fate::lost;
    }
}

void SystemLog::say_what_was_lost()
{
    const std::uint64_t lost = std::exchange(lost_, 0);
    if (lost == 0)
        return;
    const std::string note
        = header(LOG_WARNING) + fmt::format("{} log lines are missing here: syslogd did not take them", lost);
    if (send(note) != Fate::sent)
        lost_ = lost;
}

} // namespace safetp::log
