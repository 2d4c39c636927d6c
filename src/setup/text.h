// Small things that all the readers of configuration files here need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

/// One line of a text, and where it stands there.
struct Line {
    std::string_view text; ///< without its line end
    std::size_t begin = 0;
    std::size_t end = 0; ///< begin of the next line, or the text's length
    unsigned number = 0; ///< from 1
};

std::vector<Line> split_lines(std::string_view text);
std::vector<Line> split_lines(const std::string&& text) = delete; ///< the lines would outlive it

/// Parts between blanks (space, tab, CR), and where they stand.
struct Word {
    std::string_view text;
    std::size_t begin = 0; ///< in the text that was split
};
std::vector<Word> split_words(std::string_view text);
std::vector<Word> split_words(const std::string&& text) = delete;

std::string_view trim(std::string_view text);
std::string lower(std::string_view text);
bool equals_ignoring_case(std::string_view one, std::string_view other);
std::string_view base_name(std::string_view path);              ///< after the last slash
std::string_view directory_name(std::string_view path);         ///< before the last slash; "/" for a file of the root
std::optional<std::uint16_t> parse_port(std::string_view text); ///< 1 to 65535, decimal digits only

/// For a terminal or a JSON text: control characters and, in JSON, quotes are escaped.
std::string printable(std::string_view text);
std::string json_string(std::string_view text); ///< with its quotes

} // namespace safetp::setup
