#include "tls/ticket_key.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <new>
#include <set>

namespace safetp::tls {
namespace {

TEST(TicketKey, IsAnotherForEachSession)
{
    std::set<TicketKey::Name> names;
    std::set<TicketKey::Secret> secrets;
    for (int i = 0; i < 1000; ++i) {
        const TicketKey key;
        names.insert(key.name());
        secrets.insert(key.cipher_key());
        secrets.insert(key.mac_key());
    }
    EXPECT_EQ(names.size(), 1000u);
    EXPECT_EQ(secrets.size(), 2000u);
}

TEST(TicketKey, NameBeginsWithTheGatewayAndTheWorker)
{
    const TicketKey key(0x0102, 0xfffe);
    EXPECT_EQ((std::array{key.name()[0], key.name()[1], key.name()[2], key.name()[3]}),
        (std::array<unsigned char, 4>{0x01, 0x02, 0xff, 0xfe}));
}

TEST(TicketKey, IsWiped)
{
    alignas(TicketKey) unsigned char place[sizeof(TicketKey)];
    const auto* const key = new (place) TicketKey;
    const TicketKey::Secret secrets[] = {key->cipher_key(), key->mac_key()};
    key->~TicketKey();
    for (const TicketKey::Secret& secret : secrets)
        EXPECT_EQ(std::ranges::search(place, secret).size(), 0u);
}

} // namespace
} // namespace safetp::tls
