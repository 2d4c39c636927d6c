#include "client/settings.h"

#include <gtest/gtest.h>

namespace safetp::client {
namespace {

const std::string kFingerprint = "SHA256:" + std::string(43, 'A');

/// What the text of a configuration makes of fresh settings.
Result<Settings> settings_from(const std::string& toml)
{
    const auto loaded = config::parse_client(toml, "safetp.toml");
    for (const config::Problem& problem : loaded.problems)
        ADD_FAILURE() << problem.to_string();
    Settings settings;
    if (const auto added = settings.add(loaded.config); !added)
        return std::unexpected(added.error());
    return settings;
}

TEST(Settings, AreSafeByThemselves)
{
    const Settings settings;
    EXPECT_EQ(settings.others.security, ServerSecurity::require);
    EXPECT_EQ(settings.others.trust.policy, TrustPolicy::pin);
    EXPECT_EQ(settings.minimum_tls, "1.2");
    EXPECT_TRUE(settings.servers.empty());
}

TEST(Settings, AServerTakesWhatIsSaidForAllUnlessItSaysOtherwise)
{
    const std::string for_all = "trust = \"ca\"\nsecurity = \"prefer\"\nminimum_tls = \"1.3\"\n";
    const std::string first = "[[server]]\nhost = \"Ftp.Example.com.\"\nsecurity = \"require\"\n";
    const std::string second = "[[server]]\nhost = \"192.0.2.1\"\nport = 2121\ntrust = \"ca+pin\"\n";
    const auto settings = settings_from(for_all + first + second + "pin = [\"" + kFingerprint + "\"]\n");
    ASSERT_TRUE(settings) << describe(settings.error());
    EXPECT_EQ(settings->others.security, ServerSecurity::prefer);
    EXPECT_EQ(settings->minimum_tls, "1.3");
    ASSERT_EQ(settings->servers.size(), 2u);
    const ServerSettings& named = settings->servers[0];
    EXPECT_EQ(named.name.to_string(), "ftp.example.com:21");
    EXPECT_EQ(named.security, ServerSecurity::require);
    EXPECT_EQ(named.trust.policy, TrustPolicy::ca);
    const ServerSettings& numbered = settings->servers[1];
    EXPECT_EQ(numbered.name.to_string(), "192.0.2.1:2121");
    EXPECT_EQ(numbered.security, ServerSecurity::prefer);
    EXPECT_EQ(numbered.trust.policy, TrustPolicy::ca_and_pin);
    EXPECT_EQ(numbered.trust.configured_pins, std::vector{kFingerprint});
}

TEST(Settings, ImplicitTlsHasAPortOfItsOwn)
{
    const auto settings = settings_from("[[server]]\nhost = \"a\"\nimplicit_tls = true\n"
                                        "[[server]]\nhost = \"b\"\nimplicit_tls = true\nport = 2990\n");
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->servers[0].name.port, 990);
    EXPECT_EQ(settings->servers[1].name.port, 2990);
}

TEST(Settings, RefuseWhatCannotBe)
{
    for (const char* toml : {"[[server]]\nhost = \"two words\"\n", "[[server]]\nhost = \"a\"\npin = [\"SHA256:short\"]\n",
             "[[server]]\nhost = \"a:b:c\"\n"}) {
        const auto settings = settings_from(toml);
        ASSERT_FALSE(settings) << toml;
        EXPECT_EQ(settings.error().code, ErrorCode::bad_config);
    }
}

TEST(ClientConfig, NamesEveryProblem)
{
    const auto loaded = config::parse_client(
        "securty = \"require\"\n[[server]]\nport = 21\ntrust = \"everybody\"\n[timeouts]\nhandshake = \"0s\"\n", "safetp.toml");
    EXPECT_FALSE(loaded.is_usable());
    ASSERT_EQ(loaded.problems.size(), 4u);
    EXPECT_EQ(loaded.problems[0].line, 1u);
    EXPECT_NE(loaded.problems[0].text.find("did you mean \"security\""), std::string::npos) << loaded.problems[0].text;
    EXPECT_NE(loaded.problems[1].text.find("\"host\" is missing"), std::string::npos) << loaded.problems[1].text;
}

TEST(ClientConfig, HasNoPinForAllServersAndNoKeysOfTheDaemon)
{
    for (const char* toml : {"pin = [\"SHA256:x\"]\n", "[[listener]]\nport = 21\n", "[data]\npeer = \"any\"\n"})
        EXPECT_FALSE(config::parse_client(toml, "safetp.toml").is_usable()) << toml;
}

} // namespace
} // namespace safetp::client
