// Collects the problems of one file, and the lines of its keys for checks that come after reading.
#pragma once

#include "config/load.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace safetp::config {

class Report {
public:
    explicit Report(std::string file, KeyLines lines = {}) : file_(std::move(file)), lines_(std::move(lines)) {}

    /// The keys of this kind of file, for suggestions.
    using KnownKeys = std::vector<std::string> (*)();
    void use_keys(KnownKeys known) { keys_ = known; }
    std::vector<std::string> keys() const { return keys_(); }

    void error(unsigned line, std::string text) { add(Problem::Severity::error, line, std::move(text)); }
    void warning(unsigned line, std::string text) { add(Problem::Severity::warning, line, std::move(text)); }

    void note_key(const std::string& path, unsigned line) { lines_[path] = line; }
    void note_refused(const std::string& path) { refused_.insert(path); }
    bool is_given(std::string_view path) const { return lines_.find(path) != lines_.end(); }
    bool is_refused(std::string_view path) const { return refused_.find(path) != refused_.end(); } ///< the default stands in
    unsigned line_of(std::string_view path) const; ///< 0: not given

    /// Sorted by line; those of one line in the order they were found.
    std::vector<Problem> take_problems() { return std::move(problems_); }
    KeyLines take_lines() { return std::move(lines_); }

private:
    void add(Problem::Severity severity, unsigned line, std::string text);

    std::string file_;
    KnownKeys keys_ = known_keys;
    KeyLines lines_;
    std::set<std::string, std::less<>> refused_;
    std::vector<Problem> problems_;
};

/// "text" in quotes for a message: control characters as \xNN, cut to 60 bytes.
std::string in_quotes(std::string_view text);

} // namespace safetp::config
