// What a client's machine says of its user: only a whole answer about this connection names anybody.
#include "fuzz/fuzz.h"
#include "wrapper/ident_reply.h"

using namespace safetp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    constexpr wrapper::IdentPorts kPorts{40000, 21};
    const std::string text(fuzz::as_text(data, size));
    const auto user = wrapper::parse_ident_reply(text, kPorts);
    if (!user)
        return 0;
    fuzz::require(wrapper::is_ident_reply_complete(text), "half an answer is none");
    fuzz::require(!user->empty() && user->size() <= wrapper::kMaxUserBytes, "a user has 1 to 127 bytes");
    fuzz::require(user->find_first_of(std::string_view(" \t\r\n\v\f\0", 7)) == std::string::npos, "a user is one word");
    fuzz::require(text.find("40000") < text.find("21") && text.find("USERID") != std::string::npos, "both ports, and USERID");
    fuzz::require(wrapper::parse_ident_reply(text + "more", kPorts) == user, "what comes later changes nothing");
    fuzz::require(!wrapper::parse_ident_reply(text, {40001, 21}), "another connection's answer is none");
    const std::string plain = "40000 , 21 : USERID : UNIX : " + *user + "\r\n";
    fuzz::require(wrapper::parse_ident_reply(plain, kPorts) == user, "a user can be told again");
    return 0;
}
