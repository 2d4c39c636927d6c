// Addresses in FTP text: what PORT and EPRT accept, and how a port is found in 227 and 229.
#include "ftp/host_port.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace safetp::ftp {
namespace {

using std::string_literals::operator""s;

Endpoint endpoint(const char* address, std::uint16_t port) { return {*IpAddress::parse(address), port}; }

TEST(ParsePort, Accepts)
{
    EXPECT_EQ(parse_port_argument("192,0,2,1,4,0"), endpoint("192.0.2.1", 1'024));
    EXPECT_EQ(parse_port_argument("0,0,0,0,0,0"), endpoint("0.0.0.0", 0));
    EXPECT_EQ(parse_port_argument("255,255,255,255,255,255"), endpoint("255.255.255.255", 65'535));
    EXPECT_EQ(parse_port_argument("127,0,0,1,0,21"), endpoint("127.0.0.1", 21));
    EXPECT_EQ(parse_port_argument("10,1,2,3,195,80"), endpoint("10.1.2.3", 50'000));
    EXPECT_EQ(parse_port_argument("010,001,002,003,195,080"), endpoint("10.1.2.3", 50'000)) << "zeros in front mean nothing";
}

TEST(ParsePort, Refuses)
{
    for (const auto& argument : std::vector<std::string>{"", ",", "1", "192,0,2,1", "192,0,2,1,4", "192,0,2,1,4,",
             "192,0,2,1,4,0,", "192,0,2,1,4,0,0", "192,0,2,1,4,0 ", " 192,0,2,1,4,0", "192, 0,2,1,4,0", "192 ,0,2,1,4,0",
             "192,0,2,1,4,256", "192,0,2,1,256,0", "256,0,2,1,4,0", "192,0,2,1,4,-1", "-1,0,2,1,4,0", "192,0,2,+1,4,0",
             "192,0,2,0x1,4,0", "0xc0,0,2,1,4,0", "192,0,2,,4,0", ",192,0,2,1,4,0", "192.0.2.1,4,0", "192.0.2.1:1024",
             "192,0,2,1,4,0x", "a,b,c,d,e,f", "(192,0,2,1,4,0)", "4294967488,0,2,1,4,0", "99999999999999999999,0,2,1,4,0",
             "192;0;2;1;4;0", "192,0,2,1,4,0\0"s, "192,0,2,1,4,\0"s, "::1,4,0", "|1|192.0.2.1|1024|", "\xff,0,2,1,4,0"})
        EXPECT_FALSE(parse_port_argument(argument)) << testing::PrintToString(argument);
}

TEST(ParseEprt, Accepts)
{
    EXPECT_EQ(parse_eprt_argument("|1|192.0.2.1|6275|"), endpoint("192.0.2.1", 6'275));
    EXPECT_EQ(parse_eprt_argument("|2|2001:db8::1|5282|"), endpoint("2001:db8::1", 5'282));
    EXPECT_EQ(parse_eprt_argument("|2|1080::8:800:200C:417A|5282|"), endpoint("1080::8:800:200c:417a", 5'282));
    EXPECT_EQ(parse_eprt_argument("|2|::|1024|"), endpoint("::", 1'024)) << "whom to believe is decided elsewhere";
    EXPECT_EQ(parse_eprt_argument("|1|192.0.2.1|0|"), endpoint("192.0.2.1", 0));
    EXPECT_EQ(parse_eprt_argument("|1|192.0.2.1|65535|"), endpoint("192.0.2.1", 65'535));
    EXPECT_EQ(parse_eprt_argument("|2|::ffff:192.0.2.1|1024|"), endpoint("192.0.2.1", 1'024)) << "mapped is IPv4";
    EXPECT_EQ(parse_eprt_argument("|2|::ffff:c000:201|1024|"), endpoint("192.0.2.1", 1'024)) << "mapped, in hexadecimal";
    EXPECT_NE(*parse_eprt_argument("|2|::192.0.2.1|1024|"), endpoint("192.0.2.1", 1'024)) << "compatible is not mapped";
}

TEST(ParseEprt, AcceptsEveryDelimiterThatIsNoDigit)
{
    for (int c = 0; c < 256; ++c) {
        const std::string d(1, static_cast<char>(c));
        const bool is_good = c >= 33 && c <= 126 && !(c >= '0' && c <= '9') && c != '.';
        const auto result = parse_eprt_argument(d + "1" + d + "192.0.2.1" + d + "6275" + d);
        ASSERT_EQ(result.has_value(), is_good) << c;
        EXPECT_EQ(result.value_or(endpoint("192.0.2.1", 6'275)), endpoint("192.0.2.1", 6'275)) << c;
    }
}

TEST(ParseEprt, RefusesMalformed)
{
    for (const auto& argument :
        std::vector<std::string>{"", "|", "||", "|||", "||||", "|||||", "|1|192.0.2.1|6275", "|1|192.0.2.1|", "|1|192.0.2.1||",
            "|1|192.0.2.1|6275| ", "|1|192.0.2.1|6275|x", "|1|192.0.2.1|6275||", "1|192.0.2.1|6275|", " |1|192.0.2.1|6275|",
            "|1 |192.0.2.1|6275|", "|1| 192.0.2.1|6275|", "|1|192.0.2.1 |6275|", "|1|192.0.2.1|6275 |", "|1|192.0.2.1| 6275|",
            "|1!192.0.2.1|6275|", "|1|192.0.2.1!6275|", "|1|192.0.2.1|6275!", "|1|192.0.2.1|65536|", "|1|192.0.2.1|-1|",
            "|1|192.0.2.1|+21|", "|1|192.0.2.1|0x1f|", "|1|192.0.2.1|99999999999999999999|", "|1|192.0.2.1|6275.0|",
            // other spellings of an address
            "|1|192.0.2|6275|", "|1|3221225985|6275|", "|1|0xc0000201|6275|", "|1|0300.0.2.1|6275|", "|1|0xc0.0.2.1|6275|",
            "|1||6275|", "|1|192.0.2.1.|6275|", "|1|192.0.2.256|6275|", "|1|localhost|6275|", "|1|ftp.example.org|6275|",
            "|1|192.0.2.1\0x|6275|"s, "|1|192.0.2.1\0|6275|"s, "|1|192,0,2,1|6275|", "|2|fe80::1%eth0|6275|",
            "|2|fe80::1%2|6275|", "|2|[::1]|6275|", "|2|::1::2|6275|", "|2|:::|6275|", "|2|1:2:3:4:5:6:7|6275|",
            "|2|12345::|6275|", "|2||6275|",
            // the family must be what the number says
            "|1|::1|6275|", "|2|192.0.2.1|6275|", "|1|::ffff:192.0.2.1|6275|", "|x|192.0.2.1|6275|", "|-1|192.0.2.1|6275|",
            "|65536|192.0.2.1|6275|", "192,0,2,1,4,0"}) {
        const auto result = parse_eprt_argument(argument);
        ASSERT_FALSE(result) << testing::PrintToString(argument);
        EXPECT_EQ(result.error(), EprtProblem::malformed) << testing::PrintToString(argument);
    }
}

TEST(ParseEprt, TellsAnUnknownProtocolFromNonsense)
{
    for (const char* argument : {"|3|192.0.2.1|6275|", "|0|192.0.2.1|6275|", "|9|anything|6275|", "|3||6275|", "|65535|x|1|"}) {
        const auto result = parse_eprt_argument(argument);
        ASSERT_FALSE(result) << argument;
        EXPECT_EQ(result.error(), EprtProblem::unknown_protocol) << argument;
    }
    for (const char* argument : {"|3|192.0.2.1|6275", "|3|192.0.2.1|x|", "|3|", "|3"}) {
        const auto result = parse_eprt_argument(argument);
        ASSERT_FALSE(result) << argument;
        EXPECT_EQ(result.error(), EprtProblem::malformed) << argument;
    }
}

struct PortCase {
    std::string line;
    std::optional<std::uint16_t> port;
};

TEST(PortOfPasvReply, FindsSixNumbersWhereverTheyStand)
{
    const std::vector<PortCase> cases{
        {"227 Entering Passive Mode (192,0,2,1,195,80)", 50'000},
        {"227 Entering Passive Mode (192,0,2,1,195,80).", 50'000},
        {"227 Entering Passive Mode. 192,0,2,1,195,80", 50'000},
        {"227 =192,0,2,1,195,80", 50'000},
        {"227 192,0,2,1,195,80", 50'000},
        {"227-192,0,2,1,195,80", 50'000},
        {"227 (0,0,0,0,4,1)", 1'025},
        {"227 (127,0,0,2,255,255) hello", 65'535},
        {"227 (127,0,0,1,0,0)", 0},
        {"227 2 ways 1,2 (127,0,0,1,4,0)", 1'024},
        {"227 999,1,2,3,4,5,6", 1'286},
        {"227 99999999999999999999,1,2,3,4,5,6", 1'286},
        {"227 1,2,3,4,5,x 127,0,0,1,4,0", 1'024},
        {"227 (127,0,0,1,4,256) (127,0,0,1,4,0)", 1'024},
        {"227 port 50000 at v6 (127,0,0,1,4,0)", 1'024},
    };
    for (const auto& [line, port] : cases)
        EXPECT_EQ(port_of_pasv_reply(line), port) << line;
}

TEST(PortOfPasvReply, RefusesWhereThereAreNone)
{
    for (const char* line :
        {"", "2", "227", "227 ", "227 Entering Passive Mode", "227 (1,2,3,4,5)", "227 1,2,3,4,5,", "227 1,2,3,4,5,256",
            "227 256,2,3,4,5,6", "227 1, 2, 3, 4, 5, 6", "227 1.2.3.4.5.6", "227 1;2;3;4;5;6", "227 (-1,-2,-3,-4,-5,-6)",
            "227 0x1,2,3,0x4,5,6", "227,1,2,3,4,5", "227 1,2,3,4,5,6666666666666666", "227 (|||50000|)"})
        EXPECT_FALSE(port_of_pasv_reply(line)) << line;
}

TEST(PortOfEpsvReply, Finds)
{
    const std::vector<PortCase> cases{
        {"229 Entering Extended Passive Mode (|||6446|)", 6'446},
        {"229 Entering Extended Passive Mode (|||6446|).", 6'446},
        {"229 (|||0|)", 0},
        {"229 (|||65535|)", 65'535},
        {"229 Extended Passive mode OK (!!!6446!)", 6'446},
        {"229 ($$$6446$)", 6'446},
        {"229 (|1|192.0.2.1|6446|)", 6'446},
        {"229 (|2|2001:db8::1|6446|)", 6'446},
        {"229 (|||6446|) a | b", 6'446},
        {"229 Entering (extended) passive mode (|||6446|)", 6'446},
        {"229 (see RFC 2428) (|||6446|)", 6'446},
        {"229-(|||6446|)", 6'446},
    };
    for (const auto& [line, port] : cases)
        EXPECT_EQ(port_of_epsv_reply(line), port) << line;
}

TEST(PortOfEpsvReply, Refuses)
{
    for (const auto& line : std::vector<std::string>{"", "229", "229 ", "229 Entering Extended Passive Mode", "229 |||6446|",
             "229 (", "229 ()", "229 (|", "229 (||)", "229 (||6446|)", "229 (|||)", "229 (||||)", "229 (|||6446)",
             "229 (|||6446!)", "229 (|||65536|)", "229 (|||-1|)", "229 (|||+1|)", "229 (||| 6446|)", "229 (|||6446 |)",
             "229 (|||x|)", "229 (|||0x10|)", "229 (6446)", "229 (1116446 1)", "229 (   6446 )", "229 (\t\t\t6446\t)",
             "229 (\xff\xff\xff"s + "6446\xff)", "229 (|||99999999999999999999|)", "229 (||||6446|)", "229 (192,0,2,1,4,0)"})
        EXPECT_FALSE(port_of_epsv_reply(line)) << testing::PrintToString(line);
}

TEST(PortOfEpsvReply, AcceptsEveryDelimiterThatIsNoDigit)
{
    for (int c = 0; c < 256; ++c) {
        const std::string d(1, static_cast<char>(c));
        const bool is_good = c >= 33 && c <= 126 && !(c >= '0' && c <= '9');
        EXPECT_EQ(port_of_epsv_reply("229 Mode (" + d + d + d + "6446" + d + ")").has_value(), is_good) << c;
    }
}

TEST(Arguments, AreWhatTheParsersRead)
{
    for (const auto& original : {endpoint("192.0.2.1", 1'024), endpoint("127.0.0.1", 65'535), endpoint("0.0.0.0", 0)}) {
        EXPECT_EQ(parse_port_argument(port_argument(original)), original);
        EXPECT_EQ(parse_eprt_argument(eprt_argument(original)), original);
        EXPECT_EQ(port_of_pasv_reply("227 (" + port_argument(original) + ")"), original.port);
    }
    for (const auto& original : {endpoint("2001:db8::1", 1'024), endpoint("::1", 65'535)})
        EXPECT_EQ(parse_eprt_argument(eprt_argument(original)), original);
    EXPECT_EQ(port_argument(endpoint("192.0.2.1", 50'000)), "192,0,2,1,195,80");
    EXPECT_EQ(eprt_argument(endpoint("192.0.2.1", 50'000)), "|1|192.0.2.1|50000|");
    EXPECT_EQ(eprt_argument(endpoint("2001:db8::1", 21)), "|2|2001:db8::1|21|");
}

} // namespace
} // namespace safetp::ftp
