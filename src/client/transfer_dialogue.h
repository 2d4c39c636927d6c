// What the commands and replies of one transfer have told: how long the file is, and whether the server begins where it was
// asked to. Pure. Internal to client/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::client {

/// The number in `213 N`, and in nothing that only looks like it (RFC 3659 section 4.1): a wrong size is worse than none.
std::optional<std::int64_t> parse_size_reply(std::string_view line);

class TransferDialogue {
public:
    /// Lines without their line ends, in the order in which they went over the control connection.
    void sent(std::string_view line);
    void heard(std::string_view line);

    const std::string& last_reply() const { return last_reply_; }
    /// `heard` has just had the final reply to this command.
    bool has_answer_to(std::string_view verb) const { return answered_ == verb; }
    /// The server has said 150 or 125: until then nothing was left to come.
    bool has_transfer() const { return has_transfer_; }

    std::optional<std::int64_t> size() const { return size_; } ///< of the whole file, as SIZE said before the transfer
    /// Of what the transfer carries, as many servers write it behind their 150.
    std::optional<std::int64_t> size_in_150() const { return size_in_150_; }
    std::optional<std::int64_t> size_afterwards() const { return size_afterwards_; } ///< as SIZE said behind the transfer

private:
    std::string verb_{}; ///< of the last command
    std::string answered_{};
    std::string last_reply_{};
    bool has_transfer_ = false;
    std::optional<std::int64_t> size_{};
    std::optional<std::int64_t> size_in_150_{};
    std::optional<std::int64_t> size_afterwards_{};
};

} // namespace safetp::client
