// The remembered keys of servers: known_servers, a text file that a person can read; docs/adr/0020 says why it is as it is.
#pragma once

#include "base/result.h"
#include "client/server_name.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::client {

/// "SHA256:BASE64" with or without padding, or curl's "sha256//BASE64=", as "SHA256:" and unpadded base64. Empty: neither.
std::optional<std::string> parse_fingerprint(std::string_view text);

using Seconds = std::chrono::sys_seconds;

struct Pin {
    enum class How { first_use, by_hand, config, authority };

    ServerName server;
    std::string fingerprint{}; ///< "SHA256:..."; empty: no key, the line only says that the server has been secure
    Seconds first_seen{};
    How how = How::first_use;
    std::optional<Seconds> not_after{}; ///< of the certificate it came with, for information
    bool has_been_secure = false;       ///< a TLS session with it has been set up
};

std::string_view to_text(Pin::How how); ///< first-use, by-hand, config, authority

/// What the file says of one server.
struct KnownServer {
    std::vector<Pin> pins;         ///< those with a key; several while a key is being replaced
    bool must_be_secure = false;   ///< it has been secure once or has a pin, or may have: never speak to it in the clear
    std::string unreadable_line{}; ///< "FILE:LINE" of a line that begins with this server but cannot be understood
    /// "FILE:LINE" of the first line that cannot be understood and names no server at all: it may have been this server's.
    std::string nameless_line{};
};

/// Any number of processes may use one file: changes are made one after another under flock(2) on FILE.lock, each as a new
/// file that takes the old one's place whole (fsync, rename, fsync of the directory), so a crash or a full disk leaves the old
/// one. Reading needs no lock. Lines that are not understood stay as they are. Not thread-safe; every call reads the file.
///
/// Errors: bad_file where the file or its directory can be written by others, is a symbolic link, belongs to somebody else, or
/// cannot be read or written (os_error says why); timed_out when another process keeps the lock.
class PinStore {
public:
    /// XDG_CONFIG_HOME/safetp/known_servers or ~/.config/safetp/known_servers; /var/lib/safetp/known_servers for root.
    static Result<std::string> default_path();

    /// Touches nothing yet: a missing file is an empty store, the first change makes it (0600) and its directories (0700).
    explicit PinStore(std::string path, std::chrono::milliseconds lock_timeout = std::chrono::seconds(30));
    const std::string& path() const { return path_; }

    Result<KnownServer> find(const ServerName& server) const;

    struct Listing {
        std::vector<Pin> pins;               ///< also those without a key, in the file's order
        std::vector<std::string> complaints; ///< "FILE:LINE: what is wrong with it"
    };
    Result<Listing> list() const;

    /// First use: adds `pin` unless its server has one with a key by now. Gives what the file says then; the caller looks
    /// whether the key is among the pins, because another process may have been first.
    Result<KnownServer> remember(const Pin& pin);
    /// Adds `pin` beside others of its server; false if that key was there already.
    Result<bool> add(const Pin& pin);
    /// Notes that TLS has been set up with this server; with an empty fingerprint for the server as a whole. Writes only when
    /// that is news.
    Result<void> note_secure(const Pin& pin);
    /// Forgets one key, or with an empty fingerprint all of the server's lines. Gives how many lines went.
    Result<std::size_t> remove(const ServerName& server, std::string_view fingerprint);

private:
    std::string path_;
    std::chrono::milliseconds lock_timeout_;
};

} // namespace safetp::client
