// FtpUrl, by libcurl's own parser: what is shown and checked is what libcurl will dial.
#include "client/ftp_url.h"

#include <curl/curl.h>
#include <memory>

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
    if (const std::size_t type = result.file_name.find(";type="); type != std::string::npos)
        result.file_name.resize(type); // RFC 1738 section 3.2.2
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
    const auto host = part(url, CURLUPART_HOST, 0, "host");
    const auto port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, "port");
    if (!host || !port)
        return std::unexpected(!host ? host.error() : port.error());
    auto server = ServerName::parse(host->value() + ":" + port->value());
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

} // namespace

Result<FtpUrl> FtpUrl::parse(const std::string& text)
{
    const UrlPtr url(curl_url());
    const bool is_ftp = text.starts_with("ftp://") || text.starts_with("ftps://");
    if (!is_ftp || text[text.find("://") + 3] == '/') // libcurl would take what follows ftp:/// for a host
        return complain("not a URL like ftp://HOST/FILE or ftps://HOST/FILE"); // it may hold a password: not shown
    if (const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0); code != CURLUE_OK)
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
