// Reads safetpd.toml. All problems at once, each with its line and, for a misspelt key, the nearest known one.
#pragma once

#include "config/config.h"

#include <string>
#include <vector>

namespace safetp::config {

struct Problem {
    enum class Severity { warning, error };
    Severity severity = Severity::error;
    std::string file;
    unsigned line = 0; ///< 0: the file as a whole
    std::string text;  ///< what is wrong and what to do

    std::string to_string() const; ///< file:line: error: text
};

struct Loaded {
    Config config;
    std::vector<Problem> problems;

    bool is_usable() const; ///< no errors; warnings may remain
};

/// Syntax, keys, types, ranges, and what contradicts itself. Touches no file but this one and opens no socket.
Loaded load(const std::string& path);
Loaded parse(std::string_view toml, const std::string& name); ///< the same for text at hand

/// What only this machine can tell: certificates readable and fitting their keys, users, programs, names, file modes
/// (a file that others may write is an error).
std::vector<Problem> check_machine(const Config& config, const std::string& file);

} // namespace safetp::config
