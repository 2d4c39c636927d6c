// Addresses and networks: one spelling each, and every comparison agrees with it.
#include "base/ip_address.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <array>

using namespace safetp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text = fuzz::as_text(data, size);
    if (const auto address = IpAddress::parse(text)) {
        const auto again = IpAddress::parse(address->to_string());
        fuzz::require(again && *again == *address, "an address round trip");
        const Endpoint endpoint{ *address, 21 };
        const auto through_socket = from_socket_address(to_socket_address(endpoint));
        fuzz::require(through_socket && *through_socket == endpoint, "a socket address round trip");
        constexpr std::array<std::uint8_t, 12> kMapped{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
        const bool is_mapped = std::equal(kMapped.begin(), kMapped.end(), address->bytes().begin());
        fuzz::require(address->is_ipv4() || !is_mapped, "mapped addresses are IPv4");
    }
    if (const auto network = Network::parse(text)) {
        fuzz::require(network->contains(network->base), "a network contains its base");
        fuzz::require(network->prefix_bits <= (network->base.is_ipv4() ? 32u : 128u), "a prefix has so many bits");
        const Network everything{ network->base, 0 };
        fuzz::require(everything.contains(network->base), "/0 contains all of its family");
    }
    return 0;
}
