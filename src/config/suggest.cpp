#include "config/suggest.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>
#include <vector>

namespace safetp::config {

namespace {

struct ForeignName {
    std::string_view name;
    std::string_view meaning;
};

constexpr std::string_view kPassivePorts = "that is \"passive_ports\" in [data], as \"50000-50999\"";
constexpr std::string_view kAnnounce = "that is \"announce\" in [data]";
constexpr std::string_view kSecurity = "that is \"security\" in [[listener]]";
constexpr std::string_view kDataSecurity = "that is \"data_security\" in [[listener]]";
constexpr std::string_view kReuse = "that is \"session_reuse\" in [[listener]]";
constexpr std::string_view kImplicit = "that is \"implicit_tls\" in [[listener]]";
constexpr std::string_view kCertificates = "that is \"certificates\" in [tls]";
constexpr std::string_view kClientCa = "that is \"client_ca\" in [tls]";
constexpr std::string_view kClientCrl = "that is \"client_crl\" in [tls]";
constexpr std::string_view kClientCertificate = "that is \"client_certificate\" in [[listener]]";
constexpr std::string_view kCiphers = "that is \"ciphers\" in [tls]";
constexpr std::string_view kMinimumVersion = "that is \"minimum_version\" in [tls]";
constexpr std::string_view kSessions = "that is \"sessions\" in [limits]";
constexpr std::string_view kPerClient = "that is \"sessions_per_client\" in [limits]";
constexpr std::string_view kLoginFailures = "that is \"login_failures\" in [limits]";
constexpr std::string_view kIdle = "that is \"idle\" in [timeouts]";
constexpr std::string_view kLogin = "that is \"login\" in [timeouts]";
constexpr std::string_view kStall = "that is \"data_stall\" in [timeouts]";
constexpr std::string_view kDataConnection = "that is \"data_connection\" in [timeouts]";
constexpr std::string_view kAddress = "that is \"address\" in [[listener]]";
constexpr std::string_view kPort = "that is \"port\" in [[listener]]";
constexpr std::string_view kPeer = "that is \"peer\" in [data]";
constexpr std::string_view kGreeting = "that is \"greeting\" at the top of the file";
constexpr std::string_view kXferlog = "that is \"xferlog\" in [log]";
constexpr std::string_view kAccess = "that is [access], which reads hosts.allow and hosts.deny";
constexpr std::string_view kNoLookup = "there is nothing to set: clients are logged by address, no name is looked up for that";
constexpr std::string_view kRawFtpd
    = "accounts, directories and permissions are the raw ftpd's: set that in its own configuration";

/// Upper and lower case are alike. In the order: vsftpd (whose names container images
/// use in capitals), ProFTPD, Pure-FTPd, container images.
constexpr ForeignName kForeignNames[] = {
    {"pasv_min_port", kPassivePorts}, {"pasv_max_port", kPassivePorts}, {"pasv_address", kAnnounce},
    {"pasv_addr_resolve", "a host name in \"announce\" in [data] is resolved without being told"},
    {"pasv_promiscuous", kPeer}, {"port_promiscuous", kPeer}, {"listen_address", kAddress}, {"listen_address6", kAddress},
    {"listen_port", kPort}, {"listen", "that is a [[listener]] section"}, {"listen_ipv6", "that is a [[listener]] section"},
    {"ssl_enable", kSecurity}, {"force_local_logins_ssl", kSecurity}, {"force_anon_logins_ssl", kSecurity},
    {"allow_anon_ssl", "that is \"security\" = \"required-except-anonymous\" in [[listener]]"},
    {"force_local_data_ssl", kDataSecurity}, {"force_anon_data_ssl", kDataSecurity}, {"require_ssl_reuse", kReuse},
    {"implicit_ssl", kImplicit}, {"rsa_cert_file", kCertificates}, {"rsa_private_key_file", kCertificates},
    {"dsa_cert_file", kCertificates}, {"dsa_private_key_file", kCertificates}, {"ca_certs_file", kClientCa},
    {"require_cert", kClientCertificate}, {"validate_cert", kClientCertificate}, {"ssl_request_cert", kClientCertificate},
    {"ssl_ciphers", kCiphers}, {"ssl_tlsv1", kMinimumVersion}, {"ssl_tlsv1_1", kMinimumVersion},
    {"ssl_tlsv1_2", kMinimumVersion}, {"ssl_tlsv1_3", kMinimumVersion}, {"ssl_sslv2", kMinimumVersion},
    {"ssl_sslv3", kMinimumVersion}, {"max_clients", kSessions}, {"max_per_ip", kPerClient},
    {"max_login_fails", kLoginFailures}, {"idle_session_timeout", kIdle}, {"data_connection_timeout", kStall},
    {"accept_timeout", kDataConnection}, {"connect_timeout", kDataConnection}, {"ftpd_banner", kGreeting},
    {"xferlog_file", kXferlog}, {"xferlog_enable", kXferlog}, {"reverse_lookup_enable", kNoLookup},
    {"anonymous_enable", kRawFtpd}, {"local_enable", kRawFtpd}, {"write_enable", kRawFtpd}, {"chroot_local_user", kRawFtpd},
    {"PassivePorts", kPassivePorts}, {"MasqueradeAddress", kAnnounce}, {"DefaultAddress", kAddress},
    {"AllowForeignAddress", kPeer}, {"TLSEngine", kSecurity}, {"TLSRequired", kSecurity},
    {"TLSRSACertificateFile", kCertificates}, {"TLSRSACertificateKeyFile", kCertificates},
    {"TLSECCertificateFile", kCertificates}, {"TLSECCertificateKeyFile", kCertificates},
    {"TLSCertificateChainFile", kCertificates}, {"TLSCACertificateFile", kClientCa},
    {"TLSCARevocationFile", kClientCrl}, {"TLSVerifyClient", kClientCertificate},
    {"TLSProtocol", kMinimumVersion}, {"TLSCipherSuite", kCiphers}, {"TLSOptions", kReuse}, {"NoSessionReuseRequired", kReuse},
    {"UseImplicitSSL", kImplicit}, {"MaxInstances", kSessions}, {"MaxClientsPerHost", kPerClient},
    {"MaxLoginAttempts", kLoginFailures}, {"TimeoutIdle", kIdle}, {"TimeoutLogin", kLogin}, {"TimeoutStalled", kStall},
    {"TimeoutNoTransfer", kIdle}, {"ServerIdent", kGreeting}, {"TransferLog", kXferlog}, {"UseReverseDNS", kNoLookup},
    {"IdentLookups", kNoLookup}, {"DefaultRoot", kRawFtpd}, {"AuthUserFile", kRawFtpd},
    {"PassivePortRange", kPassivePorts}, {"ForcePassiveIP", kAnnounce}, {"TLS", kSecurity}, {"CertFile", kCertificates},
    {"CertFileAndKey", kCertificates}, {"TLSCipherSuites", kCiphers}, {"MaxClientsNumber", kSessions},
    {"MaxClientsPerIP", kPerClient}, {"MaxIdleTime", kIdle}, {"DontResolve", kNoLookup}, {"ChrootEveryone", kRawFtpd},
    {"tcp_wrappers", kAccess}, {"WrapEngine", kAccess}, {"WrapTables", kAccess}, {"WrapServiceName", kAccess},
    {"libwrap", kAccess}, {"PUBLICHOST", kAnnounce}, {"FTP_PASV_IP", kAnnounce},
};

/// "data.announce_for.clients" seen from "data" is "announce_for"; nothing when the path is not inside the section.
std::string_view member_of(std::string_view section, std::string_view path)
{
    if (!section.empty()) {
        if (!path.starts_with(section) || path.size() <= section.size() || path[section.size()] != '.')
            return {};
        path.remove_prefix(section.size() + 1);
    }
    return path.substr(0, path.find('.'));
}

std::vector<std::string_view> members_of(std::string_view section, std::span<const std::string> known)
{
    std::vector<std::string_view> members;
    for (const std::string& path : known) {
        const auto member = member_of(section, path);
        if (!member.empty() && std::ranges::find(members, member) == members.end())
            members.push_back(member);
    }
    return members;
}

/// The sections that have this very key: `[server] or [process]`.
std::string sections_with(std::string_view key, std::span<const std::string> known)
{
    std::vector<std::string> sections;
    for (const std::string_view name : members_of("", known)) {
        const auto members = members_of(name, known);
        if (std::ranges::find(members, key) != members.end())
            sections.push_back(name == "listener" ? "[[listener]]" : fmt::format("[{}]", name));
    }
    return fmt::format("{}", fmt::join(sections, " or "));
}

std::string_view nearest(std::string_view key, std::span<const std::string_view> candidates)
{
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, key.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const auto distance = edit_distance(key, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

} // namespace

std::optional<std::string> explain_foreign_name(std::string_view key)
{
    const auto is_same = [key](const ForeignName& foreign) {
        return foreign.name.size() == key.size() && ::strncasecmp(foreign.name.data(), key.data(), key.size()) == 0;
    };
    const auto found = std::ranges::find_if(kForeignNames, is_same);
    if (found == std::end(kForeignNames))
        return std::nullopt;
    return std::string(found->meaning);
}

std::size_t edit_distance(std::string_view left, std::string_view right)
{
    constexpr std::size_t kMaxCompared = 64; // longer than any key; bounds the work for a hostile one
    left = left.substr(0, kMaxCompared);
    right = right.substr(0, kMaxCompared);
    std::vector<std::size_t> before(right.size() + 1), last(right.size() + 1), row(right.size() + 1);
    for (std::size_t j = 0; j <= right.size(); ++j)
        last[j] = j;
    for (std::size_t i = 1; i <= left.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t cost = left[i - 1] == right[j - 1] ? 0 : 1;
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + cost});
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[right.size()];
}

std::string suggest(std::string_view key, std::string_view section, std::span<const std::string> known)
{
    if (const auto meaning = explain_foreign_name(key))
        return ": " + *meaning;
    const auto siblings = members_of(section, known);
    if (const auto close = nearest(key, siblings); !close.empty())
        return fmt::format(": did you mean \"{}\"?", close);
    if (const auto sections = sections_with(key, known); !sections.empty())
        return ": that belongs in " + sections;
    return fmt::format("; known here are {}", fmt::join(siblings, ", "));
}

} // namespace safetp::config
