#include "client/settings.h"

namespace safetp::client {

// A person types at an old FTP program, and the server behind has limits of its own: ours only keep dead sessions from piling up.
Settings::Settings()
{
    config.timeouts.login = std::chrono::minutes(5);
    config.timeouts.idle = std::chrono::hours(1);
    config.data.first_port = config.data.last_port = 0; // the kernel chooses: nobody's firewall stands before the local leg
    config.limits.sessions = 500;
}

} // namespace safetp::client
