#include "client/netrc.h"

#include "base/unique_fd.h"
#include "client/server_name.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>

namespace safetp::client {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::array<std::string_view, 6> kKeywords{"machine", "default", "login", "password", "account", "macdef"};

bool is_keyword(std::string_view word) { return std::ranges::find(kKeywords, word) != kKeywords.end(); }

/// A word, and where it stands.
struct Word {
    std::string text{};
    std::size_t line = 0;
    bool is_quoted = false;
    bool is_whole = true; ///< false: its closing quote is missing
};

/// Gives one word after another. What a "#" means depends on where it stands, so the caller says what may stand there.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) { }

    /// Where a keyword may stand, a comment may, too.
    std::optional<Word> keyword()
    {
        for (;;) {
            skip_blanks();
            if (!rest_.starts_with('#'))
                return word();
            rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
        }
    }

    /// The value of a keyword: anything, also a password that begins with "#".
    std::optional<Word> value()
    {
        skip_blanks();
        return word();
    }

    /// A macro ends with an empty line.
    void skip_macro()
    {
        while (!rest_.empty()) {
            std::string_view line = take(std::min(rest_.find('\n') + 1, rest_.size() + 1) - 1);
            take(1);
            if (line.find_first_not_of(kBlanks) == std::string_view::npos)
                return;
        }
    }

private:
    std::string_view take(std::size_t count)
    {
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        line_ += static_cast<std::size_t>(std::ranges::count(taken, '\n'));
        return taken;
    }

    void skip_blanks() { take(rest_.find_first_not_of(kBlanks)); }

    std::optional<Word> word()
    {
        if (rest_.empty())
            return std::nullopt;
        return rest_.starts_with('"') ? quoted() : Word{.text = std::string(take(rest_.find_first_of(kBlanks))), .line = line_};
    }

    /// It ends on its line: a quote that is never closed does not swallow the entries behind it.
    Word quoted()
    {
        Word word{.line = line_, .is_quoted = true, .is_whole = false};
        std::size_t at = 1;
        for (; at < rest_.size() && rest_[at] != '\n' && !word.is_whole; ++at) {
            if (rest_[at] == '"') {
                word.is_whole = true;
                continue;
            }
            if (rest_[at] == '\\' && at + 1 < rest_.size() && rest_[at + 1] != '\n')
                ++at;
            word.text += rest_[at];
        }
        take(at);
        return word;
    }

    std::string_view rest_;
    std::size_t line_ = 1;
};

bool is_same_host(const std::string& entry, std::string_view host)
{
    const auto name = ServerName::make(entry, kFtpPort);
    return name && name->host == host;
}

/// Reads entry after entry. What is wrong with those of other machines is theirs.
class Reader {
public:
    Reader(std::string_view text, std::string_view host, std::string_view user) : words_(text), host_(host), user_(user) { }

    Result<std::optional<NetrcLogin>> find()
    {
        std::optional<Word> word = words_.keyword();
        while (word) {
            if (word->text == "machine" || word->text == "default") {
                if (is_found() || !complaint_.empty())
                    break;
                word = begin_entry(*word);
                continue;
            }
            word = read_part(*word);
        }
        if (!complaint_.empty())
            return fail(ErrorCode::bad_file, 0, complaint_);
        return is_found() ? std::optional(entry_) : std::nullopt;
    }

private:
    bool is_found() const { return is_for_us_ && !entry_.user.empty() && (user_.empty() || entry_.user == user_); }

    void complain(const Word& word, const std::string& what)
    {
        if (is_for_us_ && complaint_.empty())
            complaint_ = "line " + std::to_string(word.line) + ": " + what;
    }

    /// Gives the next keyword, as the other two do.
    std::optional<Word> begin_entry(const Word& keyword)
    {
        entry_ = {};
        is_for_us_ = keyword.text == "default";
        if (is_for_us_)
            return words_.keyword();
        const auto name = words_.value();
        is_for_us_ = name && is_same_host(name->text, host_);
        return words_.keyword();
    }

    std::optional<Word> read_part(const Word& keyword)
    {
        if (keyword.text == "macdef") {
            words_.skip_macro();
            return words_.keyword();
        }
        if (!is_keyword(keyword.text)) {
            complain(keyword, "neither a keyword nor the value of one: a value with blanks stands in double quotes");
            return words_.keyword();
        }
        return read_value(keyword);
    }

    std::optional<Word> read_value(const Word& keyword)
    {
        const auto value = words_.value();
        const bool is_missing = !value || (value->line > keyword.line && !value->is_quoted && is_keyword(value->text));
        if (is_missing) {
            complain(keyword, keyword.text + " has no value; an empty one is written \"\"");
            return value;
        }
        if (!value->is_whole)
            complain(*value, "the quote is not closed");
        if (keyword.text == "login")
            entry_.user = value->text;
        if (keyword.text == "password")
            entry_.password = value->text;
        return words_.keyword();
    }

    Words words_;
    std::string_view host_;
    std::string_view user_;
    NetrcLogin entry_;
    bool is_for_us_ = false;
    std::string complaint_;
};

} // namespace

Result<std::optional<NetrcLogin>> find_in_netrc(std::string_view text, std::string_view host, std::string_view user)
{
    return Reader(text, host, user).find();
}

std::string netrc_path()
{
    const char* const named = std::getenv("NETRC");
    const char* const home = std::getenv("HOME");
    if (named == nullptr && home == nullptr)
        return {};
    return named != nullptr ? named : std::string(home) + "/.netrc";
}

Result<std::string> read_netrc(const std::string& path)
{
    if (path.empty())
        return std::string{};
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
    while ((count = ::read(file.get(), buffer.data(), buffer.size())) > 0 && text.size() <= kMaxBytes)
        text.append(buffer.data(), static_cast<std::size_t>(count));
    if (count < 0)
        return fail(ErrorCode::bad_file, errno, path);
    if (text.size() > kMaxBytes)
        return fail(ErrorCode::bad_file, EFBIG, path);
    return text;
}

} // namespace safetp::client
