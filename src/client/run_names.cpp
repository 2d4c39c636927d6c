#include "client/run_service.h"

#include "base/zoned_address.h"

#include <algorithm>
#include <cctype>

namespace safetp::client {

namespace {

/// The HOST or HOST:PORT of a URL; empty: this is none.
std::string_view authority_of(std::string_view word)
{
    constexpr std::string_view kScheme = "ftp://";
    const std::size_t begin = word.find(kScheme);
    if (begin == std::string_view::npos)
        return {};
    if (begin > 0 && std::isalnum(static_cast<unsigned char>(word[begin - 1])) != 0) // sftp:// is another protocol
        return {};
    word.remove_prefix(begin + kScheme.size());
    word = word.substr(0, word.find_first_of("/?#;"));
    const std::size_t at = word.rfind('@');
    return at == std::string_view::npos ? word : word.substr(at + 1);
}

} // namespace

std::vector<ServerName> names_in(const std::vector<std::string>& words)
{
    constexpr std::uint16_t kNoPort = 1; // nobody's, and so a mark: ServerName takes no 0
    std::vector<ServerName> names;
    for (const std::string& word : words) {
        const std::string_view authority = authority_of(word);
        auto name = ServerName::parse(authority.empty() ? std::string_view(word) : authority, kNoPort);
        const bool is_plausible = name && !ZonedAddress::parse(name->host) && (!authority.empty() || name->host.contains('.'));
        if (!is_plausible)
            continue;
        if (name->port == kNoPort)
            name->port = 0;
        if (std::ranges::find(names, *name) == names.end())
            names.push_back(std::move(*name));
    }
    return names;
}

std::set<std::uint16_t> ports_in(const std::vector<std::string>& words)
{
    std::set<std::uint16_t> ports;
    for (const std::string& word : words) {
        if (const auto name = ServerName::parse(authority_of(word)))
            ports.insert(name->port);
    }
    return ports;
}

NameChoice names_for(const Endpoint& target, const std::vector<std::string>& words, const std::vector<ServerName>& known)
{
    NameChoice choice;
    const auto add = [&](const ServerName& name) {
        const bool fits = (name.port == 0 || name.port == target.port) && !ZonedAddress::parse(name.host);
        if (fits && std::ranges::find(choice.candidates, name.host) == choice.candidates.end())
            choice.candidates.push_back(name.host);
    };
    std::ranges::for_each(names_in(words), add);
    choice.from_words = choice.candidates.size();
    std::ranges::for_each(known, add);
    for (const std::string& word : words) {
        const std::string_view authority = authority_of(word);
        const auto name = ServerName::parse(authority.empty() ? std::string_view(word) : authority);
        choice.is_address_said = choice.is_address_said || (name && name->host == target.address.to_string());
    }
    return choice;
}

std::set<std::uint16_t> ports_of_other_services()
{
    return {22, 25, 53, 80, 88, 110, 143, 389, 443, 445, 465, 587, 631, 636, 853, 873, 990, 993, 995, 1433, 1521, 2049, 3128,
        3306, 3389, 5432, 5672, 6379, 8080, 8443, 11211, 27017};
}

} // namespace safetp::client
