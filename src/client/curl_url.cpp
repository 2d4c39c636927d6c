// FtpUrl, by libcurl's own parser: what is shown and checked is what libcurl will dial.
#include "client/ftp_url.h"

#include <algorithm>
#include <curl/curl.h>
#include <memory>
#include <strings.h>

namespace safetp::client {

namespace {

struct FreeUrl {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlPtr = std::unique_ptr<CURLU, FreeUrl>;

struct FreeText {
    void operator()(char* text) const { curl_free(text); }
};

std::unexpected<Error> complain(const std::string& what) { return fail(ErrorCode::bad_address, 0, what); }

/// Nothing where the URL lacks the part. Control characters cannot be decoded: in a command they would begin another one.
Result<std::optional<std::string>> part(CURLU* url, CURLUPart which, unsigned flags, const char* name)
{
    char* text = nullptr;
    const CURLUcode code = curl_url_get(url, which, &text, flags);
    const std::unique_ptr<char, FreeText> owner(text);
    switch (code) {
    case CURLUE_OK: return std::optional<std::string>(text);
    case CURLUE_NO_USER:
    case CURLUE_NO_PASSWORD:
    case CURLUE_NO_ZONEID:
    case CURLUE_NO_PORT: return std::optional<std::string>();
    default: return complain(std::string("the URL's ") + name + " cannot be used: " + curl_url_strerror(code));
    }
}

Result<void> read_login(CURLU* url, FtpUrl& result)
{
    const auto user = part(url, CURLUPART_USER, CURLU_URLDECODE, "user");
    const auto password = part(url, CURLUPART_PASSWORD, CURLU_URLDECODE, "password");
    if (!user || !password)
        return std::unexpected(!user ? user.error() : password.error());
    result.user = user->value_or("");
    result.password = *password;
    curl_url_set(url, CURLUPART_USER, nullptr, 0);
    curl_url_set(url, CURLUPART_PASSWORD, nullptr, 0);
    return {};
}

Result<void> read_path(CURLU* url, FtpUrl& result)
{
    const auto path = part(url, CURLUPART_PATH, CURLU_URLDECODE, "path");
    if (!path)
        return std::unexpected(path.error());
    const std::string& text = path->value();
    result.file_name = text.substr(text.rfind('/') + 1);
    return {};
}

Result<void> read_server(CURLU* url, FtpUrl& result)
{
    const auto scheme = part(url, CURLUPART_SCHEME, 0, "beginning");
    if (!scheme)
        return std::unexpected(scheme.error());
    if (*scheme != "ftp" && *scheme != "ftps")
        return complain("the URL begins with " + scheme->value() + "://, not with ftp:// or ftps://");
    result.is_implicit = *scheme == "ftps";
    auto host = part(url, CURLUPART_HOST, 0, "host");
    const auto zone = part(url, CURLUPART_ZONEID, 0, "zone");
    const auto port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, "port");
    if (!host || !zone || !port)
        return std::unexpected(!host ? host.error() : !zone ? zone.error() : port.error());
    std::string& name = **host;
    if (*zone && name.ends_with(']'))
        name.insert(name.size() - 1, "%" + **zone);
    auto server = ServerName::parse(name + ":" + port->value());
    if (!server)
        return std::unexpected(server.error());
    result.server = *std::move(server);
    return {};
}

Result<FtpUrl> understand(CURLU* url)
{
    FtpUrl result;
    for (const auto& step : {read_server, read_login, read_path}) {
        if (const auto done = step(url, result); !done)
            return std::unexpected(done.error());
    }
    auto address = part(url, CURLUPART_URL, 0, "text");
    if (!address)
        return std::unexpected(address.error());
    result.address = address->value();
    return result;
}

std::string with_percent(std::string_view text, std::string_view characters)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (characters.contains(c))
            encoded.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
        else
            encoded += c;
    }
    return encoded;
}

/// The path without its last ";type=i". Files go as they are; another type is another wish.
Result<std::string_view> without_type(std::string_view path)
{
    constexpr std::string_view kType = ";type=";
    const std::size_t file = path.rfind('/') + 1;
    const std::string_view name = path.substr(file);
    const std::size_t at = name.find(kType);
    if (at == std::string_view::npos)
        return path;
    const std::string_view type = name.substr(at + kType.size());
    if (type != "i" && type != "I")
        return complain("the URL ends with ;type=, and files are carried as they are: leave that away, or write ;type=i");
    return path.substr(0, file + at);
}

/// libcurl reads RFC 3986, where "?" begins a query and "#" a fragment, and both are left away silently, and it looks for
/// ";type=" anywhere. In a path and a login of RFC 1738 sections 3.1 and 3.2 "?" stands for itself: it is written so that
/// libcurl understands the same. `rest` is what stands behind "://".
Result<std::string> as_libcurl_reads_it(std::string_view rest)
{
    if (rest.contains('#'))
        return complain("the URL has a bare \"#\": write %23 where a name has it");
    if (rest.contains(' '))
        return complain("the URL has a blank: write %20 where a name has it");
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view authority = rest.substr(0, slash);
    const std::size_t at = authority.rfind('@');
    const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
    if (host.contains('?'))
        return complain("the URL's host has a \"?\": a path begins with a slash");
    const auto path = without_type(rest.substr(slash));
    if (!path)
        return std::unexpected(path.error());
    const std::string_view login = authority.substr(0, authority.size() - host.size());
    return with_percent(login, "?").append(host).append(with_percent(*path, "?;"));
}

} // namespace

Result<FtpUrl> FtpUrl::parse(const std::string& text)
{
    const UrlPtr url(curl_url());
    const bool is_ftp = ::strncasecmp(text.c_str(), "ftp://", 6) == 0 || ::strncasecmp(text.c_str(), "ftps://", 7) == 0;
    const std::size_t behind_scheme = text.find("://") + 3;
    if (!is_ftp || text[behind_scheme] == '/') // libcurl would take what follows ftp:/// for a host
        return complain("not a URL like ftp://HOST/FILE or ftps://HOST/FILE"); // it may hold a password: not shown
    const auto rest = as_libcurl_reads_it(std::string_view(text).substr(behind_scheme));
    if (!rest)
        return std::unexpected(rest.error());
    const std::string readable = text.substr(0, behind_scheme) + *rest;
    if (const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, readable.c_str(), 0); code != CURLUE_OK)
        return complain(std::string("the URL cannot be read: ") + curl_url_strerror(code));
    return understand(url.get());
}

Result<FtpUrl> FtpUrl::with_file(const std::string& name) const
{
    const UrlPtr url(curl_url());
    std::unique_ptr<char, FreeText> encoded(curl_easy_escape(nullptr, name.c_str(), static_cast<int>(name.size())));
    if (!encoded || curl_url_set(url.get(), CURLUPART_URL, address.c_str(), 0) != CURLUE_OK)
        return complain("the URL cannot be extended");
    auto path = part(url.get(), CURLUPART_PATH, 0, "path");
    if (!path)
        return std::unexpected(path.error());
    std::string changed = path->value();
    if (!changed.ends_with('/'))
        changed += '/';
    changed += encoded.get();
    if (curl_url_set(url.get(), CURLUPART_PATH, changed.c_str(), 0) != CURLUE_OK)
        return complain("the URL cannot be extended");
    auto result = understand(url.get());
    if (result) {
        result->user = user;
        result->password = password;
    }
    return result;
}

} // namespace safetp::client
