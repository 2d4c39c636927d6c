#include "setup/inetd_conf.h"

#include "setup/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

namespace safetp::setup {

namespace {

constexpr std::string_view kOff = "#<off>#";

struct Scope {
    std::string address; ///< from a line "ADDRESS:", for those that follow
};

/// "ADDRESS:service" or "service"; an IPv6 address stands in brackets (inetutils) or bare before the last colon.
void split_service(std::string_view text, const Scope& scope, InetdLine& line)
{
    const std::size_t colon = text.rfind(':');
    line.has_own_address = colon != std::string_view::npos;
    line.address = line.has_own_address ? std::string(text.substr(0, colon)) : scope.address;
    line.service = line.has_own_address ? text.substr(colon + 1) : text;
}

std::optional<InetdLine> parse_line(const std::vector<Word>& words, const Scope& scope)
{
    if (words.size() < 6)
        return std::nullopt;
    InetdLine line;
    split_service(words[0].text, scope, line);
    line.socket_type = words[1].text;
    line.protocol = words[2].text.substr(0, words[2].text.find(',')); // "tcp,sndbuf=16k"
    line.wait = words[3].text;
    line.user = words[4].text;
    line.program = words[5].text;
    for (std::size_t index = 6; index < words.size(); ++index)
        line.arguments.emplace_back(words[index].text);
    const bool is_service = line.socket_type == "stream" || line.socket_type == "dgram" || line.socket_type == "raw"
        || line.socket_type == "rdm" || line.socket_type == "seqpacket";
    return is_service ? std::optional(line) : std::nullopt; // what stands behind "#<off>#" may be prose
}

} // namespace

std::vector<InetdLine> parse_inetd_conf(std::string_view text)
{
    std::vector<InetdLine> found;
    Scope scope;
    const auto lines = split_lines(text);
    for (std::size_t index = 0; index < lines.size(); ++index) {
        const Line& first = lines[index];
        std::string_view content = first.text;
        const bool is_off = content.starts_with(kOff);
        if (is_off)
            content.remove_prefix(kOff.size());
        else if (content.starts_with('#') || content.starts_with(' ') || content.starts_with('\t'))
            continue;
        auto words = split_words(content);
        if (!is_off && words.size() == 1 && words[0].text.ends_with(':')) {
            scope.address = words[0].text.substr(0, words[0].text.size() - 1);
            continue;
        }
        std::size_t end = first.begin + first.text.size();
        // A line that begins with a blank goes on with the one before it.
        while (!is_off && index + 1 < lines.size()
            && (lines[index + 1].text.starts_with(' ') || lines[index + 1].text.starts_with('\t'))) {
            const Line& more = lines[++index];
            for (const Word& word : split_words(more.text))
                words.push_back(word);
            end = more.begin + more.text.size();
        }
        if (auto line = parse_line(words, scope)) {
            line->number = first.number;
            line->begin = first.begin;
            line->end = end;
            line->text = text.substr(first.begin, end - first.begin);
            line->is_enabled = !is_off;
            found.push_back(std::move(*line));
        }
    }
    return found;
}

std::string to_text(const InetdLine& line)
{
    const std::string place = line.has_own_address ? line.address + ":" + line.service : line.service;
    return fmt::format("{}\t{}\t{}\t{}\t{}\t{}{}{}", place, line.socket_type, line.protocol, line.wait, line.user, line.program,
        line.arguments.empty() ? "" : "\t", fmt::join(line.arguments, " "));
}

std::string switched_off(const InetdLine& line)
{
    std::string out;
    for (const Line& part : split_lines(line.text))
        out += fmt::format("{}{} {}", out.empty() ? "" : "\n", kOff, part.text);
    return out;
}

} // namespace safetp::setup
