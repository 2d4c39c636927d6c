#include "wrapper/effects.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::wrapper {

namespace {

/// A client that does not read its banner must not keep the process for ever.
constexpr std::chrono::seconds kBannerTime{10};

int set_option(int fd, int option, const void* value, socklen_t length)
{
    return ::setsockopt(fd, SOL_SOCKET, option, value, length) == 0 ? 0 : errno;
}

bool is_root_again() { return ::setuid(0) == 0 || ::geteuid() == 0; }

} // namespace

int Effects::apply(const access::Effect& effect)
{
    return std::visit([this](const auto& one) { return apply_one(one); }, effect);
}

int Effects::apply_one(const access::ApplyKeepalive&) const
{
    const int on = 1;
    return set_option(connection_, SO_KEEPALIVE, &on, sizeof on);
}

int Effects::apply_one(const access::ApplyLinger& linger) const
{
    const ::linger value{linger.seconds > 0, linger.seconds};
    return set_option(connection_, SO_LINGER, &value, sizeof value);
}

int Effects::apply_one(const access::ApplyUmask& mask) const
{
    ::umask(static_cast<mode_t>(mask.mask));
    return 0;
}

int Effects::apply_one(const access::ApplyNice& nice) const
{
    errno = 0; // -1 is a good answer of nice(2)
    return ::nice(nice.increment) == -1 ? errno : 0;
}

int Effects::apply_one(const access::ApplySetenv& variable) const
{
    return ::setenv(variable.name.c_str(), variable.value.c_str(), 1) == 0 ? 0 : errno;
}

int Effects::apply_one(const access::ApplyUser& user)
{
    int error = user.group.empty() ? 0 : become_group(user.group, user.check_only);
    if (error == 0)
        error = become_user(user.user, user.check_only);
    identity_failed_ = identity_failed_ || (error != 0 && !user.check_only);
    return error;
}

int Effects::apply_one(const access::ApplyGroup& group)
{
    const int error = become_group(group.group, group.check_only);
    identity_failed_ = identity_failed_ || (error != 0 && !group.check_only);
    return error;
}

/// The supplementary groups go too: what root's groups may do, the named group need not.
int Effects::become_group(const std::string& name, bool check_only)
{
    const group* entry = ::getgrnam(name.c_str());
    if (entry == nullptr)
        return ENOENT;
    const gid_t gid = entry->gr_gid;
    if (check_only)
        return 0;
    if (::setgroups(1, &gid) != 0 || ::setresgid(gid, gid, gid) != 0)
        return errno;
    group_ = gid;
    return 0;
}

/// Groups first, while there is still the right to set them.
int Effects::become_user(const std::string& name, bool check_only)
{
    const passwd* entry = ::getpwnam(name.c_str());
    if (entry == nullptr)
        return ENOENT;
    const uid_t uid = entry->pw_uid;
    const gid_t gid = group_.value_or(entry->pw_gid);
    if (check_only)
        return 0;
    if (::initgroups(name.c_str(), gid) != 0 || ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0)
        return errno;
    return uid != 0 && is_root_again() ? EPERM : 0;
}

int Effects::apply_one(const access::SendBanner& banner) const
{
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + kBannerTime;
    for (std::string_view rest = banner.text; !rest.empty();) {
        const ssize_t count = ::send(connection_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(count));
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{connection_, POLLOUT, 0};
        if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) == 0)
            return ETIMEDOUT;
    }
    return 0;
}

} // namespace safetp::wrapper
