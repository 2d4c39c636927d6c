#include "base/system_log.h"

#include <gtest/gtest.h>

#include <cstring>
#include <regex.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <vector>

namespace safetp::log {
namespace {

/// A syslogd in a directory of the test's own.
class Syslogd {
public:
    explicit Syslogd(const std::string& path) : path_(path), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            std::abort();
    }
    Syslogd(const Syslogd&) = delete;
    ~Syslogd() { ::unlink(path_.c_str()); }

    std::vector<std::string> messages()
    {
        std::vector<std::string> result;
        char buffer[4096];
        for (ssize_t got; (got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
            result.emplace_back(buffer, static_cast<std::size_t>(got));
        return result;
    }

    /// Without what stands before them.
    std::vector<std::string> texts()
    {
        std::vector<std::string> result = messages();
        for (std::string& message : result)
            message.erase(0, message.find("]: ") + 3);
        return result;
    }

private:
    std::string path_;
    UniqueFd socket_;
};

class SystemLogTest : public testing::Test {
protected:
    SystemLogTest()
    {
        char pattern[] = "/tmp/safetp-syslog-XXXXXX";
        directory = ::mkdtemp(pattern);
        path = directory + "/log";
    }
    ~SystemLogTest() override { ::rmdir(directory.c_str()); }

    std::string directory;
    std::string path;
};

using Texts = std::vector<std::string>;

TEST_F(SystemLogTest, LinesLookAsThoseOfSyslog)
{
    Syslogd syslogd(path);
    SystemLog log(path.c_str());
    log.open(LOG_FTP);
    log.write(LOG_NOTICE, "#7 logged in");
    const auto messages = syslogd.messages();
    ASSERT_EQ(messages.size(), 1u);
    regex_t form;
    ASSERT_EQ(::regcomp(&form, "^<93>[A-Z][a-z][a-z] [ 123][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} safetpd\\[[0-9]+\\]: #7 logged in$",
                  REG_EXTENDED | REG_NOSUB),
        0);
    EXPECT_EQ(::regexec(&form, messages[0].c_str(), 0, nullptr, 0), 0) << messages[0];
    ::regfree(&form);
}

TEST_F(SystemLogTest, ASyslogdThatWasStartedAnewIsFoundByItsName)
{
    SystemLog log(path.c_str());
    log.open(LOG_FTP);
    log.write(LOG_INFO, "before there was one");
    {
        Syslogd first(path);
        log.write(LOG_INFO, "to the first");
        EXPECT_EQ(first.texts(), (Texts{"to the first", "1 log lines are missing here: syslogd did not take them"}));
    }
    log.write(LOG_INFO, "nobody is there");
    Syslogd second(path);
    log.write(LOG_INFO, "to the second");
    EXPECT_EQ(second.texts().front(), "to the second");
}

TEST_F(SystemLogTest, WhoCannotReachTheNameAsksOnceAndLosesNothingMeanwhile)
{
    unsigned asked = 0;
    SystemLog log(path.c_str());
    {
        Syslogd first(path);
        log.open(LOG_FTP);
        log.ask_with([&asked] { ++asked; });
        log.write(LOG_INFO, "to the first");
        EXPECT_EQ(first.texts(), Texts{"to the first"});
    }
    log.write(LOG_INFO, "one");
    Syslogd second(path); // would be found by its name, which must not be tried
    log.write(LOG_INFO, "two");
    EXPECT_EQ(asked, 1u);
    EXPECT_EQ(second.texts(), Texts{});
    log.give(connect_to_syslogd(path.c_str()));
    log.write(LOG_INFO, "three");
    EXPECT_EQ(second.texts(), (Texts{"one", "two", "three"}));
    EXPECT_EQ(asked, 1u);
}

TEST_F(SystemLogTest, LinesThatWaitAreBounded)
{
    SystemLog log(path.c_str());
    log.ask_with([] {});
    log.open(LOG_FTP);
    for (std::size_t i = 0; i < SystemLog::kMaxWaiting + 3; ++i)
        log.write(LOG_INFO, std::to_string(i));
    Syslogd syslogd(path);
    UniqueFd connection = connect_to_syslogd(path.c_str());
    // So many do not fit into the socket's queue at once, and nobody reads before give() is done.
    log.give(std::move(connection));
    const Texts first = syslogd.texts();
    ASSERT_FALSE(first.empty());
    EXPECT_EQ(first[0], "3") << "the newest are those that stay";
}

TEST_F(SystemLogTest, ASyslogdThatReadsNothingHoldsNobodyUp)
{
    constexpr std::size_t kMoreThanAnyQueue = 5000;
    Syslogd syslogd(path);
    SystemLog log(path.c_str());
    log.open(LOG_FTP);
    for (std::size_t i = 0; i < kMoreThanAnyQueue; ++i)
        log.write(LOG_INFO, "x"); // syslog(3) would stay here for ever
    const std::size_t taken = syslogd.messages().size();
    EXPECT_LT(taken, kMoreThanAnyQueue);
    log.write(LOG_INFO, "it reads again");
    const std::string lost = std::to_string(kMoreThanAnyQueue - taken);
    EXPECT_EQ(syslogd.texts(), (Texts{"it reads again", lost + " log lines are missing here: syslogd did not take them"}));
}

} // namespace
} // namespace safetp::log
