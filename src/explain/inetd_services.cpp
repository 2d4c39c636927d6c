#include "explain/inetd_services.h"

#include "wrapper/daemon_name.h"

#include <algorithm>

namespace safetp::explain {

namespace {

constexpr std::size_t kArgv0 = 6; ///< service, socket type, protocol, wait, user, program, argv[0]
constexpr std::size_t kProgram = 5;

std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> words;
    for (std::size_t at = line.find_first_not_of(" \t\r"); at != std::string_view::npos;) {
        const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
        words.push_back(line.substr(at, end - at));
        at = line.find_first_not_of(" \t\r", end);
    }
    return words;
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); } // npos + 1 is 0

InetdService service_of(const std::vector<std::string_view>& words, unsigned line)
{
    const std::string_view program = words[kProgram];
    const std::string_view argv0 = words.size() > kArgv0 ? words[kArgv0] : std::string_view();
    const std::string_view wrapper = last_part(program);
    InetdService service{line, std::string(last_part(argv0.empty() ? program : argv0)), std::string(program), ""};
    if (wrapper != "tcpd" && wrapper != "safetp-tcpd")
        return service;
    service.wrapper = program;
    service.name = last_part(argv0);
    service.program = argv0.empty() ? "" : wrapper::find_daemon(argv0).path;
    return service;
}

} // namespace

std::vector<InetdService> inetd_services(std::string_view text)
{
    std::vector<InetdService> services;
    for (unsigned number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::vector<std::string_view> words = words_of(line);
        if (words.size() > kProgram && !words.front().starts_with('#') && words[kProgram] != "internal")
            services.push_back(service_of(words, number));
    }
    return services;
}

} // namespace safetp::explain
