// LineBuffer against the plainest splitter there is: the lines must not depend on how the bytes arrive.
#include "ftp/line_buffer.h"
#include "fuzz/fuzz.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace safetp;
using Kind = ftp::LineBuffer::Line::Kind;

namespace {

struct Line {
    bool is_too_long;
    std::string text;
    bool operator==(const Line&) const = default;
};

std::vector<Line> split_naively(std::string_view input, std::size_t max_line)
{
    std::vector<Line> lines;
    for (auto end = input.find('\n'); end != std::string_view::npos; end = input.find('\n')) {
        std::string_view text = input.substr(0, end);
        input.remove_prefix(end + 1);
        if (text.size() + 1 > max_line) {
            lines.push_back({ true, "" });
            continue;
        }
        if (text.ends_with('\r'))
            text.remove_suffix(1);
        lines.push_back({ false, std::string(text) });
    }
    return lines;
}

} // namespace

// The first byte gives the line limit; then each read is a length byte and so many bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 1)
        return 0;
    const std::size_t max_line = 1u + data[0] % 64u;
    std::string_view input = fuzz::as_text(data + 1, size - 1);
    ftp::LineBuffer buffer(max_line);
    std::vector<Line> lines;
    std::string sent;
    while (!input.empty()) {
        const auto wanted = static_cast<unsigned char>(input.front());
        input.remove_prefix(1);
        const auto space = buffer.free_space();
        fuzz::require(!space.empty(), "there is always room for a read");
        fuzz::require(space.size() <= max_line + 1, "memory is bounded by the line limit");
        const std::size_t count = std::min({ input.size(), space.size(), std::size_t{ wanted } });
        std::ranges::transform(input.substr(0, count), space.begin(), [](char c) { return static_cast<std::byte>(c); });
        buffer.commit(count);
        sent += input.substr(0, count);
        input.remove_prefix(count);
        for (auto line = buffer.next(); line.kind != Kind::none; line = buffer.next())
            lines.push_back({ line.kind == Kind::too_long, std::string(line.text) });
        fuzz::require(buffer.is_empty() == (sent.empty() || sent.ends_with('\n')), "empty only between lines");
        if (wanted % 2 == 0)
            buffer.release_if_empty();
    }
    fuzz::require(lines == split_naively(sent, max_line), "the same lines as the naive splitter");
    return 0;
}
