// Prints failed logins as each log target shows them, for scripts/test-fail2ban: login_failure_lines ADDRESS [USER...].
#include "base/log.h"

int main(int argc, char** argv)
{
    if (argc < 2)
        return 64;
    const auto client = safetp::IpAddress::parse(argv[1]);
    if (!client)
        return 64;
    safetp::log::open({});
    for (int i = 2; i < argc; ++i)
        safetp::log::login_failure(static_cast<unsigned>(i), argv[i], *client);
    return 0;
}
