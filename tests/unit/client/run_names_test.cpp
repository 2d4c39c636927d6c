#include "client/run_service.h"

#include <gtest/gtest.h>

namespace safetp::client {

namespace {

std::vector<std::string> names(const std::vector<std::string>& words)
{
    std::vector<std::string> texts;
    for (const ServerName& name : names_in(words))
        texts.push_back(name.host + (name.port == 0 ? "" : ":" + std::to_string(name.port)));
    return texts;
}

using Texts = std::vector<std::string>;

TEST(NamesInCommand, FindsHostsAndUrls)
{
    EXPECT_EQ(names({"ftp", "ftp.example.com"}), Texts({"ftp.example.com"}));
    EXPECT_EQ(names({"ftp", "-n", "FTP.Example.com:2121", "2121"}), Texts({"ftp.example.com:2121"}));
    EXPECT_EQ(names({"curl", "ftp://scanner/in/"}), Texts({"scanner"}));
    EXPECT_EQ(names({"wget", "ftp://anna:se@cret@files.example.net:2100/a/b"}), Texts({"files.example.net:2100"}));
    EXPECT_EQ(names({"--url=ftp://h.example;type=a"}), Texts({"h.example"}));
}

TEST(NamesInCommand, NamesEachOnce)
{
    EXPECT_EQ(names({"a.example", "b.example", "a.example"}), Texts({"a.example", "b.example"}));
}

TEST(NamesInCommand, LeavesOtherWordsAlone)
{
    EXPECT_EQ(names({}), Texts());
    EXPECT_EQ(names({"ftp", "-n", "", "get", "localhost"}), Texts()); // a word without a dot may be anything
    EXPECT_EQ(names({"192.0.2.1", "[2001:db8::1]:21", "ftp://192.0.2.1/x", "2001:db8::1"}), Texts()); // names itself
    EXPECT_EQ(names({"/etc/ftp.conf", "a b.example", "a.example/x", "http://www.example.com/", "10.0.0.300"}), Texts());
    EXPECT_EQ(names({"ftp://", "ftp:///x", "ftp://@/", "ftp://h:99999/", "ftp://h:0/", "a.example:"}), Texts());
    EXPECT_EQ(names({std::string(300, 'a') + ".example"}), Texts());
    EXPECT_EQ(names({"sftp://h.example/x", "--to=sftp://h.example/x"}), Texts());
}

TEST(NamesForAddress, AreTheCommandsFirst)
{
    const Endpoint target{IpAddress::parse("192.0.2.7").value(), 2121};
    const std::vector<ServerName> known{{"b.example", 2121}, {"c.example", 21}, {"192.0.2.7", 2121}, {"a.example", 2121}};
    const NameChoice choice = names_for(target, {"ftp", "a.example", "x.example:21", "ftp://scanner:2121/"}, known);
    EXPECT_EQ(choice.candidates, Texts({"a.example", "scanner", "b.example"}));
    EXPECT_EQ(choice.from_words, 2);
    EXPECT_FALSE(choice.is_address_said);
    EXPECT_TRUE(names_for(target, {"ftp", "192.0.2.7"}, {}).is_address_said);
    EXPECT_TRUE(names_for(target, {"wget", "ftp://a:b@192.0.2.7:2121/x"}, {}).is_address_said);
}

TEST(PortsInCommand, AreThoseOfUrls)
{
    using Ports = std::set<std::uint16_t>;
    EXPECT_EQ(ports_in({"wget", "ftp://scanner:2100/in/", "--url=ftp://a:b@[2001:db8::1]:2101"}), Ports({2100, 2101}));
    EXPECT_EQ(ports_in({"wget", "ftp://192.0.2.1/x"}), Ports({21}));
    EXPECT_EQ(ports_in({"db.example:5432", "sftp://h:2222/x", "ftps://h:9900/", "http://h:8080/", "ftp://h:0/", ""}), Ports());
}

} // namespace

} // namespace safetp::client
