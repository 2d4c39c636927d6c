// The client's commands that wait for their turn. NOOPs in a row are counted, not stored: clients send them by the hour to keep
// a connection alive while a transfer goes on.
#pragma once

#include "ftp/command.h"

#include <cstddef>
#include <deque>
#include <expected>
#include <string>

namespace safetp::ftp {

using Waited = std::expected<Command, CommandProblem>; ///< a line that is no command waits for its refusal

class CommandQueue {
public:
    void push(Waited waited);
    /// The first one, which may be a copy; the place where it stood is wiped. Only if not empty().
    Waited pop();

    bool empty() const { return entries_.empty(); }
    std::size_t size() const { return entries_.size(); } ///< entries that are stored: NOOPs in a row are one
    std::size_t commands() const { return commands_; }   ///< how many the client waits for: each NOOP counts
    bool has(Verb verb) const;
    bool begins_with(Verb verb) const;

private:
    friend struct DialogueProbe; // tests/explore
    struct Entry {
        Waited waited;
        std::size_t times = 1;
    };
    std::deque<Entry> entries_;
    std::size_t commands_ = 0;
};

/// Overwrites it, and what a longer text left behind; then it is empty.
void wipe(std::string& text);

} // namespace safetp::ftp
