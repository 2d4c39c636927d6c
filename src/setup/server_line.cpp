#include "setup/server_line.h"

#include "ftp/line_probe.h"
#include "setup/conversation.h"

#include <cerrno>
#include <csignal>

namespace safetp::setup {

namespace {

using Verdict = ftp::LineProbe::Verdict;

constexpr std::chrono::seconds kTime{20}; // for one connection

Verdict probe(UniqueFd connected, std::size_t bytes)
{
    Conversation talk(std::move(connected), Conversation::Clock::now() + kTime);
    ftp::LineProbe probe(bytes);
    while (!probe.verdict()) {
        const std::string text = probe.take_output();
        if (!text.empty() && !talk.send(text))
            break;
        const auto line = talk.read_line();
        if (!line)
            break;
        probe.on_line(*line);
    }
    probe.on_end();
    return *probe.verdict();
}

} // namespace

Result<std::size_t> measure_server_line(const ReachServer& reach, std::size_t most)
{
    ::signal(SIGPIPE, SIG_IGN);
    for (const std::size_t bytes : ftp::line_lengths_to_try(most)) {
        auto connected = reach();
        if (!connected)
            return std::unexpected(connected.error());
        const Verdict verdict = probe(std::move(*connected), bytes);
        if (verdict == Verdict::one_line)
            return bytes;
        if (verdict == Verdict::no_server)
            return fail(ErrorCode::peer_closed, 0, "it does not greet this machine");
    }
    return fail(ErrorCode::bad_file, 0, "it does not answer even short lines with one reply each");
}

} // namespace safetp::setup
