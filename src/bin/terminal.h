// Talking with the person at the terminal, if there is one.
#pragma once

#include "client/transfer.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace safetp::bin {

/// There is somebody to ask: standard error is a terminal and this process has one (/dev/tty).
bool has_person();

/// Asks until the answer is yes or no; the end of the input is no.
bool ask_yes_or_no(const std::string& question);

/// Without echo; nothing: nobody is there, or the input ended.
std::optional<std::string> ask_password(const std::string& prompt);

/// One line on stderr: "safetp: ...".
void say(std::string_view text);

/// Control characters as ?, so that a listing cannot play with the terminal.
std::string printable(std::string_view text);

/// A line on stderr that is drawn over and over; nothing unless that is a terminal.
class ProgressLine {
public:
    ProgressLine(std::string name, bool is_wanted);
    ProgressLine(const ProgressLine&) = delete;
    ~ProgressLine(); ///< clears the line
    void show(const client::Progress& progress);

private:
    std::string name_;
    bool is_shown_;
    bool is_drawn_ = false;
    std::optional<std::int64_t> first_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace safetp::bin
