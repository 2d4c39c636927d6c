#include "proxy/doorstep.h"

#include <iterator>

namespace safetp::proxy {

Doorstep::Place::Place(Doorstep& doorstep)
    : doorstep_(doorstep)
    , until_(doorstep.taken_.insert(doorstep.taken_.end(), net::Clock::now() + doorstep.place_time_))
{
}

Doorstep::Place::~Place()
{
    doorstep_.taken_.erase(until_);
    auto& waiting = doorstep_.waiting_;
    if (waiting.empty())
        return;
    waiting.front()->notify();
    waiting.splice(waiting.end(), waiting, waiting.begin()); // so that the next place is told to the next one
}

bool Doorstep::has_room() const
{
    return std::ssize(taken_) < places_ || *std::prev(taken_.end(), places_) <= net::Clock::now();
}

net::Task<> Doorstep::wait_for_room()
{
    net::Event told(executor_);
    const auto self = waiting_.insert(waiting_.end(), &told);
    co_await told.wait_until(net::Clock::now() + place_time_);
    waiting_.erase(self);
}

} // namespace safetp::proxy
