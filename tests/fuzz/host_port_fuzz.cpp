// PORT, EPRT, 227 and 229: what is accepted can be written down and read again.
#include "ftp/host_port.h"
#include "fuzz/fuzz.h"

using namespace safetp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text = fuzz::as_text(data, size);
    if (const auto target = ftp::parse_port_argument(text)) {
        fuzz::require(target->address.is_ipv4(), "PORT is IPv4");
        fuzz::require(ftp::parse_port_argument(ftp::port_argument(*target)) == target, "PORT round trip");
        fuzz::require(ftp::port_of_pasv_reply("227 (" + std::string(text) + ")") == target->port, "227 finds what PORT says");
    }
    if (const auto target = ftp::parse_eprt_argument(text)) {
        fuzz::require(target->address.scope() == 0, "EPRT has no scope");
        const auto again = ftp::parse_eprt_argument(ftp::eprt_argument(*target));
        fuzz::require(again && *again == *target, "EPRT round trip");
    }
    if (const auto port = ftp::port_of_pasv_reply(text))
        fuzz::require(
            ftp::port_of_pasv_reply("227 (0,0,0,0," + std::to_string(*port >> 8) + "," + std::to_string(*port & 255) + ")")
                == port,
            "227 round trip");
    if (const auto port = ftp::port_of_epsv_reply(text))
        fuzz::require(ftp::port_of_epsv_reply("229 (|||" + std::to_string(*port) + "|)") == port, "229 round trip");
    return 0;
}
