// Reads the text of hosts.allow or hosts.deny rule by rule, as hosts_access(5) and hosts_options(5) describe it and as libwrap
// 7.6.q reads it: logical lines, comments, three fields.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace safetp::access {

/// Which meaning a table has. strict: libwrap's, to the bit. safe: differs only where libwrap's behaviour is a bug or lets
/// somebody in by accident; docs/hosts-access.md lists each case.
enum class Reading { safe, strict };

enum class TableName { allow, deny };

struct Rule {
    std::string daemons;   ///< first field
    std::string clients;   ///< second field
    std::string options;   ///< third field, unsplit
    bool has_options = false;
    unsigned line = 0;     ///< physical line of its last part, from 1
    std::size_t offset = 0; ///< where its logical line begins in the table
    std::string daemon_comment; ///< safe: what was taken off the list, from a # after a blank on
    std::string client_comment; ///< safe: the same
    bool had_mark = false;      ///< safe: a byte order mark stood before it

    bool had_comment() const { return !daemon_comment.empty() || !client_comment.empty(); }
};

struct RuleTrouble {
    enum class Kind {
        missing_colon,     ///< the line is skipped
        unfinished_line,   ///< missing newline or line too long: the rest of the table is dead
        nul_byte,          ///< safe: a line with a NUL in it; the rest of the table is dead
    } kind;
    unsigned line = 0;     ///< as libwrap counts it: lines ended so far
    bool only_newline_missing = false; ///< unfinished_line: it is the last line, and not too long
    bool is_rule = false;              ///< and as such it would be a rule: rule() has it
};

/// A logical line, its newline included, is shorter than this.
inline constexpr std::size_t kLineLimit = 2048;

/// Walks over one table. The text must outlive the reader. `offset` and `lines_before` continue where another reader stood.
class RuleReader {
public:
    enum class Item { rule, trouble, end };

    RuleReader(std::string_view text, Reading reading, std::size_t offset = 0, unsigned lines_before = 0);

    /// The next rule or trouble; comments and blank lines are passed over. After unfinished_line and nul_byte comes end.
    Item next();
    const Rule& rule() const { return rule_; }               ///< after Item::rule, until the next call; see is_rule
    const RuleTrouble& trouble() const { return trouble_; }  ///< after Item::trouble

    /// As if made anew for this place.
    void go_to(std::size_t offset, unsigned lines_before);
    bool is_dead() const { return dead_; }                   ///< after unfinished_line and nul_byte
    std::size_t item_offset() const { return item_offset_; } ///< where the logical line of the rule or trouble begins
    unsigned item_lines_before() const { return item_lines_before_; } ///< and how many lines ended before it

private:
    enum class Line { whole, unfinished, too_long, nul_byte, none };

    Line read_line();
    Line read_joined_line();
    Item report(RuleTrouble::Kind kind);
    bool split(std::string_view line, Rule& rule) const;

    std::string_view text_;
    Reading reading_;
    std::size_t position_;
    unsigned lines_;
    std::size_t item_offset_ = 0;
    unsigned item_lines_before_ = 0;
    bool dead_ = false;
    std::string joined_;        ///< a logical line that is not one piece of the text
    std::string_view line_;     ///< the logical line: in text_ or joined_
    Rule rule_;
    RuleTrouble trouble_{};
};

} // namespace safetp::access
