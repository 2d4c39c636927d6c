#include "setup/ftpd_conf.h"

#include "setup/text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

namespace safetp::setup {

namespace {

std::optional<IpAddress> parse_address(std::string_view text)
{
    const auto address = IpAddress::parse(text);
    return address && !address->is_unspecified() ? std::optional(*address) : std::nullopt;
}

/// A key=value line of vsftpd.conf as it was found last.
struct Setting {
    std::string value;
    unsigned line = 0;
};

bool is_yes(const Setting& setting)
{
    return equals_ignoring_case(setting.value, "yes") || equals_ignoring_case(setting.value, "true") || setting.value == "1";
}

constexpr int kMaxIncludes = 200;

/// What proftpd.conf says, over all its files.
struct ProftpdReader {
    const Root& root;
    FtpdSettings settings{};
    bool is_standalone = true;
    int files_read = 0;
    Standing type_line{};
    std::vector<Standing> ports{};
    std::vector<IpAddress> addresses{};
    bool binds_tightly = false;
    bool has_tls = false;
    std::optional<Standing> required{}; ///< TLSRequired with anything but "off"

    void take_line(const Line& line, const std::string& file);
    void read(const std::string& file);
    void include(std::string_view pattern);
};

void ProftpdReader::take_line(const Line& line, const std::string& file)
{
    const auto words = split_words(line.text);
    if (words.size() < 2 || words[0].text.starts_with('#'))
        return;
    const std::string key = lower(words[0].text);
    if (key == "include") {
        include(words[1].text);
    } else if (key == "servertype") {
        is_standalone = !equals_ignoring_case(words[1].text, "inetd");
        type_line = {std::nullopt, 0, file, line.number, std::string(trim(line.text))};
    } else if (key == "port") {
        ports.push_back({std::nullopt, parse_port(words[1].text).value_or(0), file, line.number, std::string(trim(line.text))});
    } else if (key == "defaultaddress") {
        if (const auto address = parse_address(words[1].text))
            addresses.push_back(*address);
    } else if (key == "tlsengine") {
        has_tls = has_tls || !equals_ignoring_case(words[1].text, "off");
    } else if (key == "tlsrequired") {
        if (!equals_ignoring_case(words[1].text, "off") && !equals_ignoring_case(words[1].text, "!data"))
            required = {std::nullopt, 0, file, line.number, std::string(trim(line.text))};
    } else if (key == "socketbindtight") {
        binds_tightly = equals_ignoring_case(words[1].text, "on");
    }
}

void ProftpdReader::read(const std::string& file)
{
    const auto text = root.read(file);
    if (!text || !*text || ++files_read > kMaxIncludes) // files may include themselves
        return;
    for (const Line& line : split_lines(**text))
        take_line(line, file);
}

void ProftpdReader::include(std::string_view pattern)
{
    std::string directory(directory_name(pattern)), name(base_name(pattern));
    if (const std::string whole(pattern); pattern.ends_with('/') || !root.list(whole).empty())
        directory = whole, name = "*";
    if (directory.empty() || directory.front() != '/')
        return;
    for (const std::string& file : root.list(directory)) {
        if (::fnmatch(name.c_str(), file.c_str(), FNM_PERIOD) == 0)
            read(directory + (directory.ends_with('/') ? "" : "/") + file);
    }
}

/// NAME=value of a file that /bin/sh reads.
std::string shell_value(std::string_view text, std::string_view name, unsigned* number = nullptr)
{
    std::string value;
    for (const Line& line : split_lines(text)) {
        const std::string_view content = trim(line.text);
        if (!content.starts_with(name) || content.substr(name.size()).substr(0, 1) != "=")
            continue;
        value = trim(content.substr(name.size() + 1));
        std::erase_if(value, [](char letter) { return letter == '"' || letter == '\''; });
        if (number != nullptr)
            *number = line.number;
    }
    return value;
}

/// "2" and "3" of -Y, --tls and the file conf/TLS: no login without TLS, and no data either.
bool is_tls_forced(std::string_view value) { return value == "2" || value == "3"; }

/// -Y 2, -Y2, --tls 2, --tls=2
bool pure_ftpd_insists(const std::vector<std::string>& arguments)
{
    for (std::size_t index = 1; index < arguments.size(); ++index) {
        const std::string_view word = arguments[index];
        const bool is_alone = word == "-Y" || word == "--tls";
        if (is_alone && index + 1 < arguments.size() && is_tls_forced(arguments[index + 1]))
            return true;
        for (const std::string_view start : {"-Y", "--tls="})
            if (word.starts_with(start) && is_tls_forced(word.substr(start.size())))
                return true;
    }
    return false;
}

/// Only Debian's wrapper does; the program itself is told all by its arguments.
bool reads_pure_ftpd_files(const std::vector<std::string>& arguments)
{
    return !arguments.empty() && base_name(arguments.front()).ends_with("-wrapper");
}

} // namespace

FtpdKind recognise_ftpd(std::string_view program)
{
    const std::string_view name = base_name(program);
    if (name == "vsftpd")
        return FtpdKind::vsftpd;
    if (name == "proftpd" || name == "in.proftpd")
        return FtpdKind::proftpd;
    if (name.starts_with("pure-ftpd"))
        return name == "pure-ftpd-control" ? FtpdKind::none : FtpdKind::pure_ftpd;
    if (name == "ftpd" || name == "in.ftpd" || name == "inetutils-ftpd")
        return FtpdKind::inetutils;
    static constexpr std::array<std::string_view, 10> kOthers{"wu.ftpd", "wu-ftpd", "in.wuftpd", "bftpd", "tnftpd", "lukemftpd",
        "ftpd-ssl", "in.ftpd-ssl", "muddleftpd", "twoftpd-anon"};
    return std::ranges::find(kOthers, name) != kOthers.end() ? FtpdKind::other : FtpdKind::none;
}

bool is_wrapper(std::string_view program) { return base_name(program) == "tcpd" || base_name(program) == "safetp-tcpd"; }
bool is_front_door(std::string_view program) { return base_name(program) == "safetpd"; }

FtpdSettings parse_vsftpd_conf(std::string_view text, const std::string& file)
{
    Setting listen{"NO"}, listen_ipv6{"NO"}, port{"21"}, address, address6, wrappers{"NO"}; // vsftpd.conf(5)'s defaults
    Setting tls{"NO"}, tls_for_logins{"YES"}, tls_at_once{"NO"};
    for (const Line& line : split_lines(text)) {
        const std::size_t equals = line.text.find('=');
        if (line.text.starts_with('#') || equals == std::string_view::npos)
            continue;
        const std::string_view key = trim(line.text.substr(0, equals));
        const Setting setting{std::string(trim(line.text.substr(equals + 1))), line.number};
        if (key == "listen")
            listen = setting;
        else if (key == "listen_ipv6")
            listen_ipv6 = setting;
        else if (key == "listen_port")
            port = setting;
        else if (key == "listen_address")
            address = setting;
        else if (key == "listen_address6")
            address6 = setting;
        else if (key == "tcp_wrappers")
            wrappers = setting;
        else if (key == "ssl_enable")
            tls = setting;
        else if (key == "force_local_logins_ssl")
            tls_for_logins = setting;
        else if (key == "implicit_ssl")
            tls_at_once = setting;
    }
    FtpdSettings settings{.file = file, .asks_tables = is_yes(wrappers)};
    if (is_yes(tls) && (is_yes(tls_for_logins) || is_yes(tls_at_once)))
        settings.insists_on_tls = {std::nullopt, 0, file, tls.line, "ssl_enable=YES"};
    const std::uint16_t number = parse_port(port.value).value_or(21);
    if (is_yes(listen_ipv6))
        settings.listens.push_back({parse_address(address6.value), number, file, listen_ipv6.line, "listen_ipv6=YES"});
    else if (is_yes(listen))
        settings.listens.push_back({parse_address(address.value), number, file, listen.line, "listen=YES"});
    return settings;
}

FtpdSettings read_proftpd_conf(const Root& root, const std::string& file)
{
    ProftpdReader reader{.root = root};
    if (!root.exists(file))
        return {};
    reader.settings.file = file;
    reader.read(file);
    if (reader.has_tls)
        reader.settings.insists_on_tls = reader.required;
    if (!reader.is_standalone)
        return reader.settings;
    if (reader.ports.empty())
        reader.ports.push_back({std::nullopt, 21, file, 0, ""});
    for (Standing& standing : reader.ports) {
        if (standing.port == 0) // "Port 0": a server that does not listen
            continue;
        standing.file = reader.type_line.line == 0 ? standing.file : reader.type_line.file;
        standing.line = reader.type_line.line == 0 ? standing.line : reader.type_line.line;
        standing.setting = reader.type_line.line == 0 ? standing.setting : reader.type_line.setting;
        if (reader.binds_tightly && !reader.addresses.empty()) {
            for (const IpAddress& address : reader.addresses)
                reader.settings.listens.push_back({address, standing.port, standing.file, standing.line, standing.setting});
        } else {
            reader.settings.listens.push_back(standing);
        }
    }
    return reader.settings;
}

FtpdSettings read_pure_ftpd_conf(const Root& root)
{
    static constexpr const char* kDefaults = "/etc/default/pure-ftpd-common";
    FtpdSettings settings;
    const std::string tls = root.read_text(kPureFtpdTlsFile);
    if (is_tls_forced(trim(std::string_view(tls).substr(0, tls.find('\n')))))
        settings.insists_on_tls = {std::nullopt, 0, kPureFtpdTlsFile, 1, tls.substr(0, tls.find('\n'))};
    const auto text = root.read(kDefaults);
    if (!text || !*text)
        return settings;
    settings.file = kDefaults;
    unsigned line = 0;
    if (shell_value(**text, "STANDALONE_OR_INETD", &line) != "standalone")
        return settings;
    Standing standing{std::nullopt, 21, kDefaults, line, "STANDALONE_OR_INETD=standalone"};
    if (const auto bind = root.read("/etc/pure-ftpd/conf/Bind"); bind && *bind) { // "ADDRESS,PORT", each may be missing
        const std::string_view value = trim(split_lines(**bind).empty() ? std::string_view() : split_lines(**bind)[0].text);
        const std::size_t comma = value.find(',');
        standing.address = parse_address(value.substr(0, comma));
        if (comma != std::string_view::npos)
            standing.port = parse_port(value.substr(comma + 1)).value_or(21);
    }
    settings.listens.push_back(standing);
    return settings;
}

std::string config_file_of(FtpdKind kind, const std::vector<std::string>& arguments)
{
    for (std::size_t index = 1; index < arguments.size(); ++index) {
        const std::string& word = arguments[index];
        if (kind == FtpdKind::vsftpd && word.starts_with('/'))
            return word;
        const bool is_flag = word == "-c" || word == "--config";
        if (kind == FtpdKind::proftpd && is_flag && index + 1 < arguments.size() && arguments[index + 1].starts_with('/'))
            return arguments[index + 1]; // not "$CONFIG_FILE", as Debian's unit has it
    }
    return kind == FtpdKind::vsftpd ? "/etc/vsftpd.conf" : kind == FtpdKind::proftpd ? "/etc/proftpd/proftpd.conf" : "";
}

FtpdSettings read_ftpd_settings(const Root& root, FtpdKind kind, const std::vector<std::string>& arguments)
{
    const std::string file = config_file_of(kind, arguments);
    if (kind == FtpdKind::proftpd)
        return read_proftpd_conf(root, file);
    if (kind == FtpdKind::pure_ftpd) {
        FtpdSettings settings = read_pure_ftpd_conf(root);
        if (!reads_pure_ftpd_files(arguments))
            settings.insists_on_tls.reset();
        if (pure_ftpd_insists(arguments))
            settings.insists_on_tls = {std::nullopt, 0, "", 0, fmt::format("{}", fmt::join(arguments, " "))};
        return settings;
    }
    if (kind != FtpdKind::vsftpd)
        return {};
    const auto text = root.read(file);
    std::string all = text && *text ? **text : std::string();
    for (const std::string& word : arguments) { // "-olisten=YES" wins over the file
        if (word.starts_with("-o"))
            all += "\n" + word.substr(2);
    }
    return all.empty() ? FtpdSettings{} : parse_vsftpd_conf(all, file);
}

} // namespace safetp::setup
