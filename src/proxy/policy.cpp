#include "proxy/environment.h"

namespace safetp::proxy {

namespace {

ftp::Security to_ftp(config::Security security)
{
    switch (security) {
    case config::Security::required: return ftp::Security::required;
    case config::Security::required_except_anonymous: return ftp::Security::required_except_anonymous;
    case config::Security::optional: return ftp::Security::optional;
    }
    return ftp::Security::required;
}

ftp::ServerDataMode to_ftp(config::ServerDataMode mode)
{
    switch (mode) {
    case config::ServerDataMode::automatic: return ftp::ServerDataMode::automatic;
    case config::ServerDataMode::epsv: return ftp::ServerDataMode::epsv;
    case config::ServerDataMode::pasv: return ftp::ServerDataMode::pasv;
    case config::ServerDataMode::active: return ftp::ServerDataMode::active;
    }
    return ftp::ServerDataMode::automatic;
}

} // namespace

ftp::Policy make_policy(const config::Config& config, const config::Listener& listener)
{
    ftp::Policy policy;
    policy.security = to_ftp(listener.security);
    policy.data_security_required = listener.data_security == config::DataSecurity::required;
    policy.implicit_tls = listener.implicit_tls;
    policy.allow_ccc = listener.allow_ccc;
    policy.server_data_mode = to_ftp(config.server.data_mode);
    if (config.server.line_bytes != 0)
        policy.server_line_bytes = config.server.line_bytes;
    policy.waiting_commands = config.limits.waiting_commands;
    policy.reply_bytes = config.limits.reply_bytes;
    policy.login_failures = config.limits.login_failures;
    policy.bad_commands = config.limits.bad_commands;
    policy.greeting = config.greeting;
    return policy;
}

} // namespace safetp::proxy
