// A damaged image: Tables::open refuses it, or decisions with it stay inside its bytes. The first byte says whether the rest is
// an image, or tables to compile and then spoil: three bytes a spoilt byte, an empty line, hosts.allow, a form feed,
// hosts.deny.
#include "fuzz/access_machine.h"

namespace {

using namespace safetp;
using access::FileText;
using access::Reading;

std::vector<std::byte> spoilt(std::string_view text)
{
    const std::string_view changes = fuzz::take_until(text, '\n');
    access::TableFiles files;
    files.allow = {FileText::State::text, std::string(fuzz::take_until(text, '\f')), 0};
    files.deny = {FileText::State::text, std::string(text), 0};
    files.others["/f"] = {FileText::State::text, "10.1.2.3 /f", 0};
    std::vector<std::byte> image = access::compile(files, changes.size() % 2 == 0 ? Reading::strict : Reading::safe);
    for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
        const std::size_t at = static_cast<unsigned char>(changes[i]) * 256u + static_cast<unsigned char>(changes[i + 1]);
        image[at % image.size()] = static_cast<std::byte>(changes[i + 2]);
    }
    return image;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    const std::string_view rest = fuzz::as_text(data + 1, size - 1);
    std::vector<std::byte> image;
    if (data[0] % 2 == 0)
        image = spoilt(rest);
    else
        for (const char letter : rest)
            image.push_back(static_cast<std::byte>(letter));
    const auto tables = access::Tables::open(image);
    if (!tables)
        return 0;
    for (const char* address : {"10.1.2.3", "2001:db8::1", "unknown", "::ffff:10.1.2.3"}) {
        access::Request request;
        request.daemon = "ftpd";
        request.client_address = address;
        request.client_port = request.server_port = 21;
        for (const bool linear : {false, true})
            fuzz::decide(*tables, request, "client.example.org", "ann", linear);
    }
    return 0;
}
