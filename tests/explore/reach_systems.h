// The two small machines that stand before the dialogue on a client side, each as a system for the search: ServerSecurity
// (greeting, AUTH, PBSZ, PROT) and Reception (a proxy's client, until it has named its server). Their states are told apart by
// what they have said; that this is enough the search proves by its samples ("folding").
#pragma once

#include "ftp/reception.h"
#include "ftp/server_security.h"
#include "search.h"

#include <cstdint>
#include <string>
#include <vector>

namespace safetp::explore {

class ServerSecuritySystem {
public:
    struct State {
        ftp::ServerSecurity machine;
        std::string asked = "greeting"; ///< the last line that it sent
        bool is_owed = true;            ///< a final reply to that
        int inside_code = 0;            ///< of a reply of several lines
        int last_code = 0;              ///< of the last final reply
        bool is_secure = false;
    };

    ServerSecuritySystem(bool is_implicit, bool may_be_clear) : is_implicit_(is_implicit), may_be_clear_(may_be_clear) { }

    std::string name() const;
    State initial() const;
    void enabled(const State& state, std::vector<Event>& events) const;
    void happen(State& state, Event event) const;
    Digest digest(const State& state) const;
    bool is_at_rest(const State& state) const;
    bool is_answer(const State& state, Event event) const;
    std::string script(const std::vector<Event>& path) const;

private:
    void hear(State& state, std::string_view line) const;
    void judge_output(State& state) const;
    void judge_state(const State& state) const;

    bool is_implicit_;
    bool may_be_clear_;
};

class ReceptionSystem {
public:
    struct State {
        ftp::Reception machine;
        unsigned refused = 0;
        bool is_over = false;
        bool has_named = false;
    };

    std::string name() const { return "reception"; }
    State initial() const;
    void enabled(const State& state, std::vector<Event>& events) const;
    void happen(State& state, Event event) const;
    Digest digest(const State& state) const;
    bool is_at_rest(const State&) const { return true; } ///< each line is answered at once
    bool is_answer(const State&, Event) const { return false; }
    std::string script(const std::vector<Event>& path) const;
};

} // namespace safetp::explore
