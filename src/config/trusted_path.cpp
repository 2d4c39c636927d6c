#include "config/trusted_path.h"

#include <cerrno>
#include <climits>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::config {

namespace {

constexpr int kMostLinks = 40; // as the kernel has it

bool is_trusted(uid_t user) { return user == 0 || user == ::geteuid(); }

std::string user_name(uid_t user)
{
    const passwd* const entry = ::getpwuid(user);
    return entry != nullptr ? fmt::format("user {}", entry->pw_name) : fmt::format("user number {}", user);
}

/// Somebody of the group who is neither root nor the caller. Empty: nobody.
std::string stranger_in(gid_t number)
{
    if (const group* const entry = ::getgrgid(number)) {
        for (char** name = entry->gr_mem; *name != nullptr; ++name) {
            const std::string member = *name;
            const passwd* const user = ::getpwnam(member.c_str());
            if (user != nullptr && !is_trusted(user->pw_uid))
                return member;
        }
    }
    std::string stranger;
    ::setpwent();
    while (const passwd* const user = ::getpwent()) {
        if (user->pw_gid == number && !is_trusted(user->pw_uid)) {
            stranger = user->pw_name;
            break;
        }
    }
    ::endpwent();
    return stranger;
}

std::string group_name(gid_t number)
{
    const group* const entry = ::getgrgid(number);
    return entry != nullptr ? entry->gr_name : fmt::format("number {}", number);
}

std::optional<std::string> judge(const std::string& place, const struct stat& status)
{
    if (!is_trusted(status.st_uid))
        return fmt::format("{} belongs to {}, who may change it: chown root {}", place, user_name(status.st_uid), place);
    const bool is_directory = S_ISDIR(status.st_mode);
    if (S_ISLNK(status.st_mode) || (is_directory && (status.st_mode & S_ISVTX) != 0))
        return {};
    if ((status.st_mode & S_IWOTH) != 0)
        return fmt::format("{} may be written by everybody: chmod o-w {}", place, place);
    if ((status.st_mode & S_IWGRP) == 0)
        return {};
    if (!is_directory)
        return fmt::format("{} may be written by its group: chmod g-w {}", place, place);
    if (const std::string stranger = stranger_in(status.st_gid); !stranger.empty())
        return fmt::format("{} may be written by the group {}, to which {} belongs: chmod g-w {}", place,
            group_name(status.st_gid), stranger, place);
    return {};
}

class Walk {
public:
    std::optional<std::string> go(std::string rest)
    {
        if (!rest.starts_with('/')) {
            char here[PATH_MAX];
            rest = fmt::format("{}/{}", ::getcwd(here, sizeof here) != nullptr ? here : "", rest);
        }
        auto problem = look("/");
        while (!problem && is_there_ && !rest.empty())
            problem = enter(take_name(rest), rest);
        return problem;
    }

private:
    static std::string take_name(std::string& rest)
    {
        rest.erase(0, rest.find_first_not_of('/'));
        const std::string name = rest.substr(0, rest.find('/'));
        rest.erase(0, name.size());
        return name;
    }

    std::optional<std::string> enter(const std::string& name, std::string& rest)
    {
        if (name.empty() || name == ".")
            return {};
        if (name == "..") {
            place_.erase(place_.rfind('/'));
            return {};
        }
        const std::string next = place_ + "/" + name;
        auto problem = look(next);
        if (problem || !is_link_) {
            place_ = next;
            return problem;
        }
        char target[PATH_MAX];
        const ssize_t length = ::readlink(next.c_str(), target, sizeof target);
        if (length < 0 || ++links_ > kMostLinks) {
            is_there_ = false;
            return {};
        }
        const std::string_view to(target, static_cast<std::size_t>(length));
        if (to.starts_with('/'))
            place_.clear();
        rest = fmt::format("{}/{}", to, rest);
        return {};
    }

    std::optional<std::string> look(const std::string& place)
    {
        struct stat status{};
        is_there_ = ::lstat(place.c_str(), &status) == 0;
        is_link_ = is_there_ && S_ISLNK(status.st_mode);
        return is_there_ ? judge(place, status) : std::nullopt;
    }

    std::string place_; ///< where we are, without links; empty: /
    bool is_there_ = true;
    bool is_link_ = false;
    int links_ = 0;
};

} // namespace

std::optional<std::string> find_distrust(const std::string& path) { return Walk().go(path); }

} // namespace safetp::config
