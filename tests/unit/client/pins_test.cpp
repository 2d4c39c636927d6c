#include "client/pins.h"

#include "client/pin_file.h"
#include "client/pin_line.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::client {
namespace {

const std::string kKey = "SHA256:" + std::string(42, 'a') + "A";
const std::string kOtherKey = "SHA256:" + std::string(42, 'b') + "A";

class Pins : public testing::Test {
protected:
    Pins()
    {
        std::string name = testing::TempDir() + "pins-XXXXXX";
        directory_ = ::mkdtemp(name.data());
        path_ = directory_ + "/sub/known_servers";
    }
    ~Pins() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& text) const
    {
        std::filesystem::create_directories(directory_ + "/sub");
        ::chmod((directory_ + "/sub").c_str(), 0700);
        std::ofstream(path_) << text;
        ::chmod(path_.c_str(), 0600);
    }
    std::string text() const
    {
        std::ostringstream all;
        all << std::ifstream(path_).rdbuf();
        return all.str();
    }
    static Pin pin(const std::string& server, const std::string& key)
    {
        return {.server = *ServerName::parse(server),
            .fingerprint = key,
            .first_seen = Seconds(std::chrono::seconds(1'700'000'000))};
    }

    std::string directory_;
    std::string path_;
};

TEST(Fingerprint, HasOneSpelling)
{
    const std::string digits(42, 'x');
    EXPECT_EQ(parse_fingerprint("SHA256:" + digits + "w"), "SHA256:" + digits + "w");
    EXPECT_EQ(parse_fingerprint("SHA256:" + digits + "w="), "SHA256:" + digits + "w");
    EXPECT_EQ(parse_fingerprint("sha256//" + digits + "w="), "SHA256:" + digits + "w");
    for (const std::string& bad : {std::string(), std::string("SHA256:"), "SHA256:" + digits, "SHA256:" + digits + "ww",
             "SHA256:" + digits + "x", "SHA256:" + digits + "w==", "SHA1:" + digits + "w", digits + "w",
             "SHA256:" + std::string(42, '-') + "A", "SHA256:" + std::string(42, ' ') + "A"})
        EXPECT_FALSE(parse_fingerprint(bad)) << bad;
}

TEST(PinLine, ReadsWhatItWrites)
{
    Pin pin{.server = *ServerName::parse("[2001:db8::1]:990"), .fingerprint = kKey};
    pin.first_seen = Seconds(std::chrono::seconds(1'700'000'000));
    for (const Pin::How how : {Pin::How::first_use, Pin::How::by_hand, Pin::How::config, Pin::How::authority}) {
        for (const bool is_secure : {false, true}) {
            pin.how = how;
            pin.has_been_secure = is_secure;
            pin.not_after = is_secure ? std::optional(pin.first_seen) : std::nullopt;
            const PinLine read = parse_pin_line(format_pin_line(pin));
            ASSERT_TRUE(std::holds_alternative<Pin>(read)) << format_pin_line(pin);
            EXPECT_EQ(format_pin_line(std::get<Pin>(read)), format_pin_line(pin));
        }
    }
    EXPECT_EQ(
        format_pin_line(pin), "[2001:db8::1]:990 " + kKey + " 2023-11-14T22:13:20Z authority 2023-11-14T22:13:20Z secure");
}

TEST(PinLine, ComplainsOfWhatItDoesNotUnderstand)
{
    const std::string rest = " 2023-11-14T22:13:20Z first-use - secure";
    for (const std::string& bad : {"host " + kKey, "host " + kKey + rest + " more", "host SHA256:short" + rest,
             "host " + kKey + " today first-use - secure", "host " + kKey + " 2023-11-14T22:13:20Z guessed - secure",
             "host " + kKey + " 2023-11-14T22:13:20Z first-use - maybe",
             "host " + kKey + " 2023-11-14T22:13:20Zx first-use - secure",
             "host " + kKey + " 2023-11-14T22:13:20Z first-use never secure"}) {
        const PinLine line = parse_pin_line(bad);
        ASSERT_TRUE(std::holds_alternative<BadLine>(line)) << bad;
        EXPECT_EQ(std::get<BadLine>(line).server, *ServerName::parse("host"));
    }
    const PinLine nobody = parse_pin_line("ho/st " + kKey + rest);
    ASSERT_TRUE(std::holds_alternative<BadLine>(nobody));
    EXPECT_FALSE(std::get<BadLine>(nobody).server);
    for (const char* comment : {"", "   ", "# host", "\t# host"})
        EXPECT_TRUE(std::holds_alternative<CommentLine>(parse_pin_line(comment))) << comment;
}

TEST_F(Pins, MissingFileIsAnEmptyStoreAndIsNotMade)
{
    const PinStore store(path_);
    const auto known = store.find(*ServerName::parse("host"));
    ASSERT_TRUE(known);
    EXPECT_TRUE(known->pins.empty());
    EXPECT_FALSE(known->must_be_secure);
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/sub"));
}

TEST_F(Pins, RemembersPrivately)
{
    PinStore store(path_);
    ASSERT_TRUE(store.remember(pin("host", kKey)));
    struct stat status { };
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    ASSERT_EQ(::stat((directory_ + "/sub").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
    const auto known = store.find(*ServerName::parse("HOST.:21"));
    ASSERT_EQ(known->pins.size(), 1U);
    EXPECT_EQ(known->pins[0].fingerprint, kKey);
    EXPECT_TRUE(known->must_be_secure);
    EXPECT_TRUE(store.find(*ServerName::parse("host:22"))->pins.empty());
    EXPECT_TRUE(text().starts_with("#"));
    EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(Pins, WhoComesSecondGetsWhatTheFirstRemembered)
{
    PinStore store(path_);
    ASSERT_TRUE(store.remember(pin("host", kKey)));
    const auto known = store.remember(pin("host", kOtherKey));
    ASSERT_EQ(known->pins.size(), 1U);
    EXPECT_EQ(known->pins[0].fingerprint, kKey);
}

TEST_F(Pins, SeveralKeysOfAServer)
{
    PinStore store(path_);
    EXPECT_TRUE(*store.add(pin("host", kKey)));
    EXPECT_TRUE(*store.add(pin("host", kOtherKey)));
    EXPECT_FALSE(*store.add(pin("host", kKey)));
    EXPECT_EQ(store.find(*ServerName::parse("host"))->pins.size(), 2U);
    EXPECT_EQ(*store.remove(*ServerName::parse("host"), kKey), 1U);
    EXPECT_EQ(*store.remove(*ServerName::parse("host"), kKey), 0U);
    EXPECT_EQ(store.find(*ServerName::parse("host"))->pins.at(0).fingerprint, kOtherKey);
}

TEST_F(Pins, SecureOnceIsSecureEver)
{
    PinStore store(path_);
    ASSERT_TRUE(store.note_secure(pin("host", "")));
    const auto known = store.find(*ServerName::parse("host"));
    EXPECT_TRUE(known->must_be_secure);
    EXPECT_TRUE(known->pins.empty());
    ASSERT_TRUE(store.add(pin("host", kKey)));
    ASSERT_TRUE(store.note_secure(pin("host", kKey)));
    EXPECT_TRUE(store.find(*ServerName::parse("host"))->pins.at(0).has_been_secure);
    const std::string before = text();
    ASSERT_TRUE(store.note_secure(pin("host", kKey)));
    EXPECT_EQ(text(), before) << "no news";
    EXPECT_EQ(*store.remove(*ServerName::parse("host"), ""), 2U);
    EXPECT_FALSE(store.find(*ServerName::parse("host"))->must_be_secure);
}

TEST_F(Pins, KeepsWhatItDoesNotUnderstand)
{
    const std::string strange
        = "# mine\nfuture thing\nhost what is this\n\nother " + kKey + " 2023-11-14T22:13:20Z first-use - secure";
    write(strange);
    PinStore store(path_);
    ASSERT_TRUE(store.add(pin("third", kKey)));
    EXPECT_TRUE(text().starts_with(strange + "\nthird:21 ")) << text();
    const auto listing = store.list();
    ASSERT_EQ(listing->complaints.size(), 2U);
    EXPECT_TRUE(listing->complaints[0].starts_with(path_ + ":2: "));
    EXPECT_TRUE(listing->complaints[1].starts_with(path_ + ":3: "));
    EXPECT_EQ(listing->pins.size(), 2U);
}

TEST_F(Pins, AnUnreadableLineIsNotAnUnknownServer)
{
    write("host SHA256:damaged\n");
    PinStore store(path_);
    const auto known = store.find(*ServerName::parse("host"));
    EXPECT_EQ(known->unreadable_line, path_ + ":1");
    EXPECT_TRUE(known->must_be_secure);
    ASSERT_TRUE(store.remember(pin("host", kKey)));
    EXPECT_EQ(text(), "host SHA256:damaged\n") << "nothing is added beside it";
    EXPECT_TRUE(store.find(*ServerName::parse("host2"))->unreadable_line.empty());
}

TEST_F(Pins, WhereALineNamesNobodyItMayBeAnybodys)
{
    const std::string good = "other:21 " + kKey + " 2023-11-14T22:13:20Z first-use - secure\n";
    const std::string zeros(512, '\0');
    const std::vector<std::string> garbages{
        "garbage\n", zeros, "lorem ipsum dolor\n", "ftp.exam\n", "host:21\n", "\x7f\x01\x02\n", "<html>\n"};
    for (const std::string& garbage : garbages) {
        write(good + garbage);
        PinStore store(path_);
        const auto known = store.find(*ServerName::parse("host"));
        ASSERT_TRUE(known);
        EXPECT_EQ(known->nameless_line, path_ + ":2") << garbage;
        EXPECT_TRUE(known->must_be_secure) << garbage;
        const auto remembered = store.remember(pin("host", kKey));
        ASSERT_TRUE(remembered);
        EXPECT_TRUE(remembered->pins.empty()) << "a first use is not believed";
        EXPECT_EQ(store.find(*ServerName::parse("other"))->pins.size(), 1U) << "who is known stays known";
        ASSERT_TRUE(store.add(pin("host", kKey))) << "a person may say what is right";
        EXPECT_EQ(store.find(*ServerName::parse("host"))->pins.size(), 1U);
    }
}

TEST_F(Pins, RefusesFilesThatOthersCanChange)
{
    PinStore store(path_);
    ASSERT_TRUE(store.add(pin("host", kKey)));
    for (const mode_t mode : {0620U, 0602U, 0666U}) {
        ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
        EXPECT_EQ(store.find(*ServerName::parse("host")).error().code, ErrorCode::bad_file);
        EXPECT_FALSE(store.add(pin("host", kOtherKey)));
    }
    ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
    EXPECT_TRUE(store.find(*ServerName::parse("host"))) << "others may read it";
    for (const mode_t mode : {0770U, 0707U}) {
        ASSERT_EQ(::chmod((directory_ + "/sub").c_str(), mode), 0);
        EXPECT_FALSE(store.find(*ServerName::parse("host")));
        EXPECT_FALSE(store.remember(pin("new", kKey)));
    }
}

TEST_F(Pins, RefusesWhatIsNoPlainFile)
{
    write("");
    std::filesystem::rename(path_, path_ + ".real");
    std::filesystem::create_symlink(path_ + ".real", path_);
    PinStore store(path_);
    const auto linked = store.find(*ServerName::parse("host"));
    ASSERT_FALSE(linked);
    EXPECT_NE(linked.error().context.find("symbolic link"), std::string::npos);
    EXPECT_FALSE(store.add(pin("host", kKey)));
    EXPECT_TRUE(std::filesystem::is_symlink(path_));
    std::filesystem::remove(path_);
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_FALSE(store.find(*ServerName::parse("host")));
}

TEST_F(Pins, GivesUpWhenAnotherKeepsTheLock)
{
    write("");
    const auto lock = lock_pin_file(path_, std::chrono::seconds(30));
    ASSERT_TRUE(lock);
    PinStore store(path_, std::chrono::milliseconds(1));
    EXPECT_EQ(store.add(pin("host", kKey)).error().code, ErrorCode::timed_out);
    EXPECT_TRUE(store.find(*ServerName::parse("host"))) << "reading needs no lock";
}

TEST_F(Pins, LeftoversOfAKilledProcessDoNoHarm)
{
    write("");
    std::ofstream(path_ + ".new") << "half a li";
    PinStore store(path_);
    ASSERT_TRUE(store.add(pin("host", kKey)));
    EXPECT_EQ(store.find(*ServerName::parse("host"))->pins.size(), 1U);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

/// In a child, since the limit is the process's.
TEST_F(Pins, AFullDiskLeavesTheOldFile)
{
    PinStore store(path_);
    ASSERT_TRUE(store.add(pin("host", kKey)));
    const std::string before = text();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{.rlim_cur = before.size() + 10, .rlim_max = before.size() + 10};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const auto added = store.remember(pin("new", kOtherKey));
        ::_exit(!added && added.error().os_error == EFBIG ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(text(), before);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

} // namespace
} // namespace safetp::client
