// safetp get, put and ls. Each gives the exit code (client/exit_codes.h).
#pragma once

#include "bin/connection.h"

#include <string>
#include <vector>

namespace safetp::bin {

struct GetArguments {
    ConnectionArguments connection{};
    std::string url{};
    std::vector<std::string> more{}; ///< words too many, for a complaint that says what to do; here and below
    std::string output{}; ///< empty: named as on the server; "-": standard output; a directory: into it
    bool is_continued = false;
};

struct PutArguments {
    ConnectionArguments connection{};
    std::string file{}; ///< "-": standard input
    std::string url{};  ///< with a last slash: into that directory, named as here
    std::vector<std::string> more{};
    bool is_continued = false;
};

struct ListArguments {
    ConnectionArguments connection{};
    std::string url{};
    std::vector<std::string> more{};
    bool has_only_names = false;
};

int get(const GetArguments& arguments);
int put(const PutArguments& arguments);
int list(const ListArguments& arguments);

} // namespace safetp::bin
