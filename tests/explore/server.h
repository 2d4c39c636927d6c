// The raw ftpd of the model: what it makes of the bytes that it is sent, which replies it may give to what it was asked, and
// who is really logged in there. Each of its replies names in its second word the command that it answers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::explore {

/// Commands that it answers alike are one.
enum class Asked : std::uint8_t { greeting, user, pass, acct, other, noop, quit, feat, type, epsv, pasv, port, transfer };
inline constexpr std::size_t kAskedKinds = 13;

/// Second word of the replies to it: "<pass>".
std::string_view tag_of(Asked asked);

enum class User : std::uint8_t { nobody, anna, anonymous, hidden }; ///< `hidden`: of a line's end that was cut off
std::string_view name_of(User user);

struct Question {
    Asked asked = Asked::greeting;
    User user = User::nobody; ///< of USER
};

/// What a raw ftpd reads in `text`, whole lines: one that is longer than `line_bytes` with its end is cut, and what was cut off
/// is read as another command.
std::vector<std::string> read_by_server(std::string_view text, std::size_t line_bytes);
Question understood_by_server(std::string_view command);

/// Who is logged in, as the raw ftpd sees it.
struct ServerLogin {
    enum class Step : std::uint8_t { none, user_given, done };
    Step step = Step::none;
    User user = User::nobody;
};

struct ServerReply {
    enum Login : std::uint8_t { any = 7, none = 1, user_given = 2, done = 4 };

    Asked asked;
    std::string_view text;    ///< without its end
    std::uint8_t when = any;  ///< it is said in these steps of the login
    bool may_be_long = false; ///< also as a reply of several lines

    int code() const { return (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'); }
    bool is_final() const { return text[0] != '1'; }
};
std::span<const ServerReply> server_replies();

/// What `reply` to `question` does to the login.
ServerLogin after_reply(const ServerLogin& before, const Question& question, int code);

inline constexpr std::uint16_t kEpsvPort = 50'001;  ///< in 229 to EPSV
inline constexpr std::uint16_t kPasvPort = 50'002;  ///< in 227 to PASV
inline constexpr std::uint16_t kOtherPort = 35'079; ///< in a reply to something else: nobody may dial it

} // namespace safetp::explore
