// The quotient of the states by their phase, as Graphviz draws it: dot -Tsvg FILE.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

namespace safetp::explore {

class Graph {
public:
    void add(const std::string& from, const std::string& label, const std::string& to)
    {
        if (from != to)
            edges_[{from, to}].insert(label);
    }
    void add_all(const Graph& other)
    {
        for (const auto& [ends, labels] : other.edges_)
            edges_[ends].insert(labels.begin(), labels.end());
    }
    bool write(const std::string& file) const; ///< false: it could not be written, and standard error says so

private:
    std::map<std::pair<std::string, std::string>, std::set<std::string>> edges_;
};

} // namespace safetp::explore
