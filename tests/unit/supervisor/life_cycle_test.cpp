// Every cause at every stage, and the orders of events that matter.
#include "supervisor/life_cycle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace safetp::supervisor {
namespace {

using Steps = std::vector<Step>;

constexpr Cause kCauses[] = {Cause::term, Cause::interrupt, Cause::reload, Cause::reopen, Cause::upgrade,
    Cause::successor_not_started, Cause::successor_ready, Cause::successor_gone, Cause::successor_late, Cause::handed_over,
    Cause::predecessor_gone, Cause::drain_over};

LifeCycle at(Stage stage)
{
    LifeCycle life(stage == Stage::awaiting);
    if (stage == Stage::upgrading || stage == Stage::replaced)
        life.on(Cause::upgrade);
    if (stage == Stage::replaced)
        life.on(Cause::successor_ready);
    if (stage == Stage::finishing)
        life.on(Cause::term);
    if (stage == Stage::ending)
        life.on(Cause::interrupt);
    return life;
}

struct Row {
    Stage stage;
    Cause cause;
    Stage next;
    Steps steps;
};

const Row kTable[] = {
    {Stage::awaiting, Cause::term, Stage::ending, {Step::end_now}},
    {Stage::awaiting, Cause::interrupt, Stage::ending, {Step::end_now}},
    {Stage::awaiting, Cause::predecessor_gone, Stage::ending, {Step::say_left_alone, Step::end_now}},
    {Stage::awaiting, Cause::handed_over, Stage::serving, {Step::begin_serving}},
    {Stage::awaiting, Cause::reopen, Stage::awaiting, {Step::reopen}},

    {Stage::serving, Cause::term, Stage::finishing, {Step::pass_on, Step::finish}},
    {Stage::serving, Cause::interrupt, Stage::ending, {Step::pass_on, Step::end_now}},
    {Stage::serving, Cause::reload, Stage::serving, {Step::reload}},
    {Stage::serving, Cause::reopen, Stage::serving, {Step::pass_on, Step::reopen}},
    {Stage::serving, Cause::upgrade, Stage::upgrading, {Step::start_successor}},

    {Stage::upgrading, Cause::term, Stage::finishing, {Step::end_successor, Step::pass_on, Step::finish}},
    {Stage::upgrading, Cause::interrupt, Stage::ending, {Step::end_successor, Step::pass_on, Step::end_now}},
    {Stage::upgrading, Cause::reload, Stage::upgrading, {Step::reload}},
    {Stage::upgrading, Cause::reopen, Stage::upgrading, {Step::pass_on, Step::reopen}},
    {Stage::upgrading, Cause::upgrade, Stage::upgrading, {Step::say_under_way}},
    {Stage::upgrading, Cause::successor_not_started, Stage::serving, {}},
    {Stage::upgrading, Cause::successor_gone, Stage::serving, {Step::end_successor, Step::say_successor_failed}},
    {Stage::upgrading, Cause::successor_late, Stage::serving, {Step::end_successor, Step::say_successor_late}},
    {Stage::upgrading, Cause::successor_ready, Stage::replaced, {Step::hand_over}},

    {Stage::replaced, Cause::term, Stage::finishing, {Step::pass_on, Step::finish}},
    {Stage::replaced, Cause::interrupt, Stage::ending, {Step::pass_on, Step::end_now}},
    {Stage::replaced, Cause::reload, Stage::replaced, {Step::pass_on}},
    {Stage::replaced, Cause::reopen, Stage::replaced, {Step::pass_on, Step::reopen}},
    {Stage::replaced, Cause::upgrade, Stage::replaced, {Step::say_replaced}},

    {Stage::finishing, Cause::interrupt, Stage::ending, {Step::pass_on, Step::end_now}},
    {Stage::finishing, Cause::reopen, Stage::finishing, {Step::pass_on, Step::reopen}},
    {Stage::finishing, Cause::drain_over, Stage::ending, {Step::end_now}},
};

TEST(LifeCycle, EveryCauseAtEveryStage)
{
    for (const Stage stage :
        {Stage::awaiting, Stage::serving, Stage::upgrading, Stage::replaced, Stage::finishing, Stage::ending}) {
        for (const Cause cause : kCauses) {
            const auto row = std::ranges::find_if(kTable, [&](const Row& r) { return r.stage == stage && r.cause == cause; });
            LifeCycle life = at(stage);
            const Steps steps = life.on(cause);
            const bool is_named = row != std::end(kTable);
            EXPECT_EQ(steps, is_named ? row->steps : Steps{}) << int(stage) << " " << int(cause);
            EXPECT_EQ(life.stage(), is_named ? row->next : stage) << int(stage) << " " << int(cause);
        }
    }
}

TEST(LifeCycle, AReloadDuringAnUpgradeReachesTheSuccessor)
{
    LifeCycle life = at(Stage::upgrading);
    EXPECT_EQ(life.on(Cause::reload), Steps{Step::reload});
    EXPECT_EQ(life.on(Cause::successor_ready), (Steps{Step::hand_over, Step::pass_reload}));
}

TEST(LifeCycle, AReloadDuringAnUpgradeThatFailsIsNotOwedToTheNextOne)
{
    LifeCycle life = at(Stage::upgrading);
    life.on(Cause::reload);
    life.on(Cause::successor_gone);
    life.on(Cause::upgrade);
    EXPECT_EQ(life.on(Cause::successor_ready), Steps{Step::hand_over});
}

TEST(LifeCycle, AReloadOfASuccessorComesOnceItServes)
{
    LifeCycle life = at(Stage::awaiting);
    EXPECT_EQ(life.on(Cause::reload), Steps{});
    EXPECT_EQ(life.on(Cause::handed_over), (Steps{Step::begin_serving, Step::reload}));
}

// A model of two processes with a line between them: whatever comes in whatever order, after the first stop nobody serves.
struct Chain {
    LifeCycle old{false};
    LifeCycle young{true};
    bool has_young = false;
    bool is_young_ready = false;
    std::vector<Cause> to_young;
    std::vector<Cause> to_old;

