#include "setup/diff.h"

#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace safetp::setup {

namespace {

constexpr std::size_t kContext = 3;
constexpr std::size_t kMaxTable = 16u << 20; // cells; beyond it the middle is shown as replaced whole

struct Edit {
    char kind = ' ';       ///< ' ', '-' or '+'
    std::string_view text; ///< with its line end, if it has one
};

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    for (const Line& line : split_lines(text))
        lines.push_back(text.substr(line.begin, line.end - line.begin));
    return lines;
}

using Lines = std::vector<std::string_view>;

/// What lies between equal beginnings and ends: the longest common subsequence by the table of lengths.
void diff_middle(const Lines& before, const Lines& after, std::vector<Edit>& edits)
{
    const std::size_t rows = before.size(), columns = after.size();
    if ((rows + 1) * (columns + 1) > kMaxTable) {
        for (const std::string_view line : before)
            edits.push_back({'-', line});
        for (const std::string_view line : after)
            edits.push_back({'+', line});
        return;
    }
    std::vector<std::uint32_t> lengths((rows + 1) * (columns + 1)); // of what is common from [row][column] to the ends
    const auto at
        = [&](std::size_t row, std::size_t column) -> std::uint32_t& { return lengths[row * (columns + 1) + column]; };
    for (std::size_t row = rows; row-- > 0;) {
        for (std::size_t column = columns; column-- > 0;)
            at(row, column) = before[row] == after[column] ? at(row + 1, column + 1) + 1
                                                           : std::max(at(row + 1, column), at(row, column + 1));
    }
    for (std::size_t row = 0, column = 0; row < rows || column < columns;) {
        if (row < rows && column < columns && before[row] == after[column])
            edits.push_back({' ', before[row]}), ++row, ++column;
        else if (row < rows && (column == columns || at(row + 1, column) >= at(row, column + 1)))
            edits.push_back({'-', before[row++]});
        else
            edits.push_back({'+', after[column++]});
    }
}

std::vector<Edit> find_edits(const Lines& before, const Lines& after)
{
    const auto [left, right] = std::ranges::mismatch(before, after);
    const auto start = static_cast<std::size_t>(left - before.begin());
    std::size_t tail = 0;
    while (tail < std::min(before.size(), after.size()) - start
        && before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
        ++tail;
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < start; ++i)
        edits.push_back({' ', before[i]});
    diff_middle(Lines(before.begin() + static_cast<std::ptrdiff_t>(start), before.end() - static_cast<std::ptrdiff_t>(tail)),
        Lines(after.begin() + static_cast<std::ptrdiff_t>(start), after.end() - static_cast<std::ptrdiff_t>(tail)), edits);
    for (std::size_t i = before.size() - tail; i < before.size(); ++i)
        edits.push_back({' ', before[i]});
    return edits;
}

std::string range_text(std::size_t first, std::size_t count)
{
    if (count == 1)
        return fmt::format("{}", first + 1);
    return fmt::format("{},{}", count == 0 ? first : first + 1, count);
}

/// One @@ part: edits [begin, end), which stand at these lines of the two texts.
std::string hunk_text(const std::vector<Edit>& edits, std::size_t begin, std::size_t end)
{
    std::size_t before_first = 0, after_first = 0, before_count = 0, after_count = 0;
    for (std::size_t i = 0; i < end; ++i) {
        (i < begin ? before_first : before_count) += edits[i].kind != '+';
        (i < begin ? after_first : after_count) += edits[i].kind != '-';
    }
    std::string out
        = fmt::format("@@ -{} +{} @@\n", range_text(before_first, before_count), range_text(after_first, after_count));
    for (std::size_t i = begin; i < end; ++i) {
        out += edits[i].kind;
        out += edits[i].text;
        if (!edits[i].text.ends_with('\n'))
            out += "\n\\ No newline at end of file\n";
    }
    return out;
}

} // namespace

std::string unified_diff(
    std::string_view before, std::string_view after, const std::string& before_name, const std::string& after_name)
{
    if (before == after)
        return {};
    const std::vector<Edit> edits = find_edits(lines_of(before), lines_of(after));
    std::string out = fmt::format("--- {}\n+++ {}\n", before_name, after_name);
    for (std::size_t i = 0; i < edits.size(); ++i) {
        if (edits[i].kind == ' ')
            continue;
        const std::size_t begin = i - std::min(i, kContext);
        std::size_t last = i; // of the changes that are near enough to share a part
        for (std::size_t j = i; j < edits.size() && j <= last + 2 * kContext; ++j)
            last = edits[j].kind == ' ' ? last : j;
        const std::size_t end = std::min(last + 1 + kContext, edits.size());
        out += hunk_text(edits, begin, end);
        i = end - 1;
    }
    return out;
}

} // namespace safetp::setup
