// A value of the file with the line it stands on, free of the TOML library, so that only load.cpp knows that library.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace safetp::config {

struct Node {
    enum class Kind { text, integer, boolean, list, table, other };

    Kind kind = Kind::other;
    unsigned line = 0;       ///< of the key for a table's member, of the value for a list's item; from 1
    std::string key;         ///< a table's member: its name
    std::string text;        ///< text: the string; other: what it is, as "a date"
    std::int64_t number = 0; ///< integer
    bool truth = false;      ///< boolean
    std::vector<Node> items; ///< list: items; table: members
};

} // namespace safetp::config
