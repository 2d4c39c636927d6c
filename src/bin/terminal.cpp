#include "bin/terminal.h"

#include "base/unique_fd.h"
#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

UniqueFd open_terminal() { return UniqueFd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)); }

void print(int fd, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno != EINTR)
            return;
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
}

std::optional<std::string> read_line(int fd)
{
    std::string line;
    for (char byte = 0;;) {
        const ssize_t count = ::read(fd, &byte, 1);
        if (count <= 0)
            return std::nullopt;
        if (byte == '\n')
            return line;
        line += byte;
    }
}

/// Turns the echo off, and back on however the question ends.
class SilentTerminal {
public:
    explicit SilentTerminal(int fd) : fd_(fd), is_set_(::tcgetattr(fd, &before_) == 0)
    {
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        is_set_ = is_set_ && ::tcsetattr(fd, TCSAFLUSH, &silent) == 0;
    }
    SilentTerminal(const SilentTerminal&) = delete;
    ~SilentTerminal()
    {
        if (is_set_)
            ::tcsetattr(fd_, TCSAFLUSH, &before_);
    }
    bool is_silent() const { return is_set_; }

private:
    int fd_;
    termios before_{};
    bool is_set_;
};

std::string size_text(double bytes)
{
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit)
        bytes /= 1024;
    return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string bar(double part)
{
    constexpr std::size_t kWidth = 24;
    const auto filled = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * kWidth);
    return "[" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "]";
}

} // namespace

bool has_person() { return ::isatty(STDERR_FILENO) == 1 && static_cast<bool>(open_terminal()); }

bool ask_yes_or_no(const std::string& question)
{
    const UniqueFd terminal = open_terminal();
    if (!terminal)
        return false;
    print(terminal.get(), question + " (yes/no)? ");
    for (;;) {
        const auto answer = read_line(terminal.get());
        if (!answer || *answer == "no")
            return false;
        if (*answer == "yes")
            return true;
        print(terminal.get(), "Please type yes or no: ");
    }
}

std::optional<std::string> ask_password(const std::string& prompt)
{
    const UniqueFd terminal = open_terminal();
    if (!terminal)
        return std::nullopt;
    const SilentTerminal silent(terminal.get());
    if (!silent.is_silent())
        return std::nullopt;
    print(terminal.get(), prompt);
    auto password = read_line(terminal.get());
    print(terminal.get(), "\n");
    return password;
}

void say(std::string_view text)
{
    const char* const over_progress = ::isatty(STDERR_FILENO) == 1 ? "\r\x1b[K" : "";
    print(STDERR_FILENO, fmt::format("{}safetp: {}\n", over_progress, text));
}

std::string printable(std::string_view text)
{
    std::string result;
    while (!text.empty()) {
        const CodePoint next = next_code_point(text);
        const bool is_layout = text.front() == '\n' || text.front() == '\t';
        if (next.is_printable || is_layout)
            result.append(text.substr(0, next.bytes));
        else if (text.front() != '\r')
            result += '?';
        text.remove_prefix(next.bytes);
    }
    return result;
}

ProgressLine::ProgressLine(std::string name, bool is_wanted)
    : name_(printable(name))
    , is_shown_(is_wanted && ::isatty(STDERR_FILENO) == 1)
{
}

ProgressLine::~ProgressLine()
{
    if (is_drawn_)
        print(STDERR_FILENO, "\r\x1b[K");
}

void ProgressLine::show(const client::Progress& progress)
{
    if (!is_shown_)
        return;
    if (!first_)
        first_ = progress.done;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    const double speed = elapsed.count() > 0 ? static_cast<double>(progress.done - *first_) / elapsed.count() : 0;
    const auto done = static_cast<double>(progress.done);
    const auto total = static_cast<double>(progress.total);
    std::string line = "\r" + name_ + " ";
    if (progress.total > 0)
        line += fmt::format("{} {:3.0f}% ", bar(done / total), 100 * std::min(done / total, 1.0));
    line += fmt::format("{}  {}/s", size_text(done), size_text(speed));
    if (progress.total > progress.done && speed > 0)
        line += fmt::format("  {:.0f} s left", (total - done) / speed);
    print(STDERR_FILENO, line + "\x1b[K");
    is_drawn_ = true;
}

} // namespace safetp::bin
