#include "access/rules.h"

#include "access/text.h"

namespace safetp::access {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank_line(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// The safe reading's: blanks may stand before the #.
bool is_comment(std::string_view line) { return trimmed(line).starts_with('#'); }

/// Takes a comment off the end of a list: from a `#` after a blank on. In options `#` is ordinary text: commands have it.
std::string take_comment(std::string& list)
{
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i] == '#' && (i == 0 || list[i - 1] == ' ' || list[i - 1] == '\t')) {
            std::string comment = list.substr(i);
            list.resize(i);
            return comment;
        }
    }
    return {};
}

} // namespace

RuleReader::RuleReader(std::string_view text, Reading reading, std::size_t offset, unsigned lines_before)
    : text_(text)
    , reading_(reading)
    , position_(std::min(offset, text.size()))
    , lines_(lines_before)
{
}

void RuleReader::go_to(std::size_t offset, unsigned lines_before)
{
    position_ = std::min(offset, text_.size());
    lines_ = lines_before;
    dead_ = false;
}

RuleReader::Item RuleReader::next()
{
    while (!dead_) {
        item_offset_ = position_;
        item_lines_before_ = lines_;
        const Line line = read_line();
        if (line == Line::none)
            break;
        if (line != Line::whole) {
            dead_ = true;
            trouble_.only_newline_missing = line == Line::unfinished;
            trouble_.is_rule = line == Line::unfinished && split(line_, rule_);
            return report(line == Line::nul_byte ? RuleTrouble::Kind::nul_byte : RuleTrouble::Kind::unfinished_line);
        }
        std::string_view text = line_;
        rule_.had_mark = false;
        if (reading_ == Reading::safe && item_offset_ == 0 && text.starts_with(kByteOrderMark)) {
            text.remove_prefix(kByteOrderMark.size());
            rule_.had_mark = true;
        }
        if (text.starts_with('#') || is_blank_line(text))
            continue;
        rule_.offset = item_offset_;
        rule_.line = lines_;
        if (split(text, rule_))
            return Item::rule;
        if (reading_ == Reading::safe && is_comment(text))
            continue;
        return report(RuleTrouble::Kind::missing_colon);
    }
    return Item::end;
}

RuleReader::Item RuleReader::report(RuleTrouble::Kind kind)
{
    trouble_.kind = kind;
    trouble_.line = lines_;
    return Item::trouble;
}

bool RuleReader::split(std::string_view line, Rule& rule) const
{
    const std::size_t first = find_outside_brackets(line, ':');
    if (first == std::string_view::npos)
        return false;
    rule.daemons = line.substr(0, first);
    line.remove_prefix(first + 1);
    const std::size_t second = find_outside_brackets(line, ':');
    rule.clients = line.substr(0, second);
    rule.has_options = second != std::string_view::npos;
    rule.options = rule.has_options ? line.substr(second + 1) : std::string_view();
    rule.daemon_comment = reading_ == Reading::safe ? take_comment(rule.daemons) : std::string();
    rule.client_comment = reading_ == Reading::safe ? take_comment(rule.clients) : std::string();
    return true;
}

/// Most lines are one physical line and are not copied.
RuleReader::Line RuleReader::read_line()
{
    const std::string_view rest = text_.substr(position_);
    if (rest.empty())
        return Line::none;
    const std::size_t end = rest.substr(0, kLineLimit - 1).find('\n');
    if (end == std::string_view::npos)
        return read_joined_line();
    line_ = rest.substr(0, end + 1);
    if (line_.find('\0') != std::string_view::npos || line_.ends_with("\\\n"))
        return read_joined_line();
    position_ += line_.size();
    ++lines_;
    return Line::whole;
}

/// libwrap's way, piece by piece as fgets(3) gives them to it: a NUL ends a piece for it, and hides the rest.
RuleReader::Line RuleReader::read_joined_line()
{
    joined_.clear();
    std::size_t room = kLineLimit;
    while (position_ < text_.size()) {
        std::string_view piece = text_.substr(position_, room - 1);
        piece = piece.substr(0, std::min(piece.find('\n'), piece.size() - 1) + 1);
        position_ += piece.size();
        if (const std::size_t nul = piece.find('\0'); nul != std::string_view::npos) {
            if (reading_ == Reading::safe)
                return Line::nul_byte;
            piece = piece.substr(0, nul);
        }
        if (piece.ends_with('\n')) {
            ++lines_;
            if (!piece.ends_with("\\\n")) {
                line_ = joined_.append(piece);
                return Line::whole;
            }
            piece.remove_suffix(2);
        }
        joined_ += piece;
        room -= piece.size();
        if (room == 1)
            return Line::too_long;
    }
    if (joined_.empty())
        return Line::none;
    if (reading_ == Reading::safe)
        joined_ += '\n'; // what comes after it relies on it
    line_ = joined_;
    return Line::unfinished;
}

} // namespace safetp::access
