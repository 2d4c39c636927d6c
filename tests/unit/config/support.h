// Shared by the tests of config: the project's files, and problems as text.
#pragma once

#include "config/load.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::config {

inline std::filesystem::path project_file(const std::string& name)
{
    return std::filesystem::path(__FILE__).parent_path() / "../../.." / name;
}

inline std::string read_whole(const std::filesystem::path& path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> lines_of(const std::string& text)
{
    std::vector<std::string> lines(1);
    for (const char character : text) {
        if (character == '\n')
            lines.emplace_back();
        else
            lines.back() += character;
    }
    return lines;
}

inline std::string to_string(const std::vector<Problem>& problems)
{
    std::string all;
    for (const Problem& problem : problems)
        all += problem.to_string() + "\n";
    return all;
}

inline bool has_problem(const std::vector<Problem>& problems, Problem::Severity severity, std::string_view text)
{
    return std::ranges::any_of(problems, [&](const Problem& problem) {
        return problem.severity == severity && problem.text.find(text) != std::string::npos;
    });
}

} // namespace safetp::config
