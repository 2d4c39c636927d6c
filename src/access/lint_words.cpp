#include "access/lint_parts.h"

#include <algorithm>
#include <fmt/format.h>

namespace safetp::access {

std::string shown(std::string_view text)
{
    constexpr std::size_t kMaxShown = 60;
    std::string clean = "\"";
    for (const char character : text.substr(0, kMaxShown)) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte >= 0x7f)
            clean += fmt::format("\\x{:02x}", byte);
        else
            clean += character;
    }
    return clean + (text.size() > kMaxShown ? "...\"" : "\"");
}

std::string lower(std::string_view text)
{
    std::string result(text);
    std::ranges::transform(result, result.begin(), to_lower);
    return result;
}

bool is_word(std::string_view word, std::initializer_list<std::string_view> among)
{
    return std::ranges::any_of(among, [&](std::string_view other) { return equal_ignoring_case(word, other); });
}

std::vector<std::string_view> words_of(std::string_view list)
{
    std::vector<std::string_view> words;
    Words all(list);
    for (std::string_view word = all.next(); !word.empty(); word = all.next())
        words.push_back(word);
    return words;
}

std::vector<std::string_view> positive_words(const std::vector<std::string_view>& words)
{
    const auto end = std::ranges::find_if(words, [](std::string_view word) { return equal_ignoring_case(word, "EXCEPT"); });
    return {words.begin(), end};
}

std::pair<std::string_view, std::string_view> split_at_sign(std::string_view word)
{
    int depth = 0;
    for (std::size_t at = 0; at < word.size(); ++at) {
        depth += word[at] == '[' ? 1 : word[at] == ']' ? -1 : 0;
        if (word[at] == '@' && at > 0 && depth == 0)
            return {word.substr(0, at), word.substr(at + 1)};
    }
    return {word, {}};
}

bool has_at_sign(std::string_view word) { return split_at_sign(word).first.size() < word.size(); }

bool may_concern(std::string_view daemons, std::string_view daemon)
{
    const std::vector<std::string_view> words = words_of(daemons);
    return std::ranges::any_of(positive_words(words), [&](std::string_view word) {
        const std::string_view name = split_at_sign(word).first;
        return is_word(name, {"ALL", "KNOWN"}) || equal_ignoring_case(name, daemon)
            || (has_wildcards(name) && matches_wildcards(name, daemon));
    });
}

bool Linter::is_resident(std::string_view daemon) const
{
    return std::ranges::any_of(settings.residents, [&](const std::string& name) { return equal_ignoring_case(name, daemon); });
}

void Linter::error_in_strict(const std::string& file, unsigned line, const std::string& text)
{
    if (settings.reading == Reading::strict)
        findings.error(file, line, text);
    else
        findings.warning(file, line, text + " (the safe reading takes it as it is meant, other daemons do not)");
}

} // namespace safetp::access
