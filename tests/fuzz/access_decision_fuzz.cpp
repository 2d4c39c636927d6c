// A whole decision: fields of a request, one a line, an empty line, hosts.allow, a form feed, hosts.deny, a form feed, a
// pattern file. The index answers as trying rule after rule does, and two times the same.
#include "fuzz/access_machine.h"

namespace {

using namespace safetp;
using access::FileText;
using access::Reading;
using fuzz::require;

constexpr const char* kFile = "/f";

access::Request read_request(std::string_view& text, std::string& name, std::string& user)
{
    access::Request request;
    request.daemon = fuzz::take_until(text, '\n').substr(0, 127);
    request.client_address = fuzz::take_until(text, '\n').substr(0, 63);
    request.server_address = fuzz::take_until(text, '\n').substr(0, 63);
    name = fuzz::take_until(text, '\n').substr(0, 255);
    user = fuzz::take_until(text, '\n').substr(0, 255);
    request.client_port = 40000;
    request.server_port = 21;
    request.process_id = 1;
    request.has_endpoints = !user.starts_with('-');
    if (!request.has_endpoints) {
        request.client_name = name;
        request.client_user = user;
    }
    return request;
}

void compare(const access::TableFiles& files, Reading reading, const access::Request& request, const std::string& name,
    const std::string& user)
{
    const std::vector<std::byte> image = access::compile(files, reading);
    const auto tables = access::Tables::open(image);
    require(tables.has_value(), "what was compiled can be opened");
    const auto by_index = fuzz::decide(*tables, request, name, user, false);
    const auto one_by_one = fuzz::decide(*tables, request, name, user, true);
    require(by_index.verdict.outcome == one_by_one.verdict.outcome, "the index gives the same verdict");
    require(by_index.verdict.matched == one_by_one.verdict.matched, "by the same rule");
    require(by_index.events == one_by_one.events, "and asks and says the same on the way");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view text = fuzz::as_text(data, size);
    std::string name, user;
    const access::Request request = read_request(text, name, user);
    access::TableFiles files;
    files.allow = {FileText::State::text, std::string(fuzz::take_until(text, '\f')), 0};
    files.deny = {FileText::State::text, std::string(fuzz::take_until(text, '\f')), 0};
    files.others[kFile] = {FileText::State::text, std::string(text), 0};
    files.others["/m/" + request.daemon] = files.others[kFile];
    for (const Reading reading : {Reading::strict, Reading::safe})
        compare(files, reading, request, name, user);
    return 0;
}
