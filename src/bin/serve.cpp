#include "bin/serve.h"

#include "base/unique_fd.h"
#include "bin/raw_ftpd.h"
#include "config/trusted_path.h"
#include "supervisor/exit_codes.h"
#include "supervisor/supervisor.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

namespace fs = std::filesystem;

/// A private directory that goes away with its owner.
class TemporaryDirectory {
public:
    explicit TemporaryDirectory(bool is_root)
    {
        for (const std::string& place : places(is_root)) {
            std::string pattern = place + "/safetpd-serve-XXXXXX";
            if (config::find_distrust(place) || ::mkdtemp(pattern.data()) == nullptr) // mode 0700
                continue;
            path_ = pattern;
            fd_.reset(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            return;
        }
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory()
    {
        std::error_code ignored;
        if (!path_.empty())
            fs::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
    int descriptor() const { return fd_.get(); } ///< -1: there is none
    void close() { fd_.reset(); }

private:
    /// Root takes no place that its caller names (su and sudo -E hand on the caller's variables): whoever may write there could
    /// have root's ftpd read a configuration of his own.
    static std::vector<std::string> places(bool is_root)
    {
        if (is_root)
            return {"/run", "/tmp"};
        const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
        return runtime != nullptr && runtime[0] == '/' ? std::vector<std::string>{runtime, "/tmp"}
                                                       : std::vector<std::string>{"/tmp"};
    }

    std::string path_;
    UniqueFd fd_;
};

int give_up(const std::string& why, int exit_code)
{
    fmt::print(stderr, "safetpd: {}\n", why);
    return exit_code;
}

int give_up(const Error& error, int exit_code)
{
    return give_up(error.os_error == 0 ? error.context : describe(error), exit_code);
}

/// 16 characters of 32 that nobody confuses: 80 bits.
std::string make_password()
{
    static constexpr std::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";
    static_assert(kLetters.size() == 32);
    std::array<unsigned char, 16> random{};
    if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        std::abort(); // a predictable password would be worse than none
    std::string password;
    for (const unsigned char byte : random)
        password += kLetters[byte % kLetters.size()];
    return password;
}

std::string key_directory(bool is_root)
{
    if (is_root)
        return "/var/lib/safetp";
    const char* state = std::getenv("XDG_STATE_HOME");
    if (state != nullptr && state[0] == '/')
        return std::string(state) + "/safetp";
    const char* home = std::getenv("HOME");
    return home != nullptr && home[0] == '/' ? std::string(home) + "/.local/state/safetp" : std::string();
}

/// With whose rights files are served: the directory's owner's. Root's own directories are served as nobody, so that no upload
/// is root's. vsftpd as root wants its own account, which may not write into the directory itself.
Result<process::Identity> account_for(const Ftpd& ftpd, const std::string& directory, bool is_root)
{
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, directory);
    if (!is_root)
        return process::find_user(::geteuid());
    if (ftpd.kind != FtpdKind::vsftpd)
        return status.st_uid == 0 ? process::find_user("nobody") : process::find_user(status.st_uid);
    auto account = process::find_user("ftp");
    std::error_code error;
    if (!account || !fs::is_directory(account->home, error))
        return fail(ErrorCode::bad_config, 0,
            "vsftpd needs the user ftp with a home directory; use --ftpd proftpd, or make one: "
            "useradd --system --home-dir /srv/ftp --create-home ftp");
    if (account->uid == status.st_uid || (status.st_mode & S_IWOTH) != 0)
        return fail(
            ErrorCode::bad_config, 0, directory + " may be written by the user ftp, which vsftpd refuses; use --ftpd proftpd");
    return account;
}

config::Config make_config(
    const ServeOptions& options, std::vector<std::string> command, const std::string& directory, bool is_root)
{
    config::Config config;
    config.listeners.push_back({.address = options.address, .port = options.port});
    config.server.command = std::move(command);
    config.server.directory = directory;
    config.tls.key_directory = key_directory(is_root);
    config.process.workers = 1;
    config.process.user = process::find_user(config.process.user) ? config.process.user : "nobody";
    config.log.options.threshold = log::Level::info;
    return config;
}

std::string host_for_clients(const IpAddress& address)
{
    if (!address.is_unspecified())
        return address.is_ipv4() ? address.to_string() : "[" + address.to_string() + "]";
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    return name;
}

void show_login(
    const ServeOptions& options, const Share& share, const tls::ServerContext& context, const std::string& certificate)
{
    const std::string url = fmt::format("ftp://{}:{}/", host_for_clients(options.address), options.port);
    fmt::print("  User             {}\n  Password         {}\n\n", share.user, share.password);
    fmt::print("Clients, to copy:\n\n");
    fmt::print("  curl --ssl-reqd --insecure --pinnedpubkey '{}' --user {}:{} {}\n\n", context.public_key_pin(), share.user,
        share.password, url);
    // The settings come before the address: lftp connects as soon as it has one.
    fmt::print(
        "  lftp -e 'set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:check-hostname no; set ssl:ca-file \"{}\"; "
        "open -u {},{} {}'\n\n",
        certificate, share.user, share.password, url);
    fmt::print("(--insecure only says that no authority has signed the key; the pin is what curl checks.)\n");
}

void show_screen(const ServeOptions& options, const Ftpd& ftpd, const Share& share, const supervisor::Prepared& prepared)
{
    const tls::ServerContext& context = prepared.generation->contexts.front();
    fmt::print("\nServing          {}\n", share.directory);
    fmt::print("  Listening on     {}{}\n", Endpoint{options.address, options.port}.to_string(),
        options.address.is_loopback() ? "  (this machine only; --listen 0.0.0.0 for all)" : "");
    fmt::print("  Raw ftpd         {}\n", ftpd.path);
    fmt::print("  Files            read and written as user {}{}\n", share.account,
        share.is_root && ftpd.kind == FtpdKind::vsftpd ? ", who may not write into the directory itself" : "");
    fmt::print("  Certificate      SHA-256 {}\n", context.certificate_fingerprint());
    if (ftpd.kind == FtpdKind::unknown) {
        fmt::print("  Login            as this ftpd has it: it is not one we know, so it is started without arguments,\n"
                   "                   in the directory above, and may serve other files than those there\n\n");
    } else {
        show_login(options, share, context, prepared.config().tls.key_directory + "/safetpd.pem");
    }
    if (ftpd.kind != FtpdKind::unknown && !is_confined(ftpd, share))
        fmt::print(
            "\nNOTE: vsftpd cannot lock itself into a directory unless root starts it. Whoever has the password can reach\n"
            "every file that {} can, not only {}. Safer: run this as root, or --ftpd proftpd.\n",
            share.account, share.directory);
    fmt::print("\nCtrl-C ends it. The login is gone then.\n\n");
    std::fflush(stdout);
}

} // namespace

int serve(const ServeOptions& options)
{
    // What is shared.
    const bool is_root = ::geteuid() == 0;
    std::error_code error;
    const std::string directory = fs::canonical(options.directory, error).string();
    if (error || !fs::is_directory(directory, error))
        return give_up(options.directory + " is not a directory", supervisor::kExitUsage);
    if (directory.find_first_of("\"\n\r*?[]{}") != std::string::npos)
        return give_up(
            directory + ": a name with quotes, line ends or wildcards cannot be written into an ftpd's configuration",
            supervisor::kExitUsage);
    if (key_directory(is_root).empty())
        return give_up("HOME is not set, so there is no place for the key; set XDG_STATE_HOME", supervisor::kExitConfig);

    // Who serves it, with whose rights, and with a login made for this run.
    const auto ftpd = find_ftpd(options.ftpd, is_root);
    if (!ftpd)
        return give_up(ftpd.error(), supervisor::kExitConfig);
    const auto owner = account_for(*ftpd, directory, is_root);
    if (!owner)
        return give_up(owner.error(), supervisor::kExitConfig);
    TemporaryDirectory temporary(is_root);
    if (temporary.descriptor() < 0)
        return give_up("no private directory can be made in /tmp where nobody else may change it", supervisor::kExitFailure);
    const Share share{.directory = directory, .private_directory = temporary.path(),
        .private_descriptor = temporary.descriptor(), .user = login_name(ftpd->kind),
        .password = make_password(), .uid = owner->uid, .gid = owner->gid, .account = owner->name, .is_root = is_root};
    auto command = configure(*ftpd, share);
    temporary.close(); // the daemon is to have nothing open but its own
    if (!command)
        return give_up(command.error(), supervisor::kExitFailure);

    // From here on it is the daemon with a configuration made in memory.
    supervisor::Options daemon;
    daemon.source.prepared = make_config(options, std::move(*command), directory, is_root);
    daemon.source.overrides.is_verbose = options.is_verbose;
    daemon.before_workers = [&](const supervisor::Prepared& prepared) { show_screen(options, *ftpd, share, prepared); };
    return supervisor::supervise(daemon);
}

} // namespace safetp::bin
