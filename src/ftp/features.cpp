// FEAT (RFC 2389): the raw ftpd's list less what cannot pass, plus what the gateway itself does. Nothing is invented.
#include "ftp/features.h"

#include "ftp/text.h"

#include <algorithm>
#include <array>
#include <utility>

namespace safetp::ftp {

namespace {

// What the gateway answers itself (and lists itself), and what it refuses.
constexpr auto kNotPassedOn = std::to_array<std::string_view>({"AUTH", "PBSZ", "PROT", "CCC", "ADAT", "MIC", "CONF", "ENC",
    "MODE", "SSCN", "CPSV", "SPSV", "LPSV", "LPRT", "ESTA", "ESTP", "EPSV", "EPRT", "PASV", "REIN"});

std::string first_word(std::string_view line) { return upper_case(line.substr(0, line.find_first_of(" ;\t"))); }

} // namespace

std::string make_feature_reply(std::string_view server_reply, OfferTls offer)
{
    std::string result = "211-Features:\r\n";
    if (offer != OfferTls::no)
        result += " AUTH TLS\r\n PBSZ\r\n PROT\r\n";
    if (offer == OfferTls::yes_with_ccc)
        result += " CCC\r\n";
    result += " EPRT\r\n EPSV\r\n PASV\r\n";
    bool is_first = true;
    while (!server_reply.empty()) {
        const auto end_of_line = std::min(server_reply.find("\r\n"), server_reply.size());
        std::string_view line = server_reply.substr(0, end_of_line);
        server_reply.remove_prefix(std::min(end_of_line + 2, server_reply.size()));
        const bool is_last = server_reply.empty();
        if (std::exchange(is_first, false) || is_last)
            continue;
        // Some ftpds repeat the code before each feature, forget the space, or set a tab: RFC 2389 wants exactly one space.
        if (line.starts_with("211-"))
            line.remove_prefix(4);
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (line.empty() || contains(kNotPassedOn, first_word(line)))
            continue;
        result += " " + std::string(line) + "\r\n";
    }
    return result + "211 End\r\n";
}

} // namespace safetp::ftp
