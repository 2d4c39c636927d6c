// The supervisor's decisions as pure functions: when to start a worker again, which socket belongs to which listener, who
// gets which socket, when changed files are worth a reload.
#pragma once

#include "base/ip_address.h"
#include "config/config.h"

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace safetp::supervisor {

/// How long to wait before a dead worker is started again: not at all the first time, then 1 s, doubled up to 30 s, as long as
/// they die young.
class RespawnDelay {
public:
    static constexpr std::chrono::seconds kYoung{10};
    static constexpr std::chrono::seconds kLongest{30};

    std::chrono::seconds next(std::chrono::milliseconds lifetime);

private:
    unsigned early_deaths_ = 0;
};

/// For each listener the index of the inherited socket it takes: by address and port, else the next one left, in order.
/// An inherited [::] or 0.0.0.0 fits a listener without address. Empty: bind it ourselves. exact: no "else", since the old
/// program's configuration may have had other listeners.
enum class InheritedFit { exact, any };
std::vector<std::optional<std::size_t>> match_inherited(const std::vector<config::Listener>& listeners,
    const std::vector<Endpoint>& inherited, InheritedFit fit = InheritedFit::any);

/// Indices of the sockets of one listener that worker `index` of `workers` takes. Every socket has a taker (also when there are
/// fewer workers than before: connections wait in each queue) and every worker has a socket (also where only one was
/// inherited).
std::vector<std::size_t> sockets_of_worker(unsigned index, unsigned workers, std::size_t sockets);

struct FileStamp {
    std::int64_t modified_ns = 0;
    std::int64_t bytes = -1; ///< -1: cannot be looked at
    std::uint64_t inode = 0;
    std::uint32_t mode = 0; ///< who may read a key decides whether it is taken, as does who owns it
    std::uint32_t owner = 0;
    std::uint32_t group = 0;
    auto operator<=>(const FileStamp&) const = default;
};

/// Certificate files looked at every few seconds: says "changed" once per change, and only when two looks in a row are alike,
/// so that a certificate and its key written one after the other are taken together.
class FileWatch {
public:
    void start(std::vector<FileStamp> now);
    bool has_changed(std::vector<FileStamp> now);

private:
    std::vector<FileStamp> accepted_;
    std::vector<FileStamp> last_look_;
};

FileStamp look_at(const std::string& path); ///< stat(2)

} // namespace safetp::supervisor
