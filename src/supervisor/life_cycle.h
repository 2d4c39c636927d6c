// What a supervisor does when it is told to end, to reload or to be replaced: decisions only, so that every order of events can
// be tried.
//
// A service is one process, or a chain of them once the program was replaced (USR2): the last one serves, those before it end
// with their last sessions. A successor that is not ready yet is no part of the service: it goes with whoever started it.
#pragma once

#include <vector>

namespace safetp::supervisor {

enum class Stage {
    awaiting,  ///< a successor that is ready, until its predecessor hands over
    serving,
    upgrading, ///< serving, while a successor starts
    replaced,  ///< a successor serves new clients; own sessions go on
    finishing, ///< told to end: transfers under way go on for a while
    ending,    ///< workers are being killed
};

enum class Cause {
    // signals, from whoever sends them or passed on by a neighbour in the chain
    term,
    interrupt, ///< INT, QUIT
    reload,    ///< HUP
    reopen,    ///< USR1
    upgrade,   ///< USR2; not passed on
    // the successor
    successor_not_started, ///< there is no such process
    successor_ready,
    successor_gone,
    successor_late,
    // the predecessor
    handed_over,
    predecessor_gone,
    // the clock
    drain_over,
};

enum class Step {
    start_successor,
    end_successor,  ///< at once, with whatever it has started
    hand_over,      ///< the successor serves, this process takes no new clients
    begin_serving,  ///< what the predecessor has handed over
    reload,
    reopen,         ///< the xferlog
    finish,
    end_now,
    pass_on,        ///< the cause, to the neighbours that it did not come from
    pass_reload,    ///< to the successor
    say_under_way,  ///< an upgrade: another one cannot begin
    say_replaced,   ///< another process is to be asked for an upgrade
    say_successor_failed,
    say_successor_late,
    say_left_alone, ///< the predecessor ended before it handed over
};

class LifeCycle {
public:
    explicit LifeCycle(bool has_predecessor) : stage_(has_predecessor ? Stage::awaiting : Stage::serving) {}

    Stage stage() const { return stage_; }
    /// New clients come to this process, and workers that die are started again.
    bool serves() const { return stage_ <= Stage::upgrading; }

    /// What to do now, in this order. A cause that means nothing at this stage leads to nothing.
    std::vector<Step> on(Cause cause);

private:
    std::vector<Step> while_awaiting(Cause cause);
    std::vector<Step> while_serving(Cause cause);
    std::vector<Step> while_upgrading(Cause cause);
    std::vector<Step> while_replaced(Cause cause);
    std::vector<Step> while_finishing(Cause cause);
    std::vector<Step> become(Stage stage, std::vector<Step> steps);

    Stage stage_;
    bool owes_reload_ = false; ///< asked for while a successor started, which may have read the configuration before that
};

} // namespace safetp::supervisor
