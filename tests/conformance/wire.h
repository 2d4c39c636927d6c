// Messages between the differential test and the driver of the real library: a count of bytes, then fields of a length and
// bytes each. Both ends are of one build on one machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <unistd.h>
#include <vector>

namespace safetp::conformance {

class MessageWriter {
public:
    MessageWriter() : bytes_(sizeof(std::uint32_t), '\0') { }

    void put(const std::string& field)
    {
        put_length(field.size());
        bytes_ += field;
    }
    void put(long number) { put(std::to_string(number)); }
    void put(const std::vector<std::string>& fields)
    {
        put(static_cast<long>(fields.size()));
        for (const std::string& field : fields)
            put(field);
    }

    /// False: the other end is gone.
    bool send(int fd)
    {
        const auto size = static_cast<std::uint32_t>(bytes_.size() - sizeof(std::uint32_t));
        std::memcpy(bytes_.data(), &size, sizeof size);
        for (std::size_t sent = 0; sent < bytes_.size();) {
            const ssize_t count = ::write(fd, bytes_.data() + sent, bytes_.size() - sent);
            if (count <= 0)
                return false;
            sent += static_cast<std::size_t>(count);
        }
        return true;
    }

private:
    void put_length(std::size_t length)
    {
        const auto size = static_cast<std::uint32_t>(length);
        bytes_.append(reinterpret_cast<const char*>(&size), sizeof size);
    }

    std::string bytes_;
};

class MessageReader {
public:
    /// False: the other end is gone.
    bool receive(int fd)
    {
        std::uint32_t size = 0;
        position_ = 0;
        if (!receive_bytes(fd, reinterpret_cast<char*>(&size), sizeof size))
            return false;
        bytes_.resize(size);
        return receive_bytes(fd, bytes_.data(), size);
    }

    std::string text()
    {
        std::uint32_t size = 0;
        std::memcpy(&size, bytes_.data() + position_, sizeof size);
        position_ += sizeof size + size;
        return bytes_.substr(position_ - size, size);
    }
    long number() { return std::stol(text()); }
    std::vector<std::string> texts()
    {
        std::vector<std::string> result(static_cast<std::size_t>(number()));
        for (std::string& field : result)
            field = text();
        return result;
    }

private:
    static bool receive_bytes(int fd, char* into, std::size_t wanted)
    {
        for (std::size_t have = 0; have < wanted;) {
            const ssize_t count = ::read(fd, into + have, wanted - have);
            if (count <= 0)
                return false;
            have += static_cast<std::size_t>(count);
        }
        return true;
    }

    std::string bytes_;
    std::size_t position_ = 0;
};

} // namespace safetp::conformance
