#include "wrapper/daemon_name.h"

namespace safetp::wrapper {

Daemon find_daemon(std::string_view argv0)
{
    const std::string given(argv0);
    if (argv0.starts_with('/'))
        return {given.substr(given.rfind('/') + 1), given};
    return {given, std::string(kDaemonDirectory) + "/" + given};
}

} // namespace safetp::wrapper
