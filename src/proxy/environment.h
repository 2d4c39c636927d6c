// What a session may use of its worker. Everything here outlives every session.
#pragma once

#include "config/config.h"
#include "ftp/control_channel.h"
#include "net/asio.h"
#include "proxy/access_helper.h"
#include "proxy/buffer_pool.h"
#include "proxy/client_side.h"
#include "proxy/doorstep.h"
#include "proxy/xferlog.h"
#include "tls/context.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace safetp::proxy {

class ServerLine;

/// The host names of the configuration's [data] section with what they resolved to.
using AnnouncedNames = std::vector<std::pair<std::string, std::vector<IpAddress>>>;

struct Environment {
    net::Executor executor;
    const config::Config& config;
    const AnnouncedNames& announced_names;
    BufferPool& buffers;
    Xferlog& xferlog;
    /// Has the raw ftpd started by the supervisor: our end of its control connection. With a record: as the options of the
    /// rule that its facts lead to want it (setenv, umask, nice).
    std::function<net::Task<Result<UniqueFd>>(std::uint64_t session, const IpAddress& client, const AccessRecord* record)>
        start_server;
    AccessHelper* access = nullptr; ///< null: everybody may come in
    Doorstep* doorstep = nullptr;   ///< before the raw ftpd; null: any number may come at once
    ServerLine* server_line = nullptr; ///< null: the policy says how long a line the server may be sent
    /// One that was started for session 0, which is no client's, is needed no more.
    std::function<void()> on_probe_end = {};
    std::function<void(std::uint64_t session)> on_login = {}; ///< each time that somebody has logged in; none: nobody minds
    std::uint16_t worker = 0; ///< its number, for the names of ticket keys
};

/// What the sessions of one listener share.
struct Front {
    const config::Listener& listener;
    const tls::ServerContext* tls; ///< null where the client leg is plain
    ftp::Policy policy;
    const ClientSide* client_side = nullptr; ///< null: a front door
};

ftp::Policy make_policy(const config::Config& config, const config::Listener& listener);

} // namespace safetp::proxy
