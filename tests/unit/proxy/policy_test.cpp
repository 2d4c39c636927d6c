#include "proxy/environment.h"

#include <gtest/gtest.h>


namespace safetp::proxy {
namespace {

/// A listener with one setting changed.
template <typename T>
config::Listener with(T config::Listener::*member, T value)
{
    config::Listener listener;
    listener.*member = value;
    return listener;
}

TEST(MakePolicy, TheDefaultsAreTheStrictOnes)
{
    const auto policy = make_policy({}, {});
    EXPECT_EQ(policy.security, ftp::Security::required);
    EXPECT_TRUE(policy.data_security_required);
    EXPECT_FALSE(policy.implicit_tls);
    EXPECT_FALSE(policy.allow_ccc);
    EXPECT_EQ(policy.server_data_mode, ftp::ServerDataMode::automatic);
    EXPECT_EQ(policy.greeting, "");
}

TEST(MakePolicy, EverySecurityLevel)
{
    const auto of = [](config::Security security) { return make_policy({}, with(&config::Listener::security, security)).security; };
    EXPECT_EQ(of(config::Security::required), ftp::Security::required);
    EXPECT_EQ(of(config::Security::required_except_anonymous), ftp::Security::required_except_anonymous);
    EXPECT_EQ(of(config::Security::optional), ftp::Security::optional);
}

TEST(MakePolicy, EveryDataMode)
{
    const auto of = [](config::ServerDataMode mode) {
        config::Config config;
        config.server.data_mode = mode;
        return make_policy(config, {}).server_data_mode;
    };
    EXPECT_EQ(of(config::ServerDataMode::automatic), ftp::ServerDataMode::automatic);
    EXPECT_EQ(of(config::ServerDataMode::epsv), ftp::ServerDataMode::epsv);
    EXPECT_EQ(of(config::ServerDataMode::pasv), ftp::ServerDataMode::pasv);
    EXPECT_EQ(of(config::ServerDataMode::active), ftp::ServerDataMode::active);
}

TEST(MakePolicy, WhatTheListenerSays)
{
    EXPECT_FALSE(make_policy({}, with(&config::Listener::data_security, config::DataSecurity::optional)).data_security_required);
    EXPECT_TRUE(make_policy({}, with(&config::Listener::implicit_tls, true)).implicit_tls);
    EXPECT_TRUE(make_policy({}, with(&config::Listener::allow_ccc, true)).allow_ccc);
    const auto policy = make_policy({}, with(&config::Listener::implicit_tls, true));
    EXPECT_FALSE(policy.allow_ccc) << "each for itself";
}

TEST(MakePolicy, TheLimitsAndTheGreeting)
{
    config::Config config;
    config.limits.waiting_commands = 11;
    config.limits.reply_bytes = 12;
    config.limits.login_failures = 13;
    config.limits.bad_commands = 14;
    config.greeting = "welcome";
    const auto policy = make_policy(config, {});
    EXPECT_EQ(policy.waiting_commands, 11u);
    EXPECT_EQ(policy.reply_bytes, 12u);
    EXPECT_EQ(policy.login_failures, 13u);
    EXPECT_EQ(policy.bad_commands, 14u);
    EXPECT_EQ(policy.greeting, "welcome");
}

// What the dialogue takes where nobody asks and what the configuration takes must not drift apart.
TEST(MakePolicy, BothDefaultsAreOne)
{
    const auto policy = make_policy({}, {});
    const ftp::Policy own;
    EXPECT_EQ(policy.security, own.security);
    EXPECT_EQ(policy.data_security_required, own.data_security_required);
    EXPECT_EQ(policy.waiting_commands, own.waiting_commands);
    EXPECT_EQ(policy.reply_bytes, own.reply_bytes);
    EXPECT_EQ(policy.login_failures, own.login_failures);
    EXPECT_EQ(policy.bad_commands, own.bad_commands);
}

} // namespace
} // namespace safetp::proxy
