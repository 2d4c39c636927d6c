#include "explain/inetd_names.h"

#include <algorithm>

namespace safetp::explain {

namespace {

constexpr std::size_t kArgv0 = 6; ///< service, socket type, protocol, wait, user, program, argv[0]
constexpr std::size_t kProgram = 5;

std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> words;
    for (std::size_t at = line.find_first_not_of(" \t\r"); at != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
        words.push_back(line.substr(at, end - at));
        at = line.find_first_not_of(" \t\r", end);
    }
    return words;
}

} // namespace

std::vector<std::string> inetd_names(std::string_view text)
{
    std::vector<std::string> names;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::vector<std::string_view> words = words_of(line);
        if (words.size() <= kProgram || words.front().starts_with('#') || words[kProgram] == "internal")
            continue;
        std::string_view name = words[words.size() > kArgv0 ? kArgv0 : kProgram];
        name = name.substr(name.rfind('/') + 1); // npos + 1 is 0
        if (!name.empty() && std::ranges::find(names, name) == names.end())
            names.emplace_back(name);
    }
    return names;
}

} // namespace safetp::explain
