#include "tls/support.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>

namespace safetp::tls::test {
namespace {

std::string content(const std::string& path)
{
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

mode_t mode_of(const std::string& path)
{
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
}

std::size_t count_files(const std::string& directory)
{
    return static_cast<std::size_t>(std::ranges::distance(std::filesystem::directory_iterator(directory)));
}

TEST(Identity, IsMadeOnceAndStaysTheSame)
{
    const TemporaryDirectory directory;
    const std::string place = directory.path("new/place");
    const auto first = ensure_self_made_identity(place, {"ftp.example.com", "192.0.2.1", "2001:db8::1"});
    ASSERT_TRUE(first) << describe(first.error());
    EXPECT_EQ(first->certificate, place + "/safetpd.pem");
    EXPECT_EQ(mode_of(place), 0700u);
    EXPECT_EQ(mode_of(directory.path("new")), 0700u);
    EXPECT_EQ(mode_of(first->certificate), 0600u);
    EXPECT_EQ(count_files(place), 1u) << "no temporary file is left";
    const std::string before = content(first->certificate);
    const auto second = ensure_self_made_identity(place, {"other.example.com"});
    ASSERT_TRUE(second);
    EXPECT_EQ(content(second->certificate), before);
}

TEST(Identity, BearsTheNamesAndLastsTenYears)
{
    const TemporaryDirectory directory;
    const auto files = ensure_self_made_identity(directory.path(), {"ftp.example.com", "192.0.2.1", "2001:db8::1"});
    ASSERT_TRUE(files);
    const std::shared_ptr<BIO> file(BIO_new_file(files->certificate.c_str(), "r"), BIO_free);
    const std::shared_ptr<X509> x509(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
    ASSERT_NE(x509, nullptr);
    EXPECT_EQ(X509_check_host(x509.get(), "ftp.example.com", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_ip_asc(x509.get(), "192.0.2.1", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(x509.get(), "2001:db8::1", 0), 1);
    EXPECT_EQ(X509_check_host(x509.get(), "other.example.com", 0, 0, nullptr), 0);
    EXPECT_EQ(X509_check_purpose(x509.get(), X509_PURPOSE_SSL_SERVER, 0), 1);
    EXPECT_EQ(X509_check_purpose(x509.get(), X509_PURPOSE_SSL_CLIENT, 0), 0);
    EXPECT_EQ(X509_get_version(x509.get()), X509_VERSION_3);
    EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(x509.get())), 0);
    const auto summary = inspect_certificate(*files);
    ASSERT_TRUE(summary);
    const auto years = (summary->not_after - std::chrono::system_clock::now()) / std::chrono::hours(365 * 24);
    EXPECT_EQ(years, 9); // ten less a day
}

TEST(Identity, TwoAreNeverAlike)
{
    const TemporaryDirectory directory;
    const auto one = inspect_certificate(ensure_self_made_identity(directory.path("1"), {"localhost"}).value());
    const auto two = inspect_certificate(ensure_self_made_identity(directory.path("2"), {"localhost"}).value());
    EXPECT_NE(one->fingerprint, two->fingerprint);
}

TEST(Identity, NoNamesMeansLocalhostAndALongNameIsOnlyInTheAlternatives)
{
    const TemporaryDirectory directory;
    EXPECT_EQ(inspect_certificate(ensure_self_made_identity(directory.path("1"), {}).value())->names,
              std::vector<std::string>{"localhost"});
    const std::string long_name = std::string(60, 'a') + ".example.com";
    EXPECT_EQ(inspect_certificate(ensure_self_made_identity(directory.path("2"), {long_name}).value())->names,
              std::vector<std::string>{long_name});
}

TEST(Identity, WhatIsNoNameIsRefusedAndNothingIsWritten)
{
    const TemporaryDirectory directory;
    for (const std::string name : {"", "a,DNS:evil", "two words", "new\nline", "umlaut\xc3\xa4"}) {
        const auto files = ensure_self_made_identity(directory.path("x"), {name});
        ASSERT_FALSE(files) << name;
        EXPECT_EQ(files.error().code, ErrorCode::tls_setup);
        EXPECT_FALSE(std::filesystem::exists(directory.path("x")));
    }
}

TEST(Identity, AFileThatOthersCanReadOrWriteIsRefused)
{
    const TemporaryDirectory directory;
    const auto files = ensure_self_made_identity(directory.path(), {"localhost"}).value();
    for (const mode_t mode : {0644u, 0640u, 0604u, 0620u, 0602u, 0610u}) {
        ASSERT_EQ(::chmod(files.certificate.c_str(), mode), 0);
        const auto again = ensure_self_made_identity(directory.path(), {"localhost"});
        ASSERT_FALSE(again) << mode;
        EXPECT_EQ(again.error().code, ErrorCode::bad_file);
        EXPECT_NE(again.error().context.find("chmod 600"), std::string::npos);
    }
    ASSERT_EQ(::chmod(files.certificate.c_str(), 0400), 0);
    EXPECT_TRUE(ensure_self_made_identity(directory.path(), {"localhost"})) << "less is fine";
}

TEST(Identity, AnothersFileIsRefused)
{
    const TemporaryDirectory directory;
    const auto files = ensure_self_made_identity(directory.path(), {"localhost"}).value();
    const bool is_given_away = ::chown(files.certificate.c_str(), 65534, 65534) == 0;
    uid_offset = is_given_away ? 0 : 1; // only root can give it away; whoever cannot passes for another
    const auto again = ensure_self_made_identity(directory.path(), {"localhost"});
    uid_offset = 0;
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::bad_file);
}

TEST(Identity, LinksDirectoriesAndRubbishAreRefused)
{
    const TemporaryDirectory directory;
    const auto files = ensure_self_made_identity(directory.path("real"), {"localhost"}).value();
    std::filesystem::create_directories(directory.path("link"));
    std::filesystem::create_symlink(files.certificate, directory.path("link/safetpd.pem"));
    EXPECT_EQ(ensure_self_made_identity(directory.path("link"), {"localhost"}).error().code, ErrorCode::bad_file);
    std::filesystem::create_directories(directory.path("directory/safetpd.pem"));
    EXPECT_EQ(ensure_self_made_identity(directory.path("directory"), {"localhost"}).error().code, ErrorCode::bad_file);
    std::filesystem::create_directories(directory.path("rubbish"));
    std::ofstream(directory.path("rubbish/safetpd.pem")) << "rubbish\n";
    ::chmod(directory.path("rubbish/safetpd.pem").c_str(), 0600);
    EXPECT_EQ(ensure_self_made_identity(directory.path("rubbish"), {"localhost"}).error().code, ErrorCode::tls_setup);
    EXPECT_EQ(content(directory.path("rubbish/safetpd.pem")), "rubbish\n") << "never overwritten";
    std::ofstream(directory.path("file")) << "x";
    EXPECT_EQ(ensure_self_made_identity(directory.path("file"), {"localhost"}).error().code, ErrorCode::bad_file);
}

/// Both children wait at the gate, then make the identity at once and write the fingerprint they got.
std::array<std::string, 2> make_in_two_processes(const std::string& place)
{
    std::array<int, 2> gate{};
    std::array<std::string, 2> fingerprints;
    std::array<std::array<int, 2>, 2> answers{};
    EXPECT_EQ(::pipe(gate.data()), 0);
    std::array<pid_t, 2> children{};
    for (std::size_t i = 0; i < children.size(); ++i) {
        EXPECT_EQ(::pipe(answers[i].data()), 0);
        children[i] = ::fork();
        if (children[i] == 0) {
            ::close(gate[1]);
            char byte = 0;
            static_cast<void>(!::read(gate[0], &byte, 1)); // until the parent closes the gate's other end
            const auto files = ensure_self_made_identity(place, {"localhost"});
            const std::string text = files ? inspect_certificate(*files)->fingerprint : describe(files.error());
            ::_exit(::write(answers[i][1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
        }
        ::close(answers[i][1]);
    }
    ::close(gate[0]);
    ::close(gate[1]);
    for (std::size_t i = 0; i < children.size(); ++i) {
        char text[1000];
        const ssize_t size = ::read(answers[i][0], text, sizeof text);
        fingerprints[i].assign(text, size > 0 ? static_cast<std::size_t>(size) : 0);
        ::close(answers[i][0]);
        ::waitpid(children[i], nullptr, 0);
    }
    return fingerprints;
}

TEST(Identity, TwoProcessesAtOnceGetTheSame)
{
    const TemporaryDirectory directory;
    for (int round = 0; round < 20; ++round) {
        const std::string place = directory.path(std::to_string(round));
        const auto fingerprints = make_in_two_processes(place);
        EXPECT_EQ(fingerprints[0].size(), 95u) << fingerprints[0];
        EXPECT_EQ(fingerprints[0], fingerprints[1]);
        EXPECT_EQ(count_files(place), 1u);
    }
}

TEST(Identity, AClientThatTrustsItAcceptsIt)
{
    const TemporaryDirectory directory;
    ContextOptions options;
    options.certificates = {ensure_self_made_identity(directory.path(), {"ftp.example.com"}).value()};
    const ServerContext context = ServerContext::make(options).value();
    const ClientContext client_context = test::client_context();
    ASSERT_EQ(SSL_CTX_load_verify_file(client_context.get(), options.certificates.front().certificate.c_str()), 1);
    SSL_CTX_set_verify(client_context.get(), SSL_VERIFY_PEER, nullptr);
    for (const bool is_right_name : {true, false}) {
        SocketPair pair = local_pair();
        Stream server(std::move(pair.server));
        ASSERT_TRUE(server.start_tls(context, Purpose::control, nullptr));
        Client client(client_context.get(), std::move(pair.client));
        SSL_set1_host(client.ssl(), is_right_name ? "ftp.example.com" : "other.example.com");
        EXPECT_EQ(connect(server, client).kind, is_right_name ? IoStep::Kind::done : IoStep::Kind::failed);
        EXPECT_EQ(client.failure(), is_right_name ? "" : "certificate verify failed");
    }
}

} // namespace
} // namespace safetp::tls::test
