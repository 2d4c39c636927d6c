#include "tls/ticket_key.h"

#include <cstdlib>
#include <openssl/crypto.h>
#include <openssl/rand.h>

namespace safetp::tls {

namespace {

constexpr std::size_t kNumbersBytes = 4; ///< of the gateway and the worker

void draw(std::span<unsigned char> bytes)
{
    if (RAND_priv_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        std::abort(); // a key that can be guessed would let strangers' data connections in
}

} // namespace

TicketKey::TicketKey(std::uint16_t gateway, std::uint16_t worker)
{
    name_[0] = static_cast<unsigned char>(gateway >> 8);
    name_[1] = static_cast<unsigned char>(gateway);
    name_[2] = static_cast<unsigned char>(worker >> 8);
    name_[3] = static_cast<unsigned char>(worker);
    draw(std::span(name_).subspan<kNumbersBytes>());
    draw(cipher_key_);
    draw(mac_key_);
}

TicketKey::~TicketKey()
{
    OPENSSL_cleanse(cipher_key_.data(), cipher_key_.size());
    OPENSSL_cleanse(mac_key_.data(), mac_key_.size());
}

} // namespace safetp::tls