    void take(LifeCycle& life, Cause cause, bool is_from_neighbour)
    {
        const bool is_old = &life == &old;
        for (const Step step : life.on(cause)) {
            if (step == Step::start_successor) {
                young = LifeCycle(true);
                has_young = true;
                is_young_ready = false;
                to_young.clear();
                to_old.clear();
            }
            if (step == Step::end_successor)
                has_young = false;
            if (step == Step::hand_over)
                to_young.push_back(Cause::handed_over);
            if (step == Step::pass_reload)
                to_young.push_back(Cause::reload);
            if (step == Step::pass_on && !is_from_neighbour)
                (is_old ? to_young : to_old).push_back(cause);
        }
    }

    /// Event number `n` of those that can come next; false: there is no such.
    bool happen(unsigned n)
    {
        switch (n) {
        case 0: take(old, Cause::upgrade, false); return true;
        case 1:
            if (!has_young || is_young_ready)
                return false;
            is_young_ready = true;
            to_old.push_back(Cause::successor_ready);
            return true;
        case 2:
            if (to_old.empty())
                return false;
            take_first(to_old, old);
            return true;
        case 3:
            if (!has_young || !is_young_ready || to_young.empty())
                return false;
            take_first(to_young, young);
            return true;
        case 4: take(old, Cause::term, false); return true;
        case 5:
            if (!has_young || !is_young_ready || young.stage() == Stage::awaiting)
                return false; // before that nobody knows it
            take(young, Cause::term, false);
            return true;
        case 6: take(old, Cause::successor_late, false); return true;
        default: return false;
        }
    }

    void take_first(std::vector<Cause>& queue, LifeCycle& life)
    {
        const Cause cause = queue.front();
        queue.erase(queue.begin());
        take(life, cause, true);
    }

    bool anybody_serves() const { return old.serves() || (has_young && young.serves()); }
};

void play_all(const Chain& chain, unsigned depth, bool is_stopped, std::set<std::string>& bad, const std::string& path)
{
    if (is_stopped) {
        Chain rest = chain; // what is on the way arrives
        while (rest.happen(2) || rest.happen(3)) { }
        if (rest.anybody_serves())
            bad.insert(path);
    } else if (!chain.anybody_serves()) {
        Chain rest = chain;
        while (rest.happen(2) || rest.happen(3)) { }
        if (!rest.anybody_serves())
            bad.insert(path + " nobody serves");
    }
    if (depth == 0)
        return;
    for (unsigned event = 0; event <= 6; ++event) {
        Chain next = chain;
        if (next.happen(event))
            play_all(next, depth - 1, is_stopped || event == 4 || event == 5, bad, path + std::to_string(event));
    }
}

TEST(LifeCycle, AfterAStopNobodyServesAndBeforeItSomebodyDoes)
{
    std::set<std::string> bad;
    play_all(Chain{}, 7, false, bad, "");
    EXPECT_TRUE(bad.empty()) << bad.size() << ", the first: " << *bad.begin();
}

} // namespace
} // namespace safetp::supervisor
