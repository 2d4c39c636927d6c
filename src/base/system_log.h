// The way to syslogd: datagrams to /dev/log as syslog(3) writes them. That function itself will not do for a daemon: it waits
// for as long as syslogd reads nothing, and with it every session; and it opens the way anew by a name that does not exist in
// the empty root directory of a worker.
#pragma once

#include "base/unique_fd.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace safetp::log {

inline constexpr const char* kSyslogSocket = "/dev/log";

/// Non-blocking and close-on-exec; -1, with errno, where nobody listens.
UniqueFd connect_to_syslogd(const char* path = kSyslogSocket);

class SystemLog {
public:
    static constexpr std::size_t kMaxWaiting = 200; ///< lines kept while a connection has been asked for; the newest stay

    explicit SystemLog(const char* path = kSyslogSocket) : path_(path) {}

    void open(int facility); ///< connects at once, for a later chroot; `facility` as in syslog(3)
    void close() { connection_.reset(); }
    int descriptor() const { return connection_.get(); } ///< -1: none
    void write(int severity, std::string_view line); ///< at most once in a while a tenth of a second, never longer

    /// This process cannot open the socket by its name any more: when syslogd has gone away `ask` is called, once until give().
    void ask_with(std::function<void()> ask) { ask_ = std::move(ask); }
    void give(UniqueFd connection); ///< of connect_to_syslogd(); the lines that wait go out

private:
    enum class Fate { sent, lost, gone };
    std::string header(int severity) const;
    void deliver(std::string datagram);
    Fate send(const std::string& datagram);
    void say_what_was_lost();

    const char* path_;
    int facility_ = 0;
    UniqueFd connection_;
    std::function<void()> ask_;
    bool is_asked_ = false;
    bool may_wait_ = true; ///< syslogd has read something since we last waited in vain
    std::uint64_t lost_ = 0;
    std::deque<std::string> waiting_;
};

} // namespace safetp::log
