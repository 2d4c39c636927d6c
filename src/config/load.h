// Reads safetpd.toml. All problems at once, each with its line and, for a misspelt key, the nearest known one.
#pragma once

#include "config/config.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::config {

inline constexpr const char* kDefaultPath = "/etc/safetp/safetpd.toml";
inline constexpr std::size_t kMaxFileBytes = 1u << 20;
inline constexpr std::size_t kMaxLineBytes = 1024; ///< of the file, so that no line nests deeper than the stack is high

struct Problem {
    enum class Severity { warning, error };
    Severity severity = Severity::error;
    std::string file;
    unsigned line = 0; ///< 0: the file as a whole
    std::string text;  ///< what is wrong and what to do; one line, control characters escaped

    std::string to_string() const; ///< file:line: error: text
    bool operator==(const Problem&) const = default;
};

/// Where each key that was given stands: "data.peer", "listener[0]", "listener[0].port" -> line, from 1.
using KeyLines = std::map<std::string, unsigned, std::less<>>;

struct Loaded {
    Config config;
    std::vector<Problem> problems; ///< in the order of their lines
    KeyLines lines;

    bool is_usable() const; ///< no errors; warnings may remain
};

/// Syntax, keys, types, ranges, and what contradicts itself. Touches no file but this one and services(5), opens no socket,
/// throws nothing but bad_alloc. A file that cannot be read is a problem like any other.
Loaded load(const std::string& path);
Loaded parse(std::string_view toml, const std::string& name); ///< the same for text at hand; `name` stands for the file

/// Every key as "greeting", "listener.port", "tls.certificates.key": what the documentation has to explain.
std::vector<std::string> known_keys();

/// A dead name server answers late: a daemon does not wait for it here.
enum class NameService { asked, left_alone };

/// What only this machine can tell of a usable configuration: files and their modes (a configuration that others may write is
/// an error), users, programs, host names, ports. May ask the name service. Whether a key fits its certificate is the tls
/// module's to say. With `lines` (Loaded::lines) the problems name their lines.
std::vector<Problem> check_machine(const Config& config, const std::string& file, const KeyLines& lines = {},
    NameService name_service = NameService::asked);

} // namespace safetp::config
