// Records that OpenSSL has sealed and the socket has not taken yet. On a socket OpenSSL makes a system call for each record of
// 16 KiB; from here a whole chunk of records goes out with one, which wakes the receiver once. Internal to tls/.
#pragma once

#include "tls/openssl_types.h"

#include <cstddef>
#include <vector>

namespace safetp::tls {

/// Its address must not change while an SSL writes to it.
class SealedOutput {
public:
    /// From now on what `ssl` writes lies here until flush(). Call between records only. False: out of memory.
    bool attach(SSL* ssl);
    bool is_attached() const { return is_attached_; }
    bool is_empty() const { return sent_ == records_.size(); }

    /// Makes room beforehand for `plain` bytes of data, so that the buffer is not moved while they are sealed.
    void expect(std::size_t plain);

    struct Flushed {
        std::size_t bytes = 0; ///< what the socket took now
        int os_error = 0;      ///< EAGAIN: the rest waits; 0: all is gone
    };
    Flushed flush(int fd, int flags = 0); ///< of send(2)

    void give_memory_back();   ///< when it is empty and nothing large will follow

private:
    static int take(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken);
    static long control(BIO* bio, int what, long number, void* pointer);
    static const BIO_METHOD* method();

    std::vector<char> records_;
    std::size_t sent_ = 0;
    bool is_attached_ = false;
};

} // namespace safetp::tls
