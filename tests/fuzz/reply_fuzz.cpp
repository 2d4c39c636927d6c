// Reply framing, line by line: every reply begins and ends with its own code, and nothing unsafe comes through.
#include "ftp/reply.h"
#include "fuzz/fuzz.h"

#include <algorithm>

using namespace safetp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    ftp::ReplyReader reader;
    std::string_view input = fuzz::as_text(data, size);
    int open_code = 0;
    while (!input.empty()) {
        const auto end = std::min(input.find('\n'), input.size());
        const std::string_view line = input.substr(0, end);
        input.remove_prefix(std::min(end + 1, input.size()));
        const auto reply = reader.read(line);
        fuzz::require(reply || open_code == 0, "inside a reply everything is a line");
        if (!reply)
            continue;
        fuzz::require(reply->code >= 100 && reply->code < 600, "codes are 100 to 599");
        fuzz::require(reply->is_first == (open_code == 0), "the first line is the first");
        fuzz::require(open_code == 0 || reply->code == open_code, "a reply has one code");
        fuzz::require(!std::ranges::any_of(reply->text, [](char c) { return c == '\r' || c == '\0'; }), "no CR, no NUL");
        fuzz::require(reply->text.size() >= line.size() && reply->text.size() <= std::max<std::size_t>(line.size(), 4),
            "nothing is lost or added");
        if (reply->is_first || reply->is_last)
            fuzz::require(
                reply->text.starts_with(std::to_string(reply->code) + (reply->is_last ? " " : "-")), "framed by its code");
        open_code = reply->is_last ? 0 : reply->code;
        fuzz::require(reader.is_inside() == (open_code != 0), "it knows where it is");
    }
    return 0;
}
