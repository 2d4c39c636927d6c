#include "tls/sealed_input.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <sys/socket.h>

namespace safetp::tls {

/// Before the first bytes, and each time that more came than there was room for.
bool SealedInput::make_room()
{
    const std::size_t wanted = buffer_ == nullptr ? kFirstBytes : std::min(2 * size_, kMostBytes);
    if (buffer_ != nullptr && (!was_filled_ || wanted == size_))
        return true;
    buffer_.reset(new (std::nothrow) char[wanted]); // it is empty: nothing is lost; and no exception may pass through OpenSSL
    size_ = buffer_ == nullptr ? 0 : wanted;
    return buffer_ != nullptr;
}

bool SealedInput::fill(BIO* bio)
{
    if (!make_room()) {
        errno = ENOMEM;
        return false;
    }
    ssize_t received = 0;
    do {
        received = ::recv(fd_, buffer_.get(), size_, 0);
    } while (received < 0 && errno == EINTR);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    is_at_end_ = received == 0;
    begin_ = 0;
    end_ = received > 0 ? static_cast<std::size_t>(received) : 0;
    was_filled_ = end_ == size_;
    return end_ > 0;
}

int SealedInput::give(BIO* bio, char* place, std::size_t size, std::size_t* given)
{
    auto& input = *static_cast<SealedInput*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (input.begin_ == input.end_ && !input.fill(bio))
        return 0;
    *given = std::min(size, input.end_ - input.begin_);
    std::memcpy(place, input.buffer_.get() + input.begin_, *given);
    input.begin_ += *given;
    return 1;
}

long SealedInput::control(BIO* bio, int what, long, void*)
{
    // Asked for when a read has failed: so OpenSSL tells a cut (SSL_R_UNEXPECTED_EOF_WHILE_READING) from an error.
    return what == BIO_CTRL_EOF && static_cast<const SealedInput*>(BIO_get_data(bio))->is_at_end_ ? 1 : 0;
}

const BIO_METHOD* SealedInput::method()
{
    static BIO_METHOD* const made = [] {
        BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "received records");
        if (fresh != nullptr) {
            BIO_meth_set_read_ex(fresh, give);
            BIO_meth_set_ctrl(fresh, control);
        }
        return fresh;
    }();
    return made;
}

bool SealedInput::attach(SSL* ssl, int fd)
{
    BIO* const bio = method() != nullptr ? BIO_new(method()) : nullptr;
    if (bio == nullptr)
        return false;
    fd_ = fd;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set0_rbio(ssl, bio);
    return true;
}

} // namespace safetp::tls
