// What is judged is what is sent on: a command made anew is one line, and parses to the same command.
#include "ftp/command.h"
#include "fuzz/fuzz.h"

#include <algorithm>

using namespace safetp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto command = ftp::parse_command(fuzz::as_text(data, size));
    if (!command)
        return 0;
    const std::string line = command->to_line();
    fuzz::require(line.ends_with("\r\n"), "a command ends in CRLF");
    const std::string_view text = std::string_view(line).substr(0, line.size() - 2);
    fuzz::require(text.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos, "one line passes, not two");
    const auto again = ftp::parse_command(text);
    fuzz::require(again.has_value(), "what is sent parses again");
    fuzz::require(again->verb == command->verb && again->name == command->name && again->argument == command->argument
            && again->has_argument == command->has_argument,
        "what is sent means the same");
    // Blanks around a parameter are left out; those of a name are part of it.
    const auto without_blanks_behind = [](std::string_view said) { return said.substr(0, said.find_last_not_of(" \t") + 1); };
    fuzz::require(without_blanks_behind(fuzz::as_text(data, size)).ends_with(without_blanks_behind(command->argument)),
        "the argument is passed on unchanged");
    return 0;
}
