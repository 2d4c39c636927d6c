#include "wrapper/names.h"

#include "access/request.h"

#include <gtest/gtest.h>

namespace safetp::wrapper {

namespace {

IpAddress address(const char* text) { return IpAddress::parse(text).value(); }

ForwardAnswer answer(const std::string& canonical_name, std::vector<IpAddress> addresses)
{
    return {.has_failed = false, .canonical_name = canonical_name, .addresses = std::move(addresses)};
}

const IpAddress kClient = address("192.0.2.1");

TEST(JudgeName, KeepsANameWhoseAddressesHoldTheClients)
{
    const NameFinding good{"client.example", ""};
    EXPECT_EQ(judge_name(kClient, "client.example", false, answer("client.example", {kClient})), good);
    EXPECT_EQ(judge_name(kClient, "client.example", false, answer("CLIENT.Example", {address("192.0.2.9"), kClient})), good);
    const IpAddress six = address("2001:db8::1");
    EXPECT_EQ(judge_name(six, "client.example", false, answer("client.example", {six})), good);
    const IpAddress local = address("127.0.0.1");
    EXPECT_EQ(judge_name(local, "localhost", false, answer("myhost", {local})).value, "localhost");
}

TEST(JudgeName, DistrustsANameThatReadsAsAnAddress)
{
    const auto finding = judge_name(kClient, "10.0.0.1", true, {});
    EXPECT_EQ(finding.value, access::kParanoid);
    EXPECT_EQ(finding.warning, "host name/name mismatch: reverse lookup results in non-FQDN 10.0.0.1");
}

TEST(JudgeName, DistrustsANameThatCannotBeLookedUp)
{
    const ForwardAnswer failed{.has_failed = true, .canonical_name = {}, .addresses = {}};
    const auto finding = judge_name(kClient, "gone.example", false, failed);
    EXPECT_EQ(finding.value, access::kParanoid);
    EXPECT_EQ(finding.warning, "can't verify hostname: getaddrinfo(gone.example, AF_INET) failed");
    EXPECT_EQ(judge_name(address("2001:db8::1"), "gone.example", false, failed).warning,
        "can't verify hostname: getaddrinfo(gone.example, AF_INET6) failed");
}

TEST(JudgeName, DistrustsAnotherCanonicalName)
{
    const auto finding = judge_name(kClient, "alias.example", false, answer("real.example", {kClient}));
    EXPECT_EQ(finding.value, access::kParanoid);
    EXPECT_EQ(finding.warning, "host name/name mismatch: alias.example != real.example");
    EXPECT_EQ(judge_name(kClient, "alias.example", false, answer("", {kClient})).value, access::kParanoid);
}

TEST(JudgeName, DistrustsANameWithoutTheAddress)
{
    const auto finding = judge_name(kClient, "bank.example", false, answer("bank.example", {address("192.0.2.2")}));
    EXPECT_EQ(finding.value, access::kParanoid);
    EXPECT_EQ(finding.warning, "host name/address mismatch: 192.0.2.1 != bank.example");
    const auto local = judge_name(address("127.0.0.12"), "localhost", false, answer("localhost", {address("127.0.0.1")}));
    EXPECT_EQ(local.value, access::kParanoid);
}

TEST(NumericText, PrintsAsGetnameinfoDoes)
{
    EXPECT_EQ(numeric_text(to_socket_address({kClient, 21})), "192.0.2.1");
    EXPECT_EQ(numeric_text(to_socket_address({address("2001:db8::1"), 21})), "2001:db8::1");
    EXPECT_EQ(numeric_text({}), access::kUnknown);
}

} // namespace

} // namespace safetp::wrapper
