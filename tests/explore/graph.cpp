#include "graph.h"

#include <cstdio>
#include <fstream>

namespace safetp::explore {

namespace {

constexpr std::size_t kMostLabels = 4; // more on one arrow cannot be read

std::string quoted(const std::string& text)
{
    std::string result = "\"";
    for (const char c : text)
        (result += c == '"' || c == '\\' ? "\\" : "") += c;
    return result + "\"";
}

} // namespace

bool Graph::write(const std::string& file) const
{
    std::ofstream out(file);
    out << "digraph dialogue {\n  node [shape=box, fontsize=10];\n  edge [fontsize=8];\n";
    for (const auto& [ends, labels] : edges_) {
        std::string text;
        std::size_t count = 0;
        for (const auto& label : labels) {
            if (count++ == kMostLabels) {
                text += "...";
                break;
            }
            text += label + "\n";
        }
        std::string escaped = quoted(text);
        for (auto place = escaped.find('\n'); place != escaped.npos; place = escaped.find('\n'))
            escaped.replace(place, 1, "\\n");
        out << "  " << quoted(ends.first) << " -> " << quoted(ends.second) << " [label=" << escaped << "];\n";
    }
    out << "}\n";
    out.close();
    if (!out)
        std::fprintf(stderr, "dialogue-explorer: cannot write %s\n", file.c_str());
    return static_cast<bool>(out);
}

} // namespace safetp::explore
