#include "client/netrc.h"

#include "base/unique_fd.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>

namespace safetp::client {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

/// Gives one word after another; comments are skipped.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) { }

    std::optional<std::string> next()
    {
        for (;;) {
            rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
            if (rest_.empty())
                return std::nullopt;
            if (rest_.front() != '#')
                return rest_.front() == '"' ? quoted() : bare();
            rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
        }
    }

    /// A macro ends with an empty line.
    void skip_macro()
    {
        const std::size_t end = rest_.find("\n\n");
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
    }

private:
    std::string bare()
    {
        const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\r\n"));
        rest_.remove_prefix(word.size());
        return std::string(word);
    }

    std::string quoted()
    {
        std::string word;
        std::size_t at = 1;
        for (; at < rest_.size() && rest_[at] != '"'; ++at) {
            if (rest_[at] == '\\' && at + 1 < rest_.size())
                ++at;
            word += rest_[at];
        }
        rest_.remove_prefix(std::min(at + 1, rest_.size()));
        return word;
    }

    std::string_view rest_;
};

bool is_same_host(const std::string& entry, std::string_view host)
{
    return entry.size() == host.size() && ::strncasecmp(entry.data(), host.data(), host.size()) == 0;
}

} // namespace

std::optional<NetrcLogin> find_in_netrc(std::string_view text, std::string_view host, std::string_view user)
{
    Words words(text);
    NetrcLogin entry;
    bool is_for_us = false;
    const auto fits = [&] { return is_for_us && (user.empty() || entry.user == user) && !entry.user.empty(); };
    while (const auto word = words.next()) {
        if (*word == "machine" || *word == "default") {
            if (fits())
                return entry;
            entry = {};
            is_for_us = *word == "default" || is_same_host(words.next().value_or(""), host);
        } else if (*word == "login") {
            entry.user = words.next().value_or("");
        } else if (*word == "password") {
            entry.password = words.next().value_or("");
        } else if (*word == "account") {
            words.next();
        } else if (*word == "macdef") {
            words.skip_macro();
        }
    }
    return fits() ? std::optional(entry) : std::nullopt;
}

Result<std::string> read_netrc()
{
    const char* const named = std::getenv("NETRC");
    const char* const home = std::getenv("HOME");
    if (named == nullptr && home == nullptr)
        return std::string{};
    const std::string path = named != nullptr ? named : std::string(home) + "/.netrc";
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file)
        return errno == ENOENT ? Result<std::string>(std::string{}) : fail(ErrorCode::bad_file, errno, path);
    struct stat status { };
    if (::fstat(file.get(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, path);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return fail(ErrorCode::bad_file, 0, path + " holds passwords but others may read it: chmod 600 it");
    std::string text;
    std::array<char, 4096> buffer{};
    ssize_t count = 0;
    while ((count = ::read(file.get(), buffer.data(), buffer.size())) > 0 && text.size() < kMaxBytes)
        text.append(buffer.data(), static_cast<std::size_t>(count));
    if (count < 0)
        return fail(ErrorCode::bad_file, errno, path);
    return text;
}

} // namespace safetp::client
