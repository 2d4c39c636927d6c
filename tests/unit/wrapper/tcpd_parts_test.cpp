#include "wrapper/daemon_name.h"
#include "wrapper/ip_options.h"
#include "wrapper/syslog.h"

#include <gtest/gtest.h>
#include <syslog.h>
#include <vector>

namespace safetp::wrapper {

namespace {

TEST(FindDaemon, TakesAPathAsItStands)
{
    EXPECT_EQ(find_daemon("/opt/ftp/sbin/wu.ftpd"), (Daemon{"wu.ftpd", "/opt/ftp/sbin/wu.ftpd"}));
    EXPECT_EQ(find_daemon("/x"), (Daemon{"x", "/x"}));
    EXPECT_EQ(find_daemon("/opt/"), (Daemon{"", "/opt/"}));
}

TEST(FindDaemon, LooksForANameInTheDaemonsDirectory)
{
    EXPECT_EQ(find_daemon("wu.ftpd"), (Daemon{"wu.ftpd", "/usr/sbin/wu.ftpd"}));
    EXPECT_EQ(find_daemon("../lib/x"), (Daemon{"../lib/x", "/usr/sbin/../lib/x"})); // the name stays whole
    EXPECT_EQ(find_daemon(""), (Daemon{"", "/usr/sbin/"}));
}

TEST(HasSourceRoute, FindsBothKindsBehindOthers)
{
    const std::vector<std::uint8_t> loose{0x83, 7, 4, 192, 0, 2, 1};
    const std::vector<std::uint8_t> strict{0x89, 7, 4, 192, 0, 2, 1};
    EXPECT_TRUE(has_source_route(loose));
    EXPECT_TRUE(has_source_route(strict));
    std::vector<std::uint8_t> behind{1, 1, 7, 3, 4};
    behind.insert(behind.end(), loose.begin(), loose.end());
    EXPECT_TRUE(has_source_route(behind));
}

TEST(HasSourceRoute, IsNotMisledByOthers)
{
    EXPECT_FALSE(has_source_route({}));
    EXPECT_FALSE(has_source_route(std::vector<std::uint8_t>{1, 1, 0, 0x83, 7, 4}));       // behind the end of the list
    EXPECT_FALSE(has_source_route(std::vector<std::uint8_t>{7, 7, 4, 0x83, 0x83, 0, 0})); // an address that looks like it
    EXPECT_FALSE(has_source_route(std::vector<std::uint8_t>{7}));                         // cut off
    EXPECT_FALSE(has_source_route(std::vector<std::uint8_t>{7, 0, 0x83}));                // would never advance
    EXPECT_FALSE(has_source_route(std::vector<std::uint8_t>{7, 40, 4}));                  // longer than all
}

TEST(PriorityOf, KnowsTheWordsOfEvaluations)
{
    EXPECT_EQ(priority_of("err"), LOG_ERR);
    EXPECT_EQ(priority_of("daemon.warning"), LOG_DAEMON | LOG_WARNING);
    EXPECT_EQ(priority_of("MAIL.Info"), LOG_MAIL | LOG_INFO);
    EXPECT_EQ(priority_of("local7.debug"), LOG_LOCAL7 | LOG_DEBUG);
    EXPECT_EQ(priority_of("uucp.notice"), LOG_UUCP | LOG_NOTICE);
}

TEST(PriorityOf, RefusesOtherWords)
{
    for (const char* word :
        {"", ".", "warn", "panic", "none", "ftp", "ftp.info", "authpriv.info", "mail.", ".info", "mail.info.x", "local8.info"})
        EXPECT_FALSE(priority_of(word)) << word;
}

TEST(OneLine, KeepsAClientsWordsOnTheirLine)
{
    EXPECT_EQ(one_line("connect from bob@host (192.0.2.1)"), "connect from bob@host (192.0.2.1)");
    EXPECT_EQ(one_line("x\ny\r\x1b[1m\x7f\tz"), "x?y??[1m??z");
}

} // namespace

} // namespace safetp::wrapper
