// What our processes say to each other: packets over a SOCK_SEQPACKET pair, one record a packet, with a descriptor where one
// belongs. Both ends are the same program: numbers stand as they do in memory. Whoever reads checks every field all the same.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace safetp::process {

/// Both ends close-on-exec and blocking.
Result<std::pair<UniqueFd, UniqueFd>> make_channel();

struct Packet {
    std::size_t bytes = 0;
    bool is_cut = false; ///< more bytes or descriptors came than a message may have
    std::vector<UniqueFd> descriptors; ///< close-on-exec
};

/// Neither blocks. send: a full queue is system_call with EAGAIN; the descriptor is only borrowed, -1: none. receive: empty
/// where nothing is there now; peer_closed where the other end is gone.
Result<void> send_packet(int channel, std::span<const std::byte> bytes, int passed_fd = -1);
Result<std::optional<Packet>> receive_packet(int channel, std::span<std::byte> buffer);

/// A record of several fields: values as they are in memory, texts with their length before them.
class RecordWriter {
public:
    template <typename T>
    void append(const T& value)
    {
        static_assert(std::is_trivially_copyable_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void append_text(std::string_view text);
    const std::string& bytes() const { return bytes_; }

private:
    std::string bytes_;
};

class RecordReader {
public:
    explicit RecordReader(std::string_view bytes) : rest_(bytes) {}

    /// False: there is not so much left.
    template <typename T>
    bool take(T& value)
    {
        static_assert(std::is_trivially_copyable_v<T>);
        if (rest_.size() < sizeof value)
            return false;
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return true;
    }
    bool take_text(std::string& text);
    bool is_empty() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

} // namespace safetp::process
