#include "supervisor/life_cycle.h"

#include <utility>

namespace safetp::supervisor {

std::vector<Step> LifeCycle::on(Cause cause)
{
    switch (stage_) {
    case Stage::awaiting: return while_awaiting(cause);
    case Stage::serving: return while_serving(cause);
    case Stage::upgrading: return while_upgrading(cause);
    case Stage::replaced: return while_replaced(cause);
    case Stage::finishing: return while_finishing(cause);
    case Stage::ending: break;
    }
    return {};
}

// Whoever ends a process at this stage ends nothing that serves: its predecessor sees it go, and goes on.
std::vector<Step> LifeCycle::while_awaiting(Cause cause)
{
    switch (cause) {
    case Cause::term:
    case Cause::interrupt: return become(Stage::ending, {Step::end_now});
    case Cause::predecessor_gone: return become(Stage::ending, {Step::say_left_alone, Step::end_now});
    case Cause::reload: owes_reload_ = true; return {};
    case Cause::reopen: return {Step::reopen};
    case Cause::handed_over:
        if (std::exchange(owes_reload_, false))
            return become(Stage::serving, {Step::begin_serving, Step::reload});
        return become(Stage::serving, {Step::begin_serving});
    default: return {};
    }
}

std::vector<Step> LifeCycle::while_serving(Cause cause)
{
    switch (cause) {
    case Cause::term: return become(Stage::finishing, {Step::pass_on, Step::finish});
    case Cause::interrupt: return become(Stage::ending, {Step::pass_on, Step::end_now});
    case Cause::reload: return {Step::reload};
    case Cause::reopen: return {Step::pass_on, Step::reopen};
    case Cause::upgrade: return become(Stage::upgrading, {Step::start_successor});
    default: return {};
    }
}

std::vector<Step> LifeCycle::while_upgrading(Cause cause)
{
    switch (cause) {
    case Cause::term: return become(Stage::finishing, {Step::end_successor, Step::pass_on, Step::finish});
    case Cause::interrupt: return become(Stage::ending, {Step::end_successor, Step::pass_on, Step::end_now});
    case Cause::reload: owes_reload_ = true; return {Step::reload};
    case Cause::reopen: return {Step::pass_on, Step::reopen};
    case Cause::upgrade: return {Step::say_under_way};
    case Cause::successor_not_started: return become(Stage::serving, {});
    case Cause::successor_gone: return become(Stage::serving, {Step::end_successor, Step::say_successor_failed});
    case Cause::successor_late: return become(Stage::serving, {Step::end_successor, Step::say_successor_late});
    case Cause::successor_ready:
        if (std::exchange(owes_reload_, false))
            return become(Stage::replaced, {Step::hand_over, Step::pass_reload});
        return become(Stage::replaced, {Step::hand_over});
    default: return {};
    }
}

std::vector<Step> LifeCycle::while_replaced(Cause cause)
{
    switch (cause) {
    case Cause::term: return become(Stage::finishing, {Step::pass_on, Step::finish});
    case Cause::interrupt: return become(Stage::ending, {Step::pass_on, Step::end_now});
    case Cause::reload: return {Step::pass_on};
    case Cause::reopen: return {Step::pass_on, Step::reopen};
    case Cause::upgrade: return {Step::say_replaced};
    default: return {};
    }
}

std::vector<Step> LifeCycle::while_finishing(Cause cause)
{
    switch (cause) {
    case Cause::interrupt: return become(Stage::ending, {Step::pass_on, Step::end_now});
    case Cause::reopen: return {Step::pass_on, Step::reopen};
    case Cause::drain_over: return become(Stage::ending, {Step::end_now});
    default: return {};
    }
}

std::vector<Step> LifeCycle::become(Stage stage, std::vector<Step> steps)
{
    stage_ = stage;
    if (stage == Stage::serving)
        owes_reload_ = false;
    return steps;
}

} // namespace safetp::supervisor
