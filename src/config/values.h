// Readers of single values: each takes what stands in the file, or reports what should stand there and leaves `out` alone.
#pragma once

#include "base/ip_address.h"
#include "config/config.h"
#include "config/node.h"
#include "config/report.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::config {

/// One value and its place. Borrows the node and the report: lives only while a key is read.
struct Slot {
    const Node& node;
    std::string path; ///< "listener[0].port", as in KeyLines
    std::string name; ///< for messages: "port" in [[listener]]
    Report& report;

    /// Reports `NAME must be WANTED, not WHAT STANDS THERE`.
    void refuse(std::string_view wanted) const;
};

template <typename T>
struct Choice {
    std::string_view word;
    T value;
};

void read_bool(const Slot& slot, bool& out);
void read_number(const Slot& slot, std::int64_t least, std::int64_t most, unsigned& out);
void read_port(const Slot& slot, std::uint16_t& out);                ///< 1 to 65535
void read_service(const Slot& slot, std::uint16_t& out);             ///< a port, or a name of services(5)
void read_port_range(const Slot& slot, std::uint16_t& first, std::uint16_t& last); ///< "50000-50999", none below 1024
void read_text(const Slot& slot, std::string& out);                  ///< one line, not empty, no control characters
void read_path(const Slot& slot, std::string& out);                  ///< absolute
void read_command(const Slot& slot, std::vector<std::string>& out);  ///< the program absolute
void read_address(const Slot& slot, std::optional<IpAddress>& out);
void read_network(const Slot& slot, Network& out);
void read_daemon_name(const Slot& slot, std::string& out);           ///< one that a rule of hosts.allow can name
void read_announced(const Slot& slot, std::string& out);             ///< IPv4 address or host name

/// "15s", "5m", "2h", "1d" or a whole number of seconds.
void read_time(const Slot& slot, std::chrono::seconds least, std::chrono::seconds most, std::chrono::seconds& out);

/// "120/1m": a number up to `most` in a time up to `longest`.
void read_rate(const Slot& slot, std::int64_t most, std::chrono::seconds longest, Rate& out);

/// "500:30:1000", begin, percent and full of Startups.
void read_startups(const Slot& slot, std::optional<Startups>& out);

/// The position of the text among the words; reports all of them when it is none.
std::optional<std::size_t> read_word(const Slot& slot, std::span<const std::string_view> words);

template <typename T, std::size_t count>
void read_choice(const Slot& slot, const Choice<T> (&choices)[count], T& out)
{
    std::string_view words[count];
    for (std::size_t i = 0; i < count; ++i)
        words[i] = choices[i].word;
    if (const auto found = read_word(slot, words))
        out = choices[*found].value;
}

/// The TCP port that services(5) gives to a name.
std::optional<std::uint16_t> find_service_port(const std::string& name);

} // namespace safetp::config
