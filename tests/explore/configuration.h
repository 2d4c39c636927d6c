// What one search is about: the policy, who says what, and what the raw ftpd may do wrong.
#pragma once

#include "ftp/policy.h"

#include <string>
#include <vector>

namespace safetp::explore {

enum class Habit : std::uint8_t {
    exact,         ///< each command has one final reply, at any time or never
    answers_twice, ///< or the same reply twice, both there at once
    repeats_late,  ///< or the same reply once more at any later time, even when another command is with it
};

struct Configuration {
    std::string name;
    ftp::Policy policy;
    std::vector<std::string> client_lines; ///< as in alphabet.cpp
    Habit habit = Habit::exact;
    bool has_drain = false;        ///< and the other ways in which a session may end at any time
    bool has_long_replies = false; ///< replies of several lines
    bool client_is_ipv6 = false;
    bool server_is_ipv6 = false;
    std::size_t most_unanswered = 3;      ///< lines of the client's that wait for their final reply, the one under way included
    std::size_t most_unanswered_idle = 2; ///< and before one that does nothing out of its turn
    std::size_t server_reads = 64;        ///< bytes that the raw ftpd takes for one line
    std::vector<std::string> ignored;     ///< properties: as if they held
};

std::vector<Configuration> configurations();
std::string policy_words(const Configuration& configuration); ///< as the unit tests write it: "policy security=optional ..."

} // namespace safetp::explore
