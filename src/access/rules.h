// Reads the text of hosts.allow or hosts.deny rule by rule, as hosts_access(5) and hosts_options(5) describe it and as libwrap
// 7.6.q reads it: logical lines, comments, three fields.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace safetp::access {

/// Which meaning a table has. strict: libwrap's, to the bit. safe: differs only where libwrap's behaviour is a bug or lets somebody in
/// by accident; docs/hosts-access.md lists each case.
enum class Reading { safe, strict };

enum class TableName { allow, deny };

struct Rule {
    std::string daemons;   ///< first field
    std::string clients;   ///< second field
    std::string options;   ///< third field, unsplit
    bool has_options = false;
    unsigned line = 0;     ///< physical line of its last part, from 1
    std::size_t offset = 0; ///< where its logical line begins in the table
};

struct RuleTrouble {
    enum class Kind {
        missing_colon,     ///< the line is skipped
        unfinished_line,   ///< missing newline or line too long: the rest of the table is dead
    } kind;
    unsigned line = 0;     ///< as libwrap counts it: lines ended so far
};

/// Walks over one table. The text must outlive the reader.
class RuleReader {
public:
    enum class Item { rule, trouble, end };

    RuleReader(std::string_view text, Reading reading, std::size_t offset = 0, unsigned lines_before = 0);

    /// The next rule or trouble; comments and blank lines are passed over. After unfinished_line comes end.
    Item next();
    const Rule& rule() const { return rule_; }               ///< after Item::rule, until the next call
    const RuleTrouble& trouble() const { return trouble_; }  ///< after Item::trouble

private:
    std::string_view text_;
    Reading reading_;
    std::size_t position_;
    unsigned lines_;
    Rule rule_;
    RuleTrouble trouble_{};
};

} // namespace safetp::access
