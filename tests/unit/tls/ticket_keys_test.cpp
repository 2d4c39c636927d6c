// Keys that several processes come to without a word.
#include "tls/support.h"
#include "tls/tickets.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

namespace safetp::tls::test {
namespace {

constexpr std::chrono::seconds kLifetime{7200};

struct MacContext {
    MacContext()
    {
        EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
        context = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac);
    }
    ~MacContext() { EVP_MAC_CTX_free(context); }
    EVP_MAC_CTX* context;
};

using Name = std::array<unsigned char, 16>;

class TicketKeysTest : public testing::Test {
protected:
    ~TicketKeysTest() override { clock_offset = 0; }

    Name seal()
    {
        Name name{};
        unsigned char iv[EVP_MAX_IV_LENGTH]{};
        const MacContext mac;
        EVP_CIPHER_CTX* const cipher = EVP_CIPHER_CTX_new();
        EXPECT_EQ(keys.seal(name.data(), iv, cipher, mac.context), 1);
        EVP_CIPHER_CTX_free(cipher);
        return name;
    }

    bool opens(const Name& name)
    {
        const unsigned char iv[EVP_MAX_IV_LENGTH]{};
        const MacContext mac;
        EVP_CIPHER_CTX* const cipher = EVP_CIPHER_CTX_new();
        const int opened = keys.open(name.data(), iv, cipher, mac.context);
        EVP_CIPHER_CTX_free(cipher);
        return opened == 1;
    }

    /// What another process, forked here, seals with when the clock has gone on so far.
    Name seal_elsewhere(std::chrono::seconds later)
    {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        const pid_t pid = ::fork();
        if (pid == 0) {
            clock_offset = later.count();
            const Name name = seal();
            ::_exit(::write(ends[1], name.data(), name.size()) == static_cast<ssize_t>(name.size()) ? 0 : 1);
        }
        ::close(ends[1]);
        Name name{};
        EXPECT_EQ(::read(ends[0], name.data(), name.size()), static_cast<ssize_t>(name.size()));
        ::close(ends[0]);
        ::waitpid(pid, nullptr, 0);
        return name;
    }

    TicketKeys keys{kLifetime};
};

TEST_F(TicketKeysTest, AreTheSameInEveryProcessAtEveryTime)
{
    ASSERT_TRUE(keys.prepare());
    for (const int lifetimes : {0, 1, 2, 5, 100}) {
        const Name elsewhere = seal_elsewhere(kLifetime * lifetimes);
        clock_offset = (kLifetime * lifetimes).count();
        EXPECT_TRUE(opens(elsewhere)) << lifetimes;
        EXPECT_EQ(seal(), elsewhere) << lifetimes;
        const Name late = seal_elsewhere(kLifetime * (lifetimes + 1)); // forked later
        clock_offset = (kLifetime * (lifetimes + 1)).count();
        EXPECT_TRUE(opens(late)) << lifetimes;
    }
}

TEST_F(TicketKeysTest, AreForgottenByAProcessThatServesNobody)
{
    ASSERT_TRUE(keys.prepare());
    const Name first = seal();
    clock_offset = (kLifetime * static_cast<int>(TicketKeys::kRetiredKeys)).count() + 1;
    ASSERT_TRUE(keys.renew());
    EXPECT_TRUE(opens(first)) << "for data connections of long sessions";
    clock_offset += kLifetime.count();
    ASSERT_TRUE(keys.renew());
    EXPECT_FALSE(opens(first));
}

TEST_F(TicketKeysTest, SurviveAClockThatJumps)
{
    ASSERT_TRUE(keys.prepare());
    const Name before = seal();
    clock_offset = std::chrono::seconds(std::chrono::hours(24 * 365 * 50)).count();
    const Name after = seal();
    EXPECT_NE(before, after);
    EXPECT_TRUE(opens(after));
    clock_offset = 0;
    EXPECT_EQ(seal(), after) << "a clock that goes back makes no new keys";
}

} // namespace
} // namespace safetp::tls::test
