// The inside of Evaluation: the search through the two tables, and the options of the rule that matched.
#pragma once

#include "access/evaluation.h"
#include "access/expansion.h"
#include "access/image.h"
#include "access/journal.h"
#include "access/lists.h"
#include "access/options.h"

#include <optional>
#include <string>
#include <vector>

namespace safetp::access {

class Evaluation::Machine {
public:
    Machine(const Tables& tables, Request request, Settings settings);

    /// Goes on until something is needed or the verdict stands.
    Step run();
    void learn(const std::string& value);
    void answer_netgroup(bool member);
    void answer_command(int exit_status, int killed_by, int process_id);
    void answer_effect(int os_error);

    const Request& request() const { return request_; }
    Journal& journal() { return journal_; }

private:
    enum class Phase { open, search, options };
    using MaybeStep = std::optional<Step>; ///< none: go on

    // machine.cpp: the search
    MaybeStep open_table();
    MaybeStep search();
    MaybeStep wait_for_answer();
    void choose_candidates();
    std::optional<std::size_t> next_candidate();
    bool read_candidate();
    MaybeStep handle_trouble();
    bool is_harmless_end() const;
    MaybeStep handle_match();
    MaybeStep end_of_rule();
    MaybeStep end_of_table();
    MaybeStep rule_taken_back();
    Verdict finish(Outcome outcome, bool jumps);
    bool is_spoilt(const Rule& rule);
    bool is_excepted_by_comment(const Rule& rule);
    bool is_refused_by_comment(const Rule& rule);
    void trace_rule(const Rule& rule, bool matched);

    // machine_options.cpp: the matched rule's options
    MaybeStep run_options();
    MaybeStep run_option();
    MaybeStep perform(const std::string& value);
    MaybeStep perform_number(Keyword keyword, const std::string& value);
    MaybeStep change_identity(const std::string& value);
    MaybeStep ask_ident(const std::string& value);
    MaybeStep twist(const std::string& command);
    MaybeStep send_banner(const std::string& directory);
    MaybeStep effect(Effect effect);
    void effect_failed(int os_error);
    MaybeStep option_error(std::string_view text);
    MaybeStep expand(std::string& value);
    MaybeStep overflowed();

    bool safe() const { return image_.reading() == Reading::safe; }
    Position position() const { return {table_, journal_.line()}; }

    image::View image_;
    Request request_;
    Settings settings_;
    LibraryState own_state_;
    LibraryState* state_;
    Journal journal_;
    Matcher matcher_;

    Phase phase_ = Phase::open;
    TableName table_ = TableName::allow;
    RuleReader reader_;
    std::size_t next_item_ = 0; ///< the first item that has not been dealt with
    bool item_read_ = false;    ///< reader_ holds the rule of next_item_, which waits for an answer
    bool every_item_ = true;    ///< no use of the index
    std::size_t next_ordinary_ = 0;
    std::optional<std::size_t> hit_; ///< the index's candidate
    std::optional<Position> matched_;

    Rule rule_; ///< that matched
    std::vector<std::string> fields_;
    std::size_t field_ = 0;
    Option option_; ///< of field_
    bool option_parsed_ = false;
    std::optional<Expander> expander_;
    std::string banner_rest_; ///< of the file, behind what expander_ has
    std::string banner_;
    std::optional<Fact> asked_; ///< the LookUp that is under way
    Effect under_way_;
    std::string failure_; ///< why the effect that was under way makes the rule an error
    bool group_done_ = false;
    bool rule_failed_ = false; ///< safe: an aclexec of this rule failed
};

} // namespace safetp::access
