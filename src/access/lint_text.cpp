// The text of a table before it is a list of rules: lines, their ends, comments, bytes that editors hide.
#include "access/lint_parts.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::access {

namespace {

constexpr std::size_t kLongestLine = 2046; ///< libwrap's buffer without newline and NUL; continued lines count as one

std::string dead_from_here(TableName table)
{
    return table == TableName::deny ? "libwrap denies everybody whom no rule before it has decided about"
                                    : "libwrap reads neither this line nor what follows";
}

/// Walks over the physical lines.
class TextCheck {
public:
    TextCheck(Linter& linter, TableName table, const std::string& path, std::string_view text)
        : linter_(linter)
        , table_(table)
        , path_(path)
        , text_(text)
    {
    }

    void check();

private:
    void check_line(std::string_view line);
    void check_controls(std::string_view line);
    void check_end(std::string_view line);
    void check_continued(std::string_view line);
    std::string_view next_line() const; ///< the physical line after this one
    bool has_next_line() const { return position_ < text_.size(); }
    void error(std::string text) { linter_.findings.error(path_, number_, std::move(text)); }
    void warning(std::string text) { linter_.findings.warning(path_, number_, std::move(text)); }

    Linter& linter_;
    TableName table_;
    const std::string& path_;
    std::string_view text_;
    std::size_t position_ = 0; ///< behind the line at hand
    unsigned number_ = 0;
    bool is_ended_ = true; ///< the line at hand has its newline
    bool is_continuation_ = false;
    bool is_comment_ = false;
    bool was_too_long_ = false;
    std::size_t joined_bytes_ = 0;
    unsigned first_with_cr_ = 0;
};

std::string_view TextCheck::next_line() const
{
    const std::string_view rest = text_.substr(std::min(position_, text_.size()));
    return rest.substr(0, rest.find('\n'));
}

void TextCheck::check()
{
    while (has_next_line()) {
        const std::string_view line = next_line();
        position_ += line.size();
        is_ended_ = position_ < text_.size();
        position_ += is_ended_ ? 1 : 0;
        ++number_;
        check_line(line);
    }
    if (first_with_cr_ != 0)
        linter_.findings.warning(path_, first_with_cr_,
            "lines end in CR LF here: a backslash then continues nothing, and the CR becomes a "
            "part of commands; write the file with LF alone");
}

void TextCheck::check_line(std::string_view line)
{
    if (!is_continuation_) {
        is_comment_ = line.starts_with('#');
        joined_bytes_ = 0;
    } else if (line.starts_with('#') && !is_comment_) {
        error("the line before ends in a backslash, so this # begins no comment: its words belong to the rule; take one of "
              "them out");
    }
    if (number_ == 1 && line.starts_with("\xef\xbb\xbf"))
        error("the file begins with a byte order mark, which becomes a part of the first word, so that the first rule never "
              "matches (the "
              "safe reading uses it only where it refuses): write it without");
    else if (number_ == 1 && (line.starts_with("\xff\xfe") || line.starts_with("\xfe\xff")))
        error("the file is UTF-16, of which no rule is understood: write it as ASCII");
    check_controls(line);
    check_end(line);
    if (!line.empty() && line.back() == '\r' && first_with_cr_ == 0)
        first_with_cr_ = number_;
    const bool is_joined = is_ended_ && line.ends_with('\\');
    joined_bytes_ += line.size() - (is_joined ? 1 : 0);
    if (joined_bytes_ > kLongestLine && !was_too_long_) {
        was_too_long_ = true;
        error(fmt::format(
            "the line has more than {} bytes, continued ones counted together: {}; make several rules of it, or put the "
            "patterns into a file and name that",
            kLongestLine, dead_from_here(table_)));
    }
    if (is_joined)
        check_continued(line);
    is_continuation_ = is_joined;
}

void TextCheck::check_controls(std::string_view line)
{
    if (line.find('\0') != std::string_view::npos)
        return error("a NUL byte hides the rest of the line and glues the next one to it: take it out");
    const auto is_odd = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r') || c == 0x7f; };
    const auto odd = std::ranges::find_if(line, is_odd);
    if (odd != line.end() && !is_comment_)
        error(fmt::format("the control character {} separates nothing and becomes a part of its word: take it out",
            shown(std::string_view(&*odd, 1))));
}

void TextCheck::check_end(std::string_view line)
{
    if (!is_ended_)
        return error(fmt::format("the last line has no newline at its end: {}; add one", dead_from_here(table_)));
    const std::size_t last = line.find_last_not_of(" \t\r");
    if (!is_comment_ && last != std::string_view::npos && line[last] == '\\' && last + 1 < line.size())
        error("blanks or a CR follow the backslash, so it does not continue the line and is a part of it: take them out");
}

void TextCheck::check_continued(std::string_view line)
{
    if (!has_next_line())
        return error(
            fmt::format("a backslash continues the last line, and nothing follows: {}; take it out", dead_from_here(table_)));
    const std::string_view next = next_line();
    if (is_comment_) {
        const std::string_view words = trimmed(next);
        const std::string text
            = fmt::format("the comment ends in a backslash, so the next line belongs to it{}; take the backslash out",
                words.empty() || words.starts_with('#') ? "" : " and is no rule");
        return words.empty() || words.starts_with('#') ? warning(text) : error(text);
    }
    if (line.ends_with("\\\\"))
        return warning("of two backslashes at the end one continues the line and the other stays in it: write one");
    constexpr std::string_view kBetween = " \t,:\r";
    const bool is_glued = line.size() > 1 && kBetween.find(line[line.size() - 2]) == std::string_view::npos && !next.empty()
        && kBetween.find(next.front()) == std::string_view::npos;
    if (is_glued)
        warning("continued lines are joined without a blank, so the last word here and the first of the next line become one: "
                "write a blank "
                "or comma before the backslash");
}

} // namespace

void check_text(Linter& linter, TableName table, const std::string& path, std::string_view text)
{
    TextCheck(linter, table, path, text).check();
}

} // namespace safetp::access
