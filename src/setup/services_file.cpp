#include "setup/services_file.h"

#include "setup/text.h"

#include <algorithm>

namespace safetp::setup {

std::vector<Service> parse_services(std::string_view text)
{
    std::vector<Service> services;
    for (const Line& line : split_lines(text)) {
        const auto words = split_words(line.text.substr(0, line.text.find('#')));
        if (words.size() < 2)
            continue;
        const std::size_t slash = words[1].text.find('/');
        const auto port = parse_port(words[1].text.substr(0, slash));
        if (!port || slash == std::string_view::npos)
            continue;
        Service service{std::string(words[0].text), *port, std::string(words[1].text.substr(slash + 1)), {}, line.number};
        for (std::size_t index = 2; index < words.size(); ++index)
            service.aliases.emplace_back(words[index].text);
        services.push_back(std::move(service));
    }
    return services;
}

std::optional<std::uint16_t> find_port(const std::vector<Service>& services, std::string_view name)
{
    if (const auto number = parse_port(name))
        return number;
    for (const Service& service : services) {
        if (service.protocol == "tcp"
            && (service.name == name || std::ranges::find(service.aliases, name) != service.aliases.end()))
            return service.port;
    }
    return std::nullopt;
}

std::string with_raw_ftp(std::string_view text)
{
    const auto services = parse_services(text);
    if (find_port(services, "raw-ftp"))
        return std::string(text);
    const auto lines = split_lines(text);
    // The list is sorted by ports; what stands after its sorted part (local services) is not looked at.
    std::size_t place = text.size();
    std::uint16_t highest = 0;
    for (const Service& service : services) {
        if (service.port < highest || service.port > kRawPort)
            break;
        highest = service.port;
        place = lines[service.line - 1].end;
    }
    std::string out(text.substr(0, place));
    if (!out.empty() && out.back() != '\n')
        out += '\n';
    out += "raw-ftp\t\t351/tcp\t\t\t\t# the FTP server behind safetpd\n";
    out += text.substr(place);
    return out;
}

} // namespace safetp::setup
