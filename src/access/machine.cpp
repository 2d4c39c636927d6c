#include "access/machine.h"

#include "access/facts.h"
#include "access/index.h"
#include "access/net_pattern.h"
#include "access/string_pattern.h"
#include "access/text.h"

#include <fmt/core.h>

namespace safetp::access {

namespace {

constexpr std::size_t kLibraryStringLength = 127; // libwrap's arrays of 128

/// What libwrap's fixed arrays keep of the texts.
void cut_texts(Request& request)
{
    for (std::string* text : {&request.daemon, &request.client_address, &request.server_address})
        text->resize(std::min(text->size(), kLibraryStringLength));
    for (auto* text : {&request.client_name, &request.server_name, &request.client_user}) {
        if (*text)
            (*text)->resize(std::min((*text)->size(), kLibraryStringLength));
    }
}

Request prepared(Request request, Reading reading)
{
    if (reading == Reading::strict)
        cut_texts(request);
    for (std::string* address : {&request.client_address, &request.server_address}) {
        if (address->empty())
            *address = kUnknown;
    }
    for (auto* text : {&request.client_name, &request.server_name, &request.client_user}) {
        if (*text && (*text)->empty())
            *text = kUnknown;
    }
    if (!request.has_endpoints) {
        request.server_address = kUnknown;
        request.client_port = request.server_port = std::nullopt;
    }
    return request;
}

/// Whether one more word of the list would take back what matched.
bool ends_in_exception(std::string_view list)
{
    bool is_exception = false;
    Words words(list);
    for (std::string_view word = words.next(); !word.empty(); word = words.next())
        is_exception = is_exception != equal_ignoring_case(word, "EXCEPT");
    return is_exception;
}

std::string_view name_of(TableName table) { return table == TableName::allow ? "hosts.allow" : "hosts.deny"; }

} // namespace

Evaluation::Machine::Machine(const Tables& tables, Request request, Settings settings)
    : image_(tables.image())
    , request_(prepared(std::move(request), tables.reading()))
    , settings_(settings)
    , state_(tables.reading() == Reading::strict && settings.state != nullptr ? settings.state : &own_state_)
    , matcher_(image_, request_, journal_)
    , reader_({}, tables.reading())
{
    if (state_->rfc931_seconds != LibraryState{}.rfc931_seconds)
        matcher_.ident_seconds = state_->rfc931_seconds;
}

Step Evaluation::Machine::run()
{
    for (;;) {
        MaybeStep step = phase_ == Phase::open ? open_table() : phase_ == Phase::search ? search() : run_options();
        if (step)
            return *step;
    }
}

void Evaluation::Machine::learn(const std::string& value)
{
    if (!asked_)
        return;
    std::string kept = value;
    if (!safe())
        kept.resize(std::min(kept.size(), kLibraryStringLength));
    set_fact(request_, *asked_, kept);
    if (kept.size() > kLibraryStringLength)
        journal_.note(Report{
            "err", journal_.located("warning", "a name of more than 127 bytes: libwrap would compare its beginning only")});
    if (journal_.tracing()) {
        constexpr const char* kNames[] = {"client_name", "client_user", "server_name"};
        journal_.note(Trace{Trace::Kind::lookup, position(), kNames[static_cast<int>(*asked_)], is_good_name(kept), kept});
    }
    asked_.reset();
    if (phase_ == Phase::search)
        journal_.again();
}

void Evaluation::Machine::answer_netgroup(bool member)
{
    matcher_.answer_netgroup(member);
    journal_.again();
}

Evaluation::Machine::MaybeStep Evaluation::Machine::open_table()
{
    const auto state = image_.state(table_);
    journal_.begin();
    journal_.stand_at(state_->context_file, state_->context_line);
    if (state == FileText::State::unreadable || (safe() && state == FileText::State::directory)) {
        journal_.warn(fmt::format("cannot open {}: {}", image_.path(table_),
            state == FileText::State::directory ? "it is a directory" : system_text(image_.os_error(table_))));
        if (safe() || table_ == TableName::deny)
            return finish(Outcome::denied, false);
        return end_of_table();
    }
    reader_ = RuleReader(image_.table_text(table_), image_.reading());
    choose_candidates();
    journal_.stand_at(std::string(image_.path(table_)), 0);
    phase_ = Phase::search;
    return std::nullopt;
}

void Evaluation::Machine::choose_candidates()
{
    next_item_ = next_ordinary_ = 0;
    item_read_ = false;
    hit_.reset();
    const auto client = client_key(request_.client_address);
    every_item_ = !client || journal_.tracing();
    if (every_item_)
        return;
    const auto groups = image_.groups(table_);
    const auto is_wanted
        = [&](std::uint32_t group) { return matcher_.match_daemons(image_.text(groups[group])) == Match::yes; };
    if (const auto found = find_in_index(image_, image_.runs(table_), *client, is_wanted))
        hit_ = *found;
}

/// The next item that may matter, from next_item_ on.
std::optional<std::size_t> Evaluation::Machine::next_candidate()
{
    // A name that is itself an IPv6 address matches bracketed addresses, which the index compares with the client's address
    // only
    if (!every_item_ && request_.client_name && parse_ipv6(*request_.client_name))
        every_item_ = true;
    if (every_item_)
        return next_item_ < image_.items(table_).size() ? std::optional(next_item_) : std::nullopt;
    const auto ordinary = image_.ordinary(table_);
    while (next_ordinary_ < ordinary.size() && ordinary[next_ordinary_] < next_item_)
        ++next_ordinary_;
    std::optional<std::size_t> next = hit_ && *hit_ >= next_item_ ? hit_ : std::nullopt;
    if (next_ordinary_ < ordinary.size() && (!next || ordinary[next_ordinary_] < *next))
        next = ordinary[next_ordinary_];
    return next;
}

/// Has reader_ read the item; false: a line that is passed over.
bool Evaluation::Machine::read_candidate()
{
    const image::Item item = image_.items(table_)[next_item_];
    reader_.go_to(item.offset, item.lines_before);
    const auto kind = reader_.next();
    journal_.begin();
    if (kind == RuleReader::Item::rule) {
        journal_.move_to(reader_.rule().line);
        return true;
    }
    journal_.move_to(reader_.trouble().line);
    if (reader_.trouble().kind != RuleTrouble::Kind::missing_colon)
        return true;
    journal_.warn("missing \":\" separator");
    return false;
}

Evaluation::Machine::MaybeStep Evaluation::Machine::search()
{
    while (const auto candidate = next_candidate()) {
        next_item_ = *candidate;
        const bool waited = std::exchange(item_read_, false);
        if (waited || read_candidate()) {
            if (reader_.is_dead())
                return handle_trouble();
            const Match match = matcher_.match(reader_.rule(), table_);
            if (match == Match::yes && !is_spoilt(reader_.rule()) && !is_excepted_by_comment(reader_.rule()))
                return handle_match();
            if (match == Match::crash)
                return finish(Outcome::exited, true);
            if (match == Match::pending)
                return wait_for_answer();
            if (match == Match::no && is_refused_by_comment(reader_.rule()))
                return handle_match();
            trace_rule(reader_.rule(), false);
        }
        ++next_item_;
    }
    return end_of_table();
}

Evaluation::Machine::MaybeStep Evaluation::Machine::wait_for_answer()
{
    item_read_ = true;
    if (const auto* group = std::get_if<AskNetgroup>(&matcher_.pending()))
        return *group;
    const LookUp& look_up = std::get<LookUp>(matcher_.pending());
    asked_ = look_up.fact;
    return look_up;
}

void Evaluation::Machine::trace_rule(const Rule& rule, bool matched)
{
    if (journal_.tracing())
        journal_.trace({Trace::Kind::rule, position(), rule.daemons + ":" + rule.clients, matched, ""});
}

/// The rest of the table cannot be used. safe: what it says is not known, and so nobody is let in; but a last line of
/// hosts.allow that lacks its newline is left out, as libwrap does, unless it would refuse somebody.
Evaluation::Machine::MaybeStep Evaluation::Machine::handle_trouble()
{
    journal_.move_to(reader_.trouble().line);
    const bool nul = reader_.trouble().kind == RuleTrouble::Kind::nul_byte;
    journal_.warn(nul ? "NUL byte in the line" : "missing newline or line too long");
    const bool is_left_out = table_ == TableName::allow && (!safe() || is_harmless_end());
    const bool is_as_ever = is_left_out || !safe();
    journal_.warn(is_as_ever ? "all the subsequent rules will be ignored" : "nobody is let in while the table is broken");
    return is_left_out ? end_of_table() : finish(Outcome::denied, false);
}

/// Whether the trouble is only that the last line has no newline, and leaving it out refuses nobody less.
bool Evaluation::Machine::is_harmless_end() const
{
    const RuleTrouble& trouble = reader_.trouble();
    return trouble.only_newline_missing && !(trouble.is_rule && refuses(reader_.rule(), table_));
}

Evaluation::Machine::MaybeStep Evaluation::Machine::handle_match()
{
    rule_ = reader_.rule();
    matched_ = position();
    trace_rule(rule_, true);
    if (!rule_.has_options)
        return finish(table_ == TableName::allow ? Outcome::granted : Outcome::denied, false);
    if (safe())
        rule_failed_ = false;
    fields_ = split_options(rule_.options);
    field_ = 0;
    option_parsed_ = false;
    phase_ = Phase::options;
    return std::nullopt;
}

/// safe: a rule behind a byte order mark never matches in libwrap, for its first daemon has an odd name. It may refuse, no
/// more.
bool Evaluation::Machine::is_spoilt(const Rule& rule)
{
    if (!rule.had_mark)
        return false;
    const bool spoilt = !refuses(rule, table_);
    journal_.warn(spoilt ? "a byte order mark stands before this rule: it is not used"
                         : "the byte order mark before this rule is passed over");
    return spoilt;
}

/// safe, of a rule that matches: libwrap takes the words of a comment for patterns, and may take the match back by them where
/// they stand behind EXCEPT. Only what can be told without asking anybody counts. True: the rule would let in, and does not.
bool Evaluation::Machine::is_excepted_by_comment(const Rule& rule)
{
    if (!rule.had_comment())
        return false;
    const bool is_excepted = (ends_in_exception(rule.daemons) && matcher_.match_daemons(rule.daemon_comment) == Match::yes)
        || (ends_in_exception(rule.clients) && matcher_.match_what_is_told(rule.client_comment));
    const bool is_left_out = is_excepted && !refuses(rule, table_);
    journal_.warn(is_left_out ? "what stands behind # is no comment to libwrap, and takes the match back"
                              : "what stands behind # is taken for a comment");
    return is_left_out;
}

/// safe, of a rule that does not match: libwrap takes the words of a comment for patterns, and may let the rule match by them.
/// Only what can be told without asking anybody counts. True: the rule refuses, and does so here too.
bool Evaluation::Machine::is_refused_by_comment(const Rule& rule)
{
    if (!rule.had_comment() || matcher_.match_daemons(rule.daemons + rule.daemon_comment) != Match::yes
        || !matcher_.match_what_is_told(rule.clients + rule.client_comment))
        return false;
    const bool is_refused = refuses(rule, table_);
    journal_.warn(is_refused ? "what stands behind # is no comment to libwrap, and the rule matches by it"
                             : "what stands behind # is taken for a comment, by which the rule would match in libwrap");
    return is_refused;
}

Evaluation::Machine::MaybeStep Evaluation::Machine::end_of_rule()
{
    if (safe() ? rule_failed_ : state_->aclexec_failed)
        return rule_taken_back();
    if (state_->aclexec_failed)
        journal_.warn("libwrap would take this rule back, because an aclexec of an earlier one failed");
    return finish(table_ == TableName::allow ? Outcome::granted : Outcome::denied, false);
}

/// A failed aclexec ends the search of the table. safe: in hosts.deny the rules behind it are not passed over.
Evaluation::Machine::MaybeStep Evaluation::Machine::rule_taken_back()
{
    journal_.log("info", "aclexec returned 1"); // libwrap's flag, not the command's status
    if (!safe() || table_ == TableName::allow)
        return end_of_table();
    journal_.warn("aclexec failed: the rules behind this one are tried");
    every_item_ = true; // the index knows the first hit only, and this may have been it
    ++next_item_;
    item_read_ = false;
    journal_.move_to(matched_->line);
    phase_ = Phase::search;
    return std::nullopt;
}

Evaluation::Machine::MaybeStep Evaluation::Machine::end_of_table()
{
    if (journal_.tracing())
        journal_.trace({Trace::Kind::table_end, {table_, journal_.line()}, std::string(name_of(table_)), false, ""});
    if (table_ == TableName::deny)
        return finish(Outcome::granted, false);
    table_ = TableName::deny;
    phase_ = Phase::open;
    return std::nullopt;
}

/// `jumps`: libwrap leaves the rule with a longjmp and forgets to put its message context back (B6).
Verdict Evaluation::Machine::finish(Outcome outcome, bool jumps)
{
    if (jumps && !safe()) {
        state_->context_file = journal_.file();
        state_->context_line = journal_.line();
    }
    Verdict verdict;
    verdict.outcome = outcome;
    verdict.matched = matched_;
    verdict.severity = state_->severity;
    return verdict;
}

} // namespace safetp::access
