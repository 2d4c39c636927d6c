#include "ftp/line_probe.h"

#include <utility>

namespace safetp::ftp {

namespace {

constexpr std::size_t kSmallestBuffer = 128; // a server that has less cannot be spoken to
constexpr std::size_t kSpareBytes = 4;       // of a buffer, for NUL, CR and LF, however they are counted

} // namespace

std::string LineProbe::take_output() { return std::exchange(output_, {}); }

std::string LineProbe::filled(std::string_view verb) const
{
    std::string line = std::string(verb) + " ";
    line.resize(line_bytes_ - 2, 'z');
    return line + "\r\n";
}

void LineProbe::on_line(std::string_view line)
{
    if (verdict_)
        return;
    if (!greeting_.is_complete()) {
        greeting_.on_line(line);
        if (greeting_.is_welcome())
            output_ = filled("HELP");
        else if (greeting_.is_complete())
            verdict_ = Verdict::no_server;
        return;
    }
    const auto reply = reader_.read(line);
    if (!reply || !output_.empty()) { // no reply, or one to what was not said yet
        verdict_ = Verdict::cut;
        return;
    }
    if (!reply->is_last || is_preliminary(reply->code))
        return;
    switch (++replies_) {
    case 1: output_ = filled("NOOP"); return;
    case 2: output_ = "QUIT\r\n"; return;
    default: verdict_ = reply->code == 221 ? Verdict::one_line : Verdict::cut;
    }
}

void LineProbe::on_end()
{
    if (!verdict_)
        verdict_ = greeting_.is_welcome() ? Verdict::cut : Verdict::no_server;
}

std::vector<std::size_t> line_lengths_to_try(std::size_t most)
{
    std::vector<std::size_t> lengths{most};
    std::size_t buffer = kSmallestBuffer;
    while (buffer * 2 - kSpareBytes < most)
        buffer *= 2;
    for (; buffer >= kSmallestBuffer; buffer /= 2)
        lengths.push_back(buffer - kSpareBytes);
    return lengths;
}

} // namespace safetp::ftp
