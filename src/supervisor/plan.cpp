#include "supervisor/plan.h"

#include <algorithm>
#include <sys/stat.h>

namespace safetp::supervisor {

std::chrono::seconds RespawnDelay::next(std::chrono::milliseconds lifetime)
{
    if (lifetime >= kYoung) {
        early_deaths_ = 0;
        return std::chrono::seconds(0);
    }
    const unsigned deaths = early_deaths_++;
    if (deaths == 0)
        return std::chrono::seconds(0);
    return std::min(kLongest, std::chrono::seconds(1ll << std::min(deaths - 1, 10u)));
}

namespace {

bool fits(const config::Listener& listener, const Endpoint& socket)
{
    if (listener.port != socket.port)
        return false;
    return listener.address ? *listener.address == socket.address : socket.address.is_unspecified();
}

} // namespace

std::vector<std::optional<std::size_t>> match_inherited(const std::vector<config::Listener>& listeners,
    const std::vector<Endpoint>& inherited, InheritedFit fit)
{
    std::vector<std::optional<std::size_t>> result(listeners.size());
    std::vector<bool> is_taken(inherited.size(), false);
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        for (std::size_t k = 0; k < inherited.size() && !result[i]; ++k) {
            if (is_taken[k] || !fits(listeners[i], inherited[k]))
                continue;
            result[i] = k;
            is_taken[k] = true;
        }
    }
    if (fit == InheritedFit::exact)
        return result;
    for (auto& choice : result) {
        const auto left = std::ranges::find(is_taken, false);
        if (choice || left == is_taken.end())
            continue;
        choice = static_cast<std::size_t>(left - is_taken.begin());
        *left = true;
    }
    return result;
}

std::vector<std::size_t> sockets_of_worker(unsigned index, unsigned workers, std::size_t sockets)
{
    std::vector<std::size_t> result;
    for (std::size_t k = index; k < sockets; k += workers)
        result.push_back(k);
    if (result.empty() && sockets != 0)
        result.push_back(index % sockets);
    return result;
}

void FileWatch::start(std::vector<FileStamp> now)
{
    accepted_ = now;
    last_look_ = std::move(now);
}

bool FileWatch::has_changed(std::vector<FileStamp> now)
{
    const bool is_settled = now == last_look_;
    last_look_ = std::move(now);
    if (!is_settled || last_look_ == accepted_)
        return false;
    accepted_ = last_look_;
    return true;
}

FileStamp look_at(const std::string& path)
{
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
        return {};
    return {status.st_mtim.tv_sec * 1'000'000'000ll + status.st_mtim.tv_nsec, status.st_size, status.st_ino, status.st_mode,
        status.st_uid, status.st_gid};
}

} // namespace safetp::supervisor
