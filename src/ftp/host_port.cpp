#include "ftp/host_port.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace safetp::ftp {

namespace {

// A decimal number of up to `max` at the front of text, which moves past it.
std::optional<unsigned> take_number(std::string_view& text, unsigned max)
{
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value > max)
        return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take_char(std::string_view& text, char c)
{
    if (text.empty() || text.front() != c)
        return false;
    text.remove_prefix(1);
    return true;
}

std::optional<std::array<std::uint8_t, 6>> take_six(std::string_view& text)
{
    std::array<std::uint8_t, 6> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (i > 0 && !take_char(text, ','))
            return {};
        const auto number = take_number(text, 255);
        if (!number)
            return {};
        numbers[i] = static_cast<std::uint8_t>(*number);
    }
    return numbers;
}

std::uint16_t port_of(const std::array<std::uint8_t, 6>& six) { return static_cast<std::uint16_t>(six[4] << 8 | six[5]); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_delimiter(char c) { return c >= 33 && c <= 126 && !is_digit(c); }

// "|protocol|address|port|...": the number between the third and the fourth delimiter.
std::optional<std::uint16_t> port_between_delimiters(std::string_view text)
{
    if (text.empty() || !is_delimiter(text.front()))
        return {};
    const char delimiter = text.front();
    const auto second = text.find(delimiter, 1);
    if (second == std::string_view::npos)
        return {};
    const auto third = text.find(delimiter, second + 1);
    if (third == std::string_view::npos)
        return {};
    text.remove_prefix(third + 1);
    const auto port = take_number(text, 65535);
    if (!port || !take_char(text, delimiter))
        return {};
    return static_cast<std::uint16_t>(*port);
}

} // namespace

std::optional<Endpoint> parse_port_argument(std::string_view argument)
{
    const auto six = take_six(argument);
    if (!six || !argument.empty())
        return {};
    return Endpoint{IpAddress::from_ipv4({(*six)[0], (*six)[1], (*six)[2], (*six)[3]}), port_of(*six)};
}

std::expected<Endpoint, EprtProblem> parse_eprt_argument(std::string_view argument)
{
    const auto malformed = std::unexpected(EprtProblem::malformed);
    if (argument.empty() || !is_delimiter(argument.front()))
        return malformed;
    const char delimiter = argument.front();
    argument.remove_prefix(1);
    const auto protocol = take_number(argument, 65535);
    if (!protocol || !take_char(argument, delimiter))
        return malformed;
    const auto address_end = argument.find(delimiter);
    if (address_end == std::string_view::npos)
        return malformed;
    const auto address = IpAddress::parse(argument.substr(0, address_end));
    const bool has_colon = argument.substr(0, address_end).contains(':');
    argument.remove_prefix(address_end + 1);
    const auto port = take_number(argument, 65535);
    if (!port || !take_char(argument, delimiter) || !argument.empty())
        return malformed;
    if (*protocol != 1 && *protocol != 2)
        return std::unexpected(EprtProblem::unknown_protocol);
    if (!address || has_colon != (*protocol == 2))
        return malformed;
    return Endpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::optional<std::uint16_t> port_of_pasv_reply(std::string_view line)
{
    line.remove_prefix(std::min<std::size_t>(3, line.size())); // the code
    while (!line.empty()) {
        if (!is_digit(line.front())) {
            line.remove_prefix(1);
            continue;
        }
        std::string_view rest = line;
        if (const auto six = take_six(rest); six && (rest.empty() || !is_digit(rest.front())))
            return port_of(*six);
        while (!line.empty() && is_digit(line.front()))
            line.remove_prefix(1);
    }
    return {};
}

std::optional<std::uint16_t> port_of_epsv_reply(std::string_view line)
{
    // Servers also put other remarks in parentheses, before or after.
    for (auto open = line.find('('); open != std::string_view::npos; open = line.find('(', open + 1)) {
        if (const auto port = port_between_delimiters(line.substr(open + 1)))
            return port;
    }
    return {};
}

std::string port_argument(const Endpoint& endpoint)
{
    std::string text;
    for (const auto byte : endpoint.address.ipv4_bytes())
        text += std::to_string(byte) + ",";
    return text + std::to_string(endpoint.port >> 8) + "," + std::to_string(endpoint.port & 0xff);
}

std::string eprt_argument(const Endpoint& endpoint)
{
    return std::string(endpoint.address.is_ipv4() ? "|1|" : "|2|") + endpoint.address.to_string() + "|"
        + std::to_string(endpoint.port) + "|";
}

} // namespace safetp::ftp
