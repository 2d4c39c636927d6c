#include "setup/xinetd_conf.h"

#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::setup {

namespace {

/// "key = a b", "key += c" or "key -= b".
void take_assignment(std::string_view text, XinetdBlock& block)
{
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0)
        return;
    const char before = text[equals - 1];
    const bool adds = before == '+', removes = before == '-';
    const std::string key = lower(trim(text.substr(0, equals - (adds || removes ? 1 : 0))));
    auto& values = block.values[key];
    if (!adds && !removes)
        values.clear();
    for (const Word& word : split_words(text.substr(equals + 1))) {
        std::erase(values, word.text);
        if (!removes)
            values.emplace_back(word.text);
    }
}

} // namespace

std::string XinetdBlock::value(std::string_view key) const
{
    const auto found = values.find(key);
    return found == values.end() ? std::string() : fmt::format("{}", fmt::join(found->second, " "));
}

bool XinetdBlock::has_flag(std::string_view flag) const
{
    const auto found = values.find("flags");
    return found != values.end()
        && std::ranges::any_of(found->second, [&](const std::string& word) { return equals_ignoring_case(word, flag); });
}

XinetdFile parse_xinetd_conf(std::string_view text, const std::string& file)
{
    XinetdFile out;
    XinetdBlock block;
    bool has_block = false; // "service NAME" or "defaults" was read
    bool is_inside = false; // behind its {
    for (const Line& line : split_lines(text)) {
        const std::string_view content = trim(line.text);
        if (content.empty() || content.front() == '#')
            continue;
        const auto words = split_words(content);
        if (is_inside && words[0].text == "}") {
            out.blocks.push_back(std::move(block));
            block = {};
            has_block = is_inside = false;
        } else if (is_inside) {
            take_assignment(content, block);
        } else if (has_block && words[0].text == "{") {
            is_inside = true;
        } else if (words[0].text == "service" || words[0].text == "defaults") {
            block = {words[0].text == "service" && words.size() > 1 ? std::string(words[1].text) : std::string(), file,
                line.number, {}};
            has_block = true;
            is_inside = words.back().text == "{";
        } else if (words.size() > 1 && words[0].text == "include") {
            out.included_files.emplace_back(words[1].text);
        } else if (words.size() > 1 && words[0].text == "includedir") {
            out.included_directories.emplace_back(words[1].text);
        }
    }
    return out;
}

bool is_enabled(const XinetdBlock& service, const XinetdBlock& defaults)
{
    const std::string id = service.value("id").empty() ? service.name : service.value("id");
    const auto lists = [&](std::string_view key) {
        const auto found = defaults.values.find(key);
        return found != defaults.values.end() && std::ranges::find(found->second, id) != found->second.end();
    };
    if (equals_ignoring_case(service.value("disable"), "yes") || service.has_flag("DISABLE") || lists("disabled"))
        return false;
    return !defaults.values.contains("enabled") || lists("enabled");
}

} // namespace safetp::setup
