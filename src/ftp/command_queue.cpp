#include "ftp/command_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace safetp::ftp {

namespace {

bool is_plain_noop(const Waited& waited) { return waited && waited->verb == Verb::noop && !waited->has_argument; }

} // namespace

void wipe(std::string& text)
{
    text.resize(text.capacity());
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

void CommandQueue::push(Waited waited)
{
    ++commands_;
    if (is_plain_noop(waited) && !entries_.empty() && is_plain_noop(entries_.back().waited))
        ++entries_.back().times;
    else
        entries_.push_back({std::move(waited)});
}

Waited CommandQueue::pop()
{
    --commands_;
    Entry& first = entries_.front();
    if (first.times > 1) {
        --first.times;
        return first.waited;
    }
    Waited waited = std::move(first.waited);
    if (first.waited)
        wipe(first.waited->argument); // a short password is copied, not moved
    entries_.pop_front();
    return waited;
}

bool CommandQueue::begins_with(Verb verb) const
{
    return !entries_.empty() && entries_.front().waited && entries_.front().waited->verb == verb;
}

bool CommandQueue::has(Verb verb) const
{
    return std::ranges::any_of(entries_, [verb](const Entry& entry) { return entry.waited && entry.waited->verb == verb; });
}

} // namespace safetp::ftp
