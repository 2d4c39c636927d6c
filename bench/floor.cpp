#include "floor.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <memory>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace safetp::bench {

namespace {

constexpr std::size_t kChunk = 512 * 1024;
constexpr std::size_t kRecord = 16 * 1024;

void require(bool holds, const char* what)
{
    if (!holds)
        throw std::runtime_error(what);
}

double cpu_seconds()
{
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double seal(std::uint64_t bytes)
{
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    const std::array<unsigned char, 32> key{};
    std::array<unsigned char, 12> nonce{};
    std::array<unsigned char, 16> tag{};
    std::vector<unsigned char> plain(kRecord), sealed(kRecord);
    require(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1, "EVP_EncryptInit_ex");
    const double before = cpu_seconds();
    for (std::uint64_t done = 0; done < bytes; done += kRecord) {
        int size = 0;
        ++nonce[0];
        require(EVP_EncryptInit_ex(context.get(), nullptr, nullptr, nullptr, nonce.data()) == 1
                && EVP_EncryptUpdate(context.get(), sealed.data(), &size, plain.data(), static_cast<int>(kRecord)) == 1
                && EVP_EncryptFinal_ex(context.get(), sealed.data(), &size) == 1
                && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag.size(), tag.data()) == 1,
            "AES-256-GCM");
    }
    return cpu_seconds() - before;
}

/// Two ends of a TCP connection over loopback.
std::pair<UniqueFd, UniqueFd> connected_pair()
{
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    require(::bind(listener.get(), any, length) == 0 && ::listen(listener.get(), 1) == 0
            && ::getsockname(listener.get(), any, &length) == 0,
        "listening on loopback");
    UniqueFd near(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(::connect(near.get(), any, length) == 0, "connecting on loopback");
    return {std::move(near), UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))};
}

/// A child that pours bytes into `to` or takes them out of `from` until the end.
template <typename Work>
pid_t start_child(Work work)
{
    const pid_t child = ::fork();
    require(child >= 0, "fork");
    if (child != 0)
        return child;
    work();
    ::_exit(0);
}

double move(std::uint64_t bytes)
{
    auto [source, from] = connected_pair();
    auto [to, sink] = connected_pair();
    std::vector<char> buffer(kChunk);
    const pid_t pouring = start_child([&] {
        for (std::uint64_t left = bytes; left > 0;) {
            const ssize_t sent = ::send(source.get(), buffer.data(), std::min<std::uint64_t>(left, kChunk), MSG_NOSIGNAL);
            if (sent <= 0)
                return;
            left -= static_cast<std::uint64_t>(sent);
        }
    });
    const pid_t taking = start_child([&, &sink = sink, &to = to] {
        to.reset();
        while (::recv(sink.get(), buffer.data(), buffer.size(), 0) > 0)
            continue;
    });
    source.reset();
    sink.reset();
    const double before = cpu_seconds();
    for (std::uint64_t done = 0; done < bytes;) {
        const ssize_t got = ::recv(from.get(), buffer.data(), buffer.size(), 0);
        require(got > 0, "receiving");
        for (ssize_t sent = 0; sent < got;) {
            const ssize_t more = ::send(to.get(), buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
            require(more > 0, "sending");
            sent += more;
        }
        done += static_cast<std::uint64_t>(got);
    }
    const double used = cpu_seconds() - before;
    to.reset();
    ::waitpid(pouring, nullptr, 0);
    ::waitpid(taking, nullptr, 0);
    return used;
}

} // namespace

Floor measure_floor(std::uint64_t bytes) { return {bytes, seal(bytes), move(bytes)}; }

} // namespace safetp::bench
