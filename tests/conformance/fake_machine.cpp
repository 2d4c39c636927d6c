#include "fake_machine.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>

namespace safetp::conformance {

namespace {

std::string cleaned(const std::string& path)
{
    std::string result;
    for (const char letter : path)
        if (letter != '/' || result.empty() || result.back() != '/')
            result += letter;
    if (result.size() > 1 && result.back() == '/')
        result.pop_back();
    return result;
}

} // namespace

FakePath fake_path(const Scene& scene, const std::string& path)
{
    const std::string name = cleaned(path);
    const bool names_directory = path.ends_with('/');
    if (name == "/" || name == kFakeDirectory)
        return {FakePath::Kind::directory, nullptr, 0};
    const std::string below = std::string(kFakeDirectory) + "/";
    if (!name.starts_with(below))
        return {FakePath::Kind::none, nullptr, ENOENT};
    const std::string wanted = name.substr(below.size());
    for (const auto& [file, text] : scene.files) {
        if (file == wanted)
            return names_directory ? FakePath{FakePath::Kind::none, nullptr, ENOTDIR}
                                   : FakePath{FakePath::Kind::file, &text, 0};
        if (file.starts_with(wanted + "/"))
            return {FakePath::Kind::directory, nullptr, 0};
        if (wanted.starts_with(file + "/"))
            return {FakePath::Kind::none, nullptr, ENOTDIR};
    }
    return {FakePath::Kind::none, nullptr, ENOENT};
}

bool fake_user(const std::string& name) { return name == "root" || name == "nobody" || name == "ann"; }

bool fake_group(const std::string& name) { return name == "root" || name == "nogroup" || name == "users"; }

bool fake_netgroup(const Scene& scene, const std::string& group, const std::string& host)
{
    const auto found = scene.netgroups.find(group);
    return found != scene.netgroups.end() && std::ranges::find(found->second, host) != found->second.end();
}

FakeEnd fake_end(const std::string& command)
{
    std::istringstream stream(command);
    std::vector<std::string> words;
    for (std::string word; stream >> word && !word.starts_with('#');)
        words.push_back(word);
    if (words.empty() || (words.size() == 1 && words[0] == "true"))
        return {};
    if (words.size() == 1 && words[0] == "false")
        return {1, 0};
    if (words.size() == 2 && words[0] == "exit")
        return {std::atoi(words[1].c_str()) & 0xff, 0};
    if (words.size() == 3 && words[0] == "kill" && words[2] == "$$")
        return {0, std::clamp(std::atoi(words[1].c_str() + 1), 1, 15)};
    if (words.size() == 4 && words[0] == "test" && words[2] == "=")
        return {words[1] == words[3] ? 0 : 1, 0};
    return {127, 0};
}

} // namespace safetp::conformance
