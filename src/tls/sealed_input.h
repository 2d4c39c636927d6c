// Records that the socket has given and OpenSSL has not opened yet. By itself OpenSSL asks the socket for each record, twice;
// with its own read-ahead it moves all that it holds to the buffer's start for each record, eight bytes for every one in a
// large buffer. From here one recv(2) brings many records and each is copied once. Internal to tls/.
#pragma once

#include "tls/openssl_types.h"

#include <cstddef>
#include <memory>

namespace safetp::tls {

/// Its address must not change while an SSL reads from it.
class SealedInput {
public:
    /// From now on what `ssl` reads comes from `fd` through here. Call while it holds nothing, that is after the handshake of
    /// a stream that never read ahead. False: out of memory.
    bool attach(SSL* ssl, int fd);

private:
    static constexpr std::size_t kFirstBytes = std::size_t{32} << 10; ///< a small file and its end
    static constexpr std::size_t kMostBytes = std::size_t{256} << 10;

    static int give(BIO* bio, char* place, std::size_t size, std::size_t* given);
    static long control(BIO* bio, int what, long number, void* pointer);
    static const BIO_METHOD* method();
    bool make_room();
    bool fill(BIO* bio);

    int fd_ = -1;
    std::unique_ptr<char[]> buffer_;
    std::size_t size_ = 0;
    std::size_t begin_ = 0; ///< what OpenSSL has not taken yet: from here
    std::size_t end_ = 0;   ///< to here
    bool was_filled_ = false;
    bool is_at_end_ = false;
};

} // namespace safetp::tls
