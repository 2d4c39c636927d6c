// check_machine against files, users and names that the test makes or that every machine has.
#include "support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::config {
namespace {

using Severity = Problem::Severity;
namespace fs = std::filesystem;

constexpr uid_t kStranger = 65534; // nobody

Listener on_port(std::uint16_t port)
{
    Listener listener;
    listener.port = port;
    return listener;
}

class CheckMachine : public testing::Test {
protected:
    CheckMachine()
    {
        std::string pattern = (fs::temp_directory_path() / "safetp-check-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
        fs::permissions(directory_, fs::perms(0755));
        file_ = make("safetpd.toml", 0600);
        config_.listeners.push_back(on_port(50021));
        config_.tls.key_directory = make_directory("keys", 0700);
        config_.process.user = "daemon";
        config_.process.chroot = make_directory("empty", 0755);
    }
    ~CheckMachine() override { fs::remove_all(directory_); }

    std::string make(const std::string& name, mode_t mode, std::string_view text = "x")
    {
        const fs::path path = directory_ / name;
        std::ofstream(path) << text;
        ::chmod(path.c_str(), mode);
        return path.string();
    }

    std::string make_directory(const std::string& name, mode_t mode)
    {
        const fs::path path = directory_ / name;
        fs::create_directory(path);
        ::chmod(path.c_str(), mode);
        return path.string();
    }

    std::vector<Problem> check() { return check_machine(config_, file_, lines_); }

    void expect_one(Severity severity, std::string_view text)
    {
        const auto problems = check();
        ASSERT_EQ(problems.size(), 1u) << text << "\n" << to_string(problems);
        EXPECT_EQ(problems[0].severity, severity) << to_string(problems);
        EXPECT_NE(problems[0].text.find(text), std::string::npos) << text << "\n" << to_string(problems);
        EXPECT_EQ(problems[0].file, file_);
    }

    void expect_none()
    {
        const auto problems = check();
        EXPECT_TRUE(problems.empty()) << to_string(problems);
    }

    /// Only root can give files away; elsewhere there is no such file to find.
    static bool is_root() { return ::geteuid() == 0; }

    fs::path directory_;
    std::string file_;
    Config config_;
    KeyLines lines_;
};

TEST_F(CheckMachine, FindsNothingWrongWithASoundSetup)
{
    config_.tls.certificates = {{make("cert.pem", 0644), make("key.pem", 0600)}, {make("both.pem", 0600), ""}};
    config_.tls.client_ca = make("ca.pem", 0444);
    config_.server.command = {"/bin/sh", "-c", "true"};
    config_.server.directory = directory_.string();
    config_.data.announce.address = "192.0.2.1";
    config_.log.xferlog = (directory_ / "xferlog").string();
    config_.process.pid_file = (directory_ / "pid").string();
    expect_none();
}

TEST_F(CheckMachine, TheConfigurationMustBeSafeFromOthers)
{
    ::chmod(file_.c_str(), 0644);
    expect_none();
    ::chmod(file_.c_str(), 0664);
    expect_one(Severity::error, "may be written by its group or by others");
    ::chmod(file_.c_str(), 0602);
    expect_one(Severity::error, "may be written by its group or by others");
    ::chmod(file_.c_str(), 0600);
    if (is_root()) {
        ASSERT_EQ(::chown(file_.c_str(), kStranger, 0), 0);
        expect_one(Severity::error, "neither root nor the caller");
    }
    fs::remove(file_);
    expect_one(Severity::error, "No such file");
}

TEST_F(CheckMachine, CertificatesMustBeReadableFiles)
{
    lines_["tls.certificates[0].certificate"] = 7;
    const std::string key = make("key.pem", 0600);
    config_.tls.certificates = {{(directory_ / "missing.pem").string(), key}};
    expect_one(Severity::error, "No such file");
    EXPECT_EQ(check().at(0).line, 7u);
    config_.tls.certificates = {{directory_.string(), key}};
    expect_one(Severity::error, "is not a regular file");
    config_.tls.certificates = {{make("cert.pem", 0666), key}};
    expect_one(Severity::error, "chmod go-w");
    config_.tls.certificates = {{make("good.pem", 0644), (directory_ / "missing.key").string()}};
    expect_one(Severity::error, "\"key\" in [tls]");
    config_.tls.certificates = {};
    config_.tls.client_ca = (directory_ / "missing.pem").string();
    expect_one(Severity::error, "\"client_ca\" in [tls]");
}

TEST_F(CheckMachine, KeysMustBeSecret)
{
    const std::string certificate = make("cert.pem", 0644);
    config_.tls.certificates = {{certificate, make("world.key", 0604)}};
    expect_one(Severity::error, "may be read by others: chmod 600");
    config_.tls.certificates = {{make("both.pem", 0644), ""}}; // the key is in there
    expect_one(Severity::error, "may be read by others");
    config_.tls.certificates = {{certificate, make("written.key", 0620)}};
    expect_one(Severity::error, "chmod go-w");
    const std::string grouped = make("group.key", 0640);
    config_.tls.certificates = {{certificate, grouped}};
    if (!is_root())
        return expect_one(Severity::error, "may be read by others");
    expect_none(); // group root
    ASSERT_EQ(::chown(grouped.c_str(), 0, 1), 0);
    expect_one(Severity::warning, "may be read by group 1");
    ASSERT_EQ(::chown(grouped.c_str(), kStranger, 0), 0);
    expect_one(Severity::error, "neither root nor the caller");
}

TEST_F(CheckMachine, TheKeyDirectoryIsUsableOrCanBeMade)
{
    config_.tls.key_directory = (directory_ / "new" / "inner").string();
    expect_none();
    config_.tls.key_directory = file_;
    expect_one(Severity::error, "is not a directory");
    config_.tls.key_directory = make_directory("open", 0777);
    expect_one(Severity::error, "may be written by others");
    config_.tls.key_directory = file_ + "/inner";
    expect_one(Severity::error, "Not a directory");
    config_.tls.certificates = {{make("cert.pem", 0644), make("key.pem", 0600)}};
    expect_none(); // then none is needed
}

TEST_F(CheckMachine, TheRawFtpdMustBeAProgram)
{
    config_.server.command = {(directory_ / "missing").string()};
    expect_one(Severity::error, "\"command\" in [server]");
    config_.server.command = {make("text", 0644)};
    expect_one(Severity::error, "cannot be executed");
    config_.server.command = {make("open", 0777)};
    expect_one(Severity::error, "chmod go-w");
    config_.server.command = {directory_.string()};
    expect_one(Severity::error, "is not a regular file");
    config_.server.command = {"/bin/sh"};
    config_.server.user = "no-such-user-here";
    expect_one(Severity::error, "\"user\" in [server]: there is no user \"no-such-user-here\"");
    config_.server.user.clear();
    config_.server.directory = file_;
    expect_one(Severity::error, "is not a directory");
}

TEST_F(CheckMachine, FilesToBeMadeNeedTheirDirectory)
{
    config_.log.xferlog = (directory_ / "missing" / "xferlog").string();
    expect_one(Severity::error, "the directory of \"xferlog\" in [log]");
    config_.log.xferlog.clear();
    config_.process.pid_file = file_ + "/pid";
    expect_one(Severity::error, "the directory of \"pid_file\" in [process]");
}

TEST_F(CheckMachine, AnnouncedNamesOughtToHaveAnAddress)
{
    config_.data.announce.address = "localhost";
    expect_none();
    config_.data.announce.address = std::string(64, 'a') + ".example"; // no resolver takes it, so nobody is asked
    expect_one(Severity::warning, "has no IPv4 address now");
    config_.data.announce.address.clear();
    config_.data.announce.for_clients = {{Network{}, std::string(64, 'b') + ".example"}};
    lines_["data.announce_for[0].address"] = 3;
    expect_one(Severity::warning, "bbb");
    EXPECT_EQ(check().at(0).line, 3u);
}

TEST_F(CheckMachine, TheWorkersIdentityMattersToRootOnly)
{
    config_.process.user = "no-such-user-here";
    if (!is_root())
        return expect_none();
    expect_one(Severity::error, "\"user\" in [process]: there is no user");
    config_.process.user = "root";
    expect_one(Severity::error, "must not be root");
    config_.process.user = "daemon";
    config_.process.chroot = directory_.string();
    expect_one(Severity::error, "is not empty");
    config_.process.chroot = make_directory("open", 0777);
    expect_one(Severity::error, "may be written by others");
    config_.process.chroot = file_;
    expect_one(Severity::error, "is not a directory");
    config_.process.chroot = (directory_ / "not-yet").string();
    expect_none();
}

TEST_F(CheckMachine, WhatIsReadAndRunLiesWhereNobodyElseMayPutAnotherInItsPlace)
{
    const fs::path open = make_directory("open", 0777);
    std::ofstream(open / "file") << "x";
    ::chmod((open / "file").c_str(), 0700);
    const std::string inside = (open / "file").string();
    const std::string link = (directory_ / "link").string();
    fs::create_symlink(inside, link);
    const std::string back = (open / "back").string(); // a sound file by way of an open directory
    fs::create_symlink(make("sound", 0700), back);
    for (const std::string& path : {inside, link, back}) {
        config_.server.command = {path};
        expect_one(Severity::error, "open may be written by everybody: chmod o-w");
        config_.server.command.clear();
        config_.tls.certificates = {{path, ""}};
        expect_one(Severity::error, "open may be written by everybody");
        config_.tls.certificates = {};
        config_.tls.client_ca = path;
        expect_one(Severity::error, "open may be written by everybody");
        config_.tls.client_ca.clear();
        config_.access.hosts_allow = path;
        expect_one(Severity::warning, "\"hosts_allow\" in [access]");
        config_.access.hosts_allow = "/etc/hosts.allow";
        const std::string sound = std::exchange(file_, path);
        expect_one(Severity::error, "who could then run commands as safetpd");
        file_ = sound;
    }
    config_.process.pid_file = (open / "pid").string();
    expect_one(Severity::error, "\"pid_file\" in [process]");
    config_.process.pid_file.clear();
    config_.tls.key_directory = (open / "keys").string();
    expect_one(Severity::error, "\"key_directory\" in [tls]");
    fs::create_directory(open / "keys");
    expect_one(Severity::error, "open may be written by everybody");
    ::chmod(open.c_str(), 01777);
    expect_none();
}

/// An ordinary user for the life of the object, where the test began as root. The effective capabilities go with the id.
class AsStranger {
public:
    AsStranger() : was_(::geteuid()), is_switched_(was_ == 0 && ::seteuid(kStranger) == 0) {}
    ~AsStranger()
    {
        if (is_switched_ && ::seteuid(was_) != 0)
            std::abort();
    }

private:
    uid_t was_;
    bool is_switched_;
};

TEST_F(CheckMachine, TheCommandsOfRulesNeedAUser)
{
    config_.access.command_user = "no-such-user";
    expect_none(); // commands are off
    config_.access.commands = true;
    if (!is_root())
        return expect_one(Severity::warning, "without root");
    expect_one(Severity::error, "there is no user \"no-such-user\"");
    config_.access.command_user = "root";
    expect_one(Severity::error, "must not be root");
    config_.access.command_user = config_.process.user;
    expect_one(Severity::error, "must not be \"daemon\"");
    config_.access.command_user = "nobody";
    expect_none();
    config_.access.command_user = "root";
    config_.access.enabled = false;
    expect_none();
}

TEST_F(CheckMachine, PortsThatNeedPrivilegesDrawAWarning)
{
    unsigned first_free = 1024;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_free;
    config_.listeners = {on_port(21), on_port(50021)};
    config_.tls.key_directory = make_directory("strangers", 0700);
    if (is_root()) {
        expect_none();
        ASSERT_EQ(::chown(config_.tls.key_directory.c_str(), kStranger, 0), 0);
    }
    const AsStranger stranger;
    if (first_free <= 21)
        return expect_none();
    expect_one(Severity::warning, "port 21 of [[listener]]");
    expect_one(Severity::warning, "CAP_NET_BIND_SERVICE");
}

TEST_F(CheckMachine, AnOrdinaryUserCannotReadWhatIsNotHisOwn)
{
    if (!is_root())
        return; // root's files are needed for this
    config_.tls.certificates = {{make("cert.pem", 0644), make("key.pem", 0600)}};
    expect_none();
    const AsStranger stranger;
    expect_one(Severity::error, "cannot be read: Permission denied");
    config_.tls.certificates.clear();
    config_.tls.key_directory = (directory_ / "new").string();
    expect_one(Severity::error, "does not exist and cannot be made");
    config_.tls.key_directory = "/";
    config_.server.command = {"/bin/sh"};
    config_.server.user = "daemon";
    expect_one(Severity::error, "only root can start the raw ftpd as \"daemon\"");
}

} // namespace
} // namespace safetp::config
