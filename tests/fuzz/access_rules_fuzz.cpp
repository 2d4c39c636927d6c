// Tables and patterns: whatever the text, the reader comes to its end, numbers its lines upwards and finds each rule again by
// its place; and a pattern matches or does not, in bounded time.
#include "access/net_pattern.h"
#include "access/rules.h"
#include "access/string_pattern.h"
#include "access/tables.h"
#include "fuzz/access_machine.h"

namespace {

using namespace safetp;
using access::Reading;
using access::RuleReader;
using fuzz::require;

void read_all(std::string_view text, Reading reading)
{
    RuleReader reader(text, reading);
    unsigned last_line = 0;
    std::size_t last_offset = 0;
    bool first = true;
    for (auto item = reader.next(); item != RuleReader::Item::end; item = reader.next()) {
        const bool is_rule = item == RuleReader::Item::rule;
        const unsigned line = is_rule ? reader.rule().line : reader.trouble().line;
        require(line >= last_line, "lines count upwards");
        require(first || reader.item_offset() > last_offset, "a rule stands behind the one before it");
        require(reader.item_offset() < text.size(), "a rule stands in the text");
        RuleReader again(text, reading, reader.item_offset(), reader.item_lines_before());
        require(again.next() == item, "a rule is found again by its place");
        if (is_rule)
            require(again.rule().line == line && again.rule().daemons == reader.rule().daemons
                    && again.rule().clients == reader.rule().clients && again.rule().options == reader.rule().options,
                "and is the same");
        last_line = line;
        last_offset = reader.item_offset();
        first = false;
        if (reader.is_dead())
            require(reader.next() == RuleReader::Item::end, "nothing follows what cannot be read");
    }
}

void match_patterns(std::string_view text)
{
    const std::string_view pattern = fuzz::take_until(text, '\n').substr(0, 2047);
    const std::string_view subject = fuzz::take_until(text, '\n').substr(0, 255);
    const bool matched = access::matches_text(pattern, subject);
    require(matched == access::matches_text(pattern, subject), "a pattern says the same twice");
    require(access::matches_text("ALL", subject), "ALL matches all");
    const std::size_t slash = pattern.find('/');
    if (slash == std::string_view::npos)
        return;
    for (const std::string_view address : {subject, std::string_view("10.1.2.3"), std::string_view("2001:db8::1")}) {
        access::matches_net(pattern.substr(0, slash), pattern.substr(slash + 1), address);
        for (const bool refusing : {false, true})
            access::matches_net_safely(pattern.substr(0, slash), pattern.substr(slash + 1), address, refusing);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text = fuzz::as_text(data, size);
    for (const Reading reading : {Reading::strict, Reading::safe}) {
        read_all(text, reading);
        for (const std::string& path : access::files_named_by_table(text, reading, {"ftpd"}))
            require(path.starts_with('/'), "files have absolute paths");
    }
    for (const std::string& path : access::files_named_by_pattern_file(text))
        require(path.starts_with('/'), "files have absolute paths");
    match_patterns(text);
    return 0;
}
