// What the parts of lint.h share. Not for others.
#pragma once

#include "access/lint.h"
#include "access/string_pattern.h"
#include "access/text.h"
#include "base/ip_address.h"

#include <map>
#include <memory>
#include <string_view>
#include <utility>

namespace safetp::access {

/// Collects findings, at most kMaxPerFile for a file: the rest is a number.
class Findings {
public:
    static constexpr std::size_t kMaxPerFile = 500;

    void error(const std::string& file, unsigned line, std::string text)
    {
        add(Finding::Severity::error, file, line, std::move(text));
    }
    void warning(const std::string& file, unsigned line, std::string text)
    {
        add(Finding::Severity::warning, file, line, std::move(text));
    }
    void add(Finding::Severity severity, const std::string& file, unsigned line, std::string text);
    std::vector<Finding> take(const std::vector<std::string>& files_in_order);

private:
    struct OfFile {
        std::vector<Finding> findings;
        std::size_t left_out = 0;
        bool left_out_errors = false;
    };
    std::map<std::string, OfFile> files_;
};

/// Where a pattern or option stands.
struct Place {
    const std::string& file;
    unsigned line;
    TableName table;
    bool is_pattern_file = false;
};

/// One pass over both tables.
struct Linter {
    const TableFiles& files;
    const LintSettings& settings;
    Findings findings{};
    std::set<std::string> seen_pattern_files{};

    void error(const Place& place, std::string text) { findings.error(place.file, place.line, std::move(text)); }
    void warning(const Place& place, std::string text) { findings.warning(place.file, place.line, std::move(text)); }
    /// What libwrap does wrong and the safe reading does as it was meant: other daemons read the tables too.
    void error_in_strict(const std::string& file, unsigned line, const std::string& text);
    bool is_resident(std::string_view daemon) const;
};

// ---- text (lint_text.cpp) ----

void check_text(Linter& linter, TableName table, const std::string& path, std::string_view text);

// ---- words and lists (lint_words.cpp) ----

std::string shown(std::string_view text); ///< in quotes, controls escaped, cut to 60 bytes
bool is_word(std::string_view word, std::initializer_list<std::string_view> among);
std::string lower(std::string_view text);
std::vector<std::string_view> words_of(std::string_view list); ///< as libwrap separates a list: blanks and commas
std::vector<std::string_view> positive_words(const std::vector<std::string_view>& words); ///< those before EXCEPT
std::pair<std::string_view, std::string_view> split_at_sign(
    std::string_view word); ///< {before, host}; no @: {"", word} for clients
bool has_at_sign(std::string_view word);
/// Whether a daemon list can match this name at all: its patterns before EXCEPT.
bool may_concern(std::string_view daemons, std::string_view daemon);

// ---- daemon and client lists (lint_lists.cpp, lint_hosts.cpp, lint_files.cpp) ----

void check_daemons(Linter& linter, const Place& place, std::string_view list);
void check_clients(Linter& linter, const Place& place, std::string_view list);
enum class HostSide { client, server };
void check_host(Linter& linter, const Place& place, std::string_view pattern, HostSide side);
void check_pattern_file(Linter& linter, const Place& named_at, const std::string& path);

// ---- addresses (lint_networks.cpp) ----

/// A pattern that stands for addresses: net/mask, [v6], [v6]/n, 10.1., 10.1.2.3.
struct AddressPattern {
    std::optional<Network> network{}; ///< what it matches, where that is one block
    std::string error{};              ///< why it never matches, or matches far too much; empty: it does what it says
    std::string warning{};
    bool fails_in_safe = false; ///< the warning is an error in the safe reading, which does not guess
};
AddressPattern read_net_and_mask(std::string_view pattern);
AddressPattern read_bracketed(std::string_view pattern);
AddressPattern read_digits_and_dots(std::string_view pattern);
std::optional<Network> network_of(std::string_view pattern); ///< any of them, or none

// ---- options (lint_options.cpp) ----

std::vector<std::string> option_fields(std::string_view options); ///< split at ":" but not at "\:", trimmed
struct OptionWords {
    std::string name; ///< lower case
    std::string value;
};
OptionWords option_words(std::string_view field);
void check_options(Linter& linter, const Place& place, const Rule& rule);
/// The IPv6 address without brackets whose colons were taken for those between the fields; empty: none.
std::string bare_ipv6(const Rule& rule);

// ---- order (lint_order.cpp) ----

/// Rules that can never be reached, across both tables.
class OrderCheck {
public:
    explicit OrderCheck(Linter& linter);
    ~OrderCheck();
    void add(const Place& place, const Rule& rule); ///< in the order in which they are searched
    void finish();

private:
    struct State;
    Linter& linter_;
    std::unique_ptr<State> state_;
};

} // namespace safetp::access
