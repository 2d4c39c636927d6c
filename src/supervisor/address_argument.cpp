#include "supervisor/address_argument.h"

#include "base/zoned_address.h"

#include <charconv>

namespace safetp::supervisor {

Result<AddressArgument> parse_address_argument(std::string_view text)
{
    AddressArgument result;
    std::string_view port = text;
    if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
        std::string_view host = text.substr(0, colon);
        const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
        if (is_bracketed)
            host = host.substr(1, host.size() - 2);
        const auto address = parse_zoned_address(host);
        const bool is_ipv6_text = host.find(':') != std::string_view::npos;
        if (!address || is_ipv6_text != is_bracketed)
            return fail(ErrorCode::bad_address, 0, std::string(text));
        result.address = *address;
        port = text.substr(colon + 1);
    }
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (error != std::errc{} || end != port.data() + port.size() || result.port == 0)
        return fail(ErrorCode::bad_port, 0, std::string(text));
    return result;
}

} // namespace safetp::supervisor
