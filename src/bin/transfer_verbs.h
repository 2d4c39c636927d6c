// safetp get, put and ls. Each gives the exit code (client/exit_codes.h).
#pragma once

#include "bin/connection.h"

#include <string>

namespace safetp::bin {

struct GetArguments {
    ConnectionArguments connection{};
    std::string url{};
    std::string output{}; ///< empty: named as on the server; "-": standard output; a directory: into it
    bool is_continued = false;
};

struct PutArguments {
    ConnectionArguments connection{};
    std::string file{}; ///< "-": standard input
    std::string url{};  ///< with a last slash: into that directory, named as here
    bool is_continued = false;
};

struct ListArguments {
    ConnectionArguments connection{};
    std::string url{};
    bool has_only_names = false;
};

int get(const GetArguments& arguments);
int put(const PutArguments& arguments);
int list(const ListArguments& arguments);

} // namespace safetp::bin
