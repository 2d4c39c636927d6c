#include "access/machine.h"

#include "access/facts.h"

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
    if (journal_.tracing()) {
        constexpr const char* kNames[] = {"client_name", "client_user", "server_name"};
        journal_.trace({Trace::Kind::lookup, position(), kNames[static_cast<int>(*asked_)], is_good_name(kept), kept});
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
    next_item_ = 0;
    item_read_ = false;
    journal_.stand_at(std::string(image_.path(table_)), 0);
    phase_ = Phase::search;
    return std::nullopt;
}

Evaluation::Machine::MaybeStep Evaluation::Machine::search()
{
    const auto items = image_.items(table_);
    for (; next_item_ < items.size(); ++next_item_) {
        if (!item_read_) {
            const image::Item item = items[next_item_];
            reader_.go_to(item.offset, item.lines_before);
            const auto kind = reader_.next();
            journal_.begin();
            if (kind == RuleReader::Item::trouble && reader_.trouble().kind != RuleTrouble::Kind::missing_colon)
                return handle_trouble();
            if (kind == RuleReader::Item::trouble) {
                journal_.move_to(reader_.trouble().line);
                journal_.warn("missing \":\" separator");
            }
            if (kind != RuleReader::Item::rule)
                continue;
            journal_.move_to(reader_.rule().line);
        }
        item_read_ = false;
        const Match match = matcher_.match(reader_.rule(), table_);
        if (match == Match::yes)
            return handle_match();
        if (match == Match::crash)
            return finish(Outcome::exited, true);
        if (match == Match::pending) {
            item_read_ = true;
            if (const auto* look_up = std::get_if<LookUp>(&matcher_.pending())) {
                asked_ = look_up->fact;
                return *look_up;
            }
            return std::get<AskNetgroup>(matcher_.pending());
        }
        if (journal_.tracing())
            journal_.trace({Trace::Kind::rule, position(), reader_.rule().daemons + ":" + reader_.rule().clients, false, ""});
    }
    return end_of_table();
}

/// The rest of the table cannot be used. safe: what it says is not known, and so nobody is let in.
Evaluation::Machine::MaybeStep Evaluation::Machine::handle_trouble()
{
    journal_.move_to(reader_.trouble().line);
    const bool nul = reader_.trouble().kind == RuleTrouble::Kind::nul_byte;
    journal_.warn(nul ? "NUL byte in the line" : "missing newline or line too long");
    if (!safe())
        journal_.warn("all the subsequent rules will be ignored");
    else
        journal_.warn("nobody is let in while the table is broken");
    if (safe() || table_ == TableName::deny)
        return finish(Outcome::denied, false);
    return end_of_table();
}

Evaluation::Machine::MaybeStep Evaluation::Machine::handle_match()
{
    rule_ = reader_.rule();
    matched_ = position();
    if (journal_.tracing())
        journal_.trace({Trace::Kind::rule, position(), rule_.daemons + ":" + rule_.clients, true, ""});
    warn_of_departures();
    if (!rule_.has_options)
        return finish(table_ == TableName::allow ? Outcome::granted : Outcome::denied, false);
    if (safe())
        state_->aclexec_failed = false;
    fields_ = split_options(rule_.options);
    field_ = 0;
    option_parsed_ = false;
    phase_ = Phase::options;
    return std::nullopt;
}

void Evaluation::Machine::warn_of_departures()
{
    if (rule_.had_mark)
        journal_.warn("the byte order mark before this rule is passed over");
    if (rule_.had_comment)
        journal_.warn("what stands behind # is taken for a comment");
    if (rule_.unfinished)
        journal_.warn("missing newline at the end of the table: the line is used");
}

Evaluation::Machine::MaybeStep Evaluation::Machine::end_of_rule()
{
    if (state_->aclexec_failed)
        return rule_taken_back();
    return finish(table_ == TableName::allow ? Outcome::granted : Outcome::denied, false);
}

/// A failed aclexec ends the search of the table. safe: in hosts.deny the rules behind it are not passed over.
Evaluation::Machine::MaybeStep Evaluation::Machine::rule_taken_back()
{
    journal_.log("info", "aclexec returned 1"); // libwrap's flag, not the command's status
    if (!safe() || table_ == TableName::allow)
        return end_of_table();
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
