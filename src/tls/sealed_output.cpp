#include "tls/sealed_output.h"

#include <cerrno>
#include <sys/socket.h>

namespace safetp::tls {

namespace {

/// Header, type, padding and authentication tag of a record, in either version: less than this for each 16 KiB begun.
constexpr std::size_t kRecordBytes = 16384;
constexpr std::size_t kMostOverhead = 64;

} // namespace

int SealedOutput::take(BIO* bio, const char* bytes, std::size_t size, std::size_t* taken)
{
    auto& records = static_cast<SealedOutput*>(BIO_get_data(bio))->records_;
    try {
        records.insert(records.end(), bytes, bytes + size);
    } catch (const std::exception&) {
        return 0; // out of memory; no exception may pass through OpenSSL
    }
    *taken = size;
    return 1;
}

long SealedOutput::control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* SealedOutput::method()
{
    static BIO_METHOD* const made = [] {
        BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sealed records");
        if (fresh != nullptr) {
            BIO_meth_set_write_ex(fresh, take);
            BIO_meth_set_ctrl(fresh, control);
        }
        return fresh;
    }();
    return made;
}

bool SealedOutput::attach(SSL* ssl)
{
    BIO* const bio = method() != nullptr ? BIO_new(method()) : nullptr;
    if (bio == nullptr)
        return false;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set0_wbio(ssl, bio);
    is_attached_ = true;
    return true;
}

void SealedOutput::expect(std::size_t plain)
{
    records_.reserve(records_.size() + plain + (plain / kRecordBytes + 1) * kMostOverhead);
}

SealedOutput::Flushed SealedOutput::flush(int fd, int flags)
{
    Flushed result;
    while (!is_empty()) {
        const ssize_t taken = ::send(fd, records_.data() + sent_, records_.size() - sent_, MSG_NOSIGNAL | flags);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0) {
            result.os_error = errno == EWOULDBLOCK ? EAGAIN : errno;
            return result;
        }
        sent_ += static_cast<std::size_t>(taken);
        result.bytes += static_cast<std::size_t>(taken);
    }
    records_.clear();
    sent_ = 0;
    return result;
}

void SealedOutput::give_memory_back()
{
    if (is_empty())
        records_ = {};
}

} // namespace safetp::tls
