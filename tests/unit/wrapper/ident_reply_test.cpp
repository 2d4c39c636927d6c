#include "wrapper/ident_reply.h"

#include <gtest/gtest.h>
#include <string>

namespace safetp::wrapper {

namespace {

constexpr IdentPorts kPorts{40000, 21};

std::optional<std::string> parse(std::string_view reply) { return parse_ident_reply(reply, kPorts); }

TEST(IdentQuery, NamesTheClientsPortFirst) { EXPECT_EQ(ident_query(kPorts), "40000,21\r\n"); }

TEST(IdentReply, GivesTheUser)
{
    EXPECT_EQ(parse("40000 , 21 : USERID : UNIX : bob\r\n"), "bob");
    EXPECT_EQ(parse("40000,21:USERID:UNIX:bob\n"), "bob");
    EXPECT_EQ(parse("  40000\t,\t21 :USERID:OTHER,UTF-8:bob\r\n"), "bob");
    EXPECT_EQ(parse("40000, 21 : USERID : UNIX : a:b:c\r\n"), "a:b:c");
    EXPECT_EQ(parse("40000, 21 : USERID : UNIX : bob the builder\r\n"), "bob");
    EXPECT_EQ(parse("40000, 21 : USERID : UNIX : unknown\r\n"), "unknown");
    EXPECT_EQ(parse("40000, 21 : USERID : UNIX : bob\r\nnext line"), "bob");
    EXPECT_EQ(parse("40000, 21 : USERID : UNIX : " + std::string(200, 'u') + "\r\n"), std::string(127, 'u'));
}

TEST(IdentReply, RefusesErrorsAndOtherPorts)
{
    EXPECT_FALSE(parse("40000 , 21 : ERROR : NO-USER\r\n"));
    EXPECT_FALSE(parse("40001 , 21 : USERID : UNIX : bob\r\n"));
    EXPECT_FALSE(parse("40000 , 22 : USERID : UNIX : bob\r\n"));
    EXPECT_FALSE(parse("21 , 40000 : USERID : UNIX : bob\r\n"));
    EXPECT_FALSE(parse("-25536 , 21 : USERID : UNIX : bob\r\n"));
    EXPECT_FALSE(parse("4295007296 , 21 : USERID : UNIX : bob\r\n")); // 2^32 more
}

TEST(IdentReply, RefusesWhatIsNotTheFormat)
{
    EXPECT_FALSE(parse("40000 , 21 : userid : UNIX : bob\r\n"));
    EXPECT_FALSE(parse("40000 , 21 : USERID : UNIX : \r\n"));
    EXPECT_FALSE(parse("40000 , 21 : USERID :: bob\r\n"));
    EXPECT_FALSE(parse("40000 , 21 : USERID : UNIX\r\n"));
    EXPECT_FALSE(parse("40000 21 : USERID : UNIX : bob\r\n"));
    EXPECT_FALSE(parse("\r\n"));
    EXPECT_FALSE(parse(""));
    EXPECT_FALSE(parse("40000 , 21 : USERID : UNIX : bob")); // the connection ended before the line did
    EXPECT_FALSE(parse("40000 , 21 : USERID : UN\nIX : bob\r\n"));
    EXPECT_FALSE(parse(std::string("40000 , 21 : USERID : UNIX\0 : bob\r\n", 35)));
}

TEST(IdentReply, IsCompleteAtItsLineEndOrWhereNobodyLooksAnyMore)
{
    EXPECT_FALSE(is_ident_reply_complete(""));
    EXPECT_FALSE(is_ident_reply_complete("40000"));
    EXPECT_TRUE(is_ident_reply_complete("40000\n"));
    EXPECT_FALSE(is_ident_reply_complete(std::string(510, 'x')));
    EXPECT_TRUE(is_ident_reply_complete(std::string(511, 'x')));
}

} // namespace

} // namespace safetp::wrapper
