#include "access/net_pattern.h"
#include "access/string_pattern.h"

#include <gtest/gtest.h>

namespace safetp::access {

namespace {

struct TextCase {
    std::string pattern;
    std::string subject;
    bool matches;
};

class TextPatterns : public testing::TestWithParam<TextCase> { };

TEST_P(TextPatterns, Match)
{
    EXPECT_EQ(matches_text(GetParam().pattern, GetParam().subject), GetParam().matches)
        << GetParam().pattern << " against " << GetParam().subject;
}

INSTANTIATE_TEST_SUITE_P(Table, TextPatterns,
    testing::Values(TextCase{"ALL", "", true}, TextCase{"all", "x", true}, TextCase{"KNOWN", "x", true},
        TextCase{"KNOWN", "Unknown", false}, TextCase{"KNOWN", "paranoid", true}, TextCase{"UNKNOWN", "unknown", true},
        TextCase{"10.1.2.3", "10.1.2.3", true}, TextCase{"10.1.2.03", "10.1.2.3", false}, TextCase{"10.1.", "10.1.2.3", true},
        TextCase{"10.1.", "10.11.2.3", false}, TextCase{"ws.", "WS.example", true}, TextCase{".2.3", "10.1.2.3", true},
        TextCase{".example", "a.Example", true}, TextCase{".example", ".example", false},
        TextCase{".example", "example", false}, TextCase{".", "a.", true}, TextCase{".", ".", false},
        TextCase{"10.1.2.3", "::ffff:10.1.2.3", true}, TextCase{"10.1.2.3", "::FFFF:10.1.2.3", true},
        TextCase{"10.1.2.3", "::ffff:a01:203", false}, TextCase{"::ffff:10.1.2.3", "::ffff:10.1.2.3", false},
        TextCase{"[2001:db8::1]", "2001:DB8:0::1", true}, TextCase{"[2001:db8::1]", "2001:db8::2", false},
        TextCase{"[2001:db8::1]", "10.1.2.3", false}, TextCase{"[10.1.2.3]", "10.1.2.3", false},
        TextCase{"[::ffff:10.1.2.3]", "::ffff:10.1.2.3", false}, TextCase{"[::ffff:10.1.2.3]", "::ffff:a01:203", true},
        TextCase{"[]", "", false}, TextCase{"[", "[", true}, TextCase{"[fe80::1%1]", "fe80::1", true},
        TextCase{"[fe80::1%no-such-if]", "fe80::1", false}, TextCase{"2001:db8::1", "2001:db8::1", true},
        TextCase{"*", "", true}, TextCase{"*", "x", true}, TextCase{"**", "", false}, TextCase{"**", "x", true},
        TextCase{"***", "x", true}, TextCase{"a**", "a", false}, TextCase{"a**", "ab", true}, TextCase{"a**b", "ab", true},
        TextCase{"*?", "", false}, TextCase{"?*", "x", true}, TextCase{"?", "xy", false},
        TextCase{"*.EXAMPLE", "a.example", true}, TextCase{"*b*c", "abxbc", true}, TextCase{"*b*c", "abxbd", false},
        TextCase{"a*", "ba", false}, TextCase{"", "", true}, TextCase{"", "x", false}, TextCase{"ALL*", "x", false}));

TEST(TextPatterns, ManyStarsTakeBoundedTime)
{
    std::string pattern;
    for (int i = 0; i < 60; ++i)
        pattern += "*a";
    EXPECT_FALSE(matches_text(pattern + "*b", std::string(4000, 'a'))); // ends only if the cost is not exponential
}

struct PortCase {
    std::string token;
    std::optional<std::uint16_t> port;
};

class Ports : public testing::TestWithParam<PortCase> { };

TEST_P(Ports, AreScannedAsByLibwrap) { EXPECT_EQ(port_number(GetParam().token), GetParam().port) << GetParam().token; }

INSTANTIATE_TEST_SUITE_P(Table, Ports,
    testing::Values(PortCase{"21", 21}, PortCase{"+21", 21}, PortCase{"0021", 21}, PortCase{"0", 0}, PortCase{"65535", 65535},
        PortCase{"65536", {}}, PortCase{"4294967317", 21}, PortCase{"-4294967275", 21}, PortCase{"-1", {}}, PortCase{"21x", {}},
        PortCase{"x21", {}}, PortCase{"", {}}, PortCase{"+", {}}, PortCase{"-", {}}, PortCase{"ftp", {}},
        PortCase{"99999999999999999999999", {}}));

struct NetCase {
    std::string net, mask, address;
    bool strict;
    bool safe_granting;
    bool safe_refusing;
    bool complains = false; ///< where it grants
};

class Nets : public testing::TestWithParam<NetCase> { };

TEST_P(Nets, Match)
{
    const NetCase& net = GetParam();
    const std::string what = net.net + "/" + net.mask + " against " + net.address;
    EXPECT_EQ(matches_net(net.net, net.mask, net.address), net.strict) << what;
    const NetMatch granting = matches_net_safely(net.net, net.mask, net.address, false);
    EXPECT_EQ(granting.matches, net.safe_granting) << what;
    EXPECT_EQ(!granting.complaint.empty(), net.complains) << what << ": " << granting.complaint;
    const NetMatch refusing = matches_net_safely(net.net, net.mask, net.address, true);
    EXPECT_EQ(refusing.matches, net.safe_refusing) << what;
    EXPECT_TRUE(refusing.matches == net.strict || !refusing.complaint.empty()) << what;
}

INSTANTIATE_TEST_SUITE_P(Ipv4, Nets,
    testing::Values(NetCase{"10.1.2.0", "24", "10.1.2.3", true, true, true},
        NetCase{"10.1.2.0", "24", "10.1.3.3", false, false, false},
        NetCase{"10.1.2.0", "255.255.255.0", "10.1.2.3", true, true, true},
        NetCase{"10.0.0.3", "255.0.0.255", "10.9.9.3", true, true, true},
        NetCase{"10.1.2.0", "24", "::ffff:10.1.2.3", true, true, true},
        NetCase{"10.1.2.0", "24", "::ffff:a01:203", false, false, false},
        NetCase{"10.1.2.3", "32", "10.1.2.3", true, true, true},
        NetCase{"10.1.2.3", "24", "10.1.2.3", false, false, true, true},
        NetCase{"10.1.2.3", "24", "10.1.3.3", false, false, false},
        NetCase{"10.1.2.3", "255.255.255.255", "10.1.2.3", false, false, true, true},
        NetCase{"10.1.2.3", "255.255.255.255", "10.1.2.4", false, false, false},
        NetCase{"0.0.0.0", "0", "10.1.2.3", false, false, true, true},
        NetCase{"0.0.0.0", "0.0.0.0", "10.1.2.3", true, true, true},
        NetCase{"10.1.2.3", "0", "10.1.2.3", false, false, true, true},
        NetCase{"0.0.0.0", "0", "2001:db8::1", false, false, false},
        NetCase{"012.0.0.0", "8", "10.1.2.3", true, false, true, true},
        NetCase{"0xa.0.0.0", "8", "10.1.2.3", true, false, true, true},
        NetCase{"10.0.0.0", "8x", "10.1.2.3", true, false, true, true},
        NetCase{"10.0.0.0", "8/9", "10.1.2.3", true, false, true, true},
        NetCase{"10.0.0.0", "8x", "11.1.2.3", false, false, false},
        NetCase{"10.0.0.0", "33", "10.1.2.3", false, false, true, true},
        NetCase{"10.0.0.0", "", "11.1.2.3", false, false, true, true},
        NetCase{"10.0.0.0", "-8", "11.1.2.3", false, false, true, true},
        NetCase{"10.0.0", "8", "10.1.2.3", false, false, true, true},
        NetCase{"10.0.0", "8", "2001:db8::1", false, false, true, true},
        NetCase{"10.0.0.0", "8", "unknown", false, false, false}, NetCase{"10.0.0.0", "33", "unknown", false, false, false},
        NetCase{"10.0.0.0", "8", "255.255.255.255", false, false, false}));

INSTANTIATE_TEST_SUITE_P(Ipv6, Nets,
    testing::Values(NetCase{"[2001:db8::]", "32", "2001:db8:1::1", true, true, true},
        NetCase{"[2001:db8::]", "32", "2001:db9::1", false, false, false},
        NetCase{"[2001:db8::5]", "32", "2001:db8:1::1", true, true, true},
        NetCase{"[2001:db8:8000::]", "33", "2001:db8:ffff::1", true, true, true},
        NetCase{"[2001:db8:8000::]", "33", "2001:db8:7fff::1", false, false, false},
        NetCase{"[::]", "0", "2001:db8::1", true, true, true}, NetCase{"[::]", "0", "10.1.2.3", false, false, false},
        NetCase{"[::]", "0", "::ffff:10.1.2.3", false, false, false},
        NetCase{"[2001:db8::1]", "128", "2001:db8::1", true, true, true},
        NetCase{"[2001:db8::1]", "128", "2001:db8::2", false, false, false},
        NetCase{"[2001:db8::]", "", "2001:db9::1", true, false, true, true},
        NetCase{"[2001:db8::]", "junk", "2001:db9::1", true, false, true, true},
        NetCase{"[2001:db8::]", "129", "2001:db8::1", false, false, true, true},
        NetCase{"[2001:db8::]", "-1", "2001:db8::1", false, false, true, true},
        NetCase{"[nonsense]", "64", "2001:db8::1", false, false, true, true},
        NetCase{"[nonsense]", "64", "10.1.2.3", false, false, false}));

} // namespace
} // namespace safetp::access
