// Who may come in: hosts_access(5) for one connection, before anything of FTP or TLS has been said.
#pragma once

#include "proxy/access_helper.h"
#include "proxy/environment.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace safetp::proxy {

/// What the tables have decided, and what their options want for the rest of the session.
struct Admission {
    enum class Kind {
        granted,
        refused,
        twisted, ///< another program has the connection
        given_up, ///< the client is gone, or the session ends: nothing was decided
    } kind
        = Kind::refused;
    std::string banner;                        ///< lines with CRLF; may be empty
    std::optional<std::chrono::seconds> linger; ///< how long a farewell may wait for the client; 0: not at all
    std::shared_ptr<const AccessRecord> record; ///< where the raw ftpd is to be started with setenv, umask or nice
};

class AccessStep {
public:
    /// All of it outlives the step. `client` is the control connection's descriptor.
    struct Connection {
        const Environment& environment;
        const config::Listener& listener;
        std::uint64_t session;
        int client;
        Endpoint peer;
        Endpoint local;
    };

    explicit AccessStep(const Connection& connection);

    net::Task<Admission> run();
    void stop() { wait_.stop(); } ///< the client is gone or the session ends: run returns soon

private:
    net::Task<std::optional<access::Verdict>> evaluate(const TableImage& image);
    net::Task<bool> is_paranoid();
    net::Task<access::Step> answer(access::Evaluation& evaluation, access::Step step);
    net::Task<std::string> find_out(access::LookUp wanted, const access::Evaluation& evaluation);
    net::Task<std::string> find_name(const IpAddress& address, const access::Evaluation* evaluation);
    net::Task<int> run_command(access::RunCommand command);
    int apply(const access::Effect& effect);
    void cannot_apply(std::string option, std::string instead);
    net::Task<> settle(const access::Verdict& verdict, const access::Request& request);
    void report(const std::vector<access::Report>& reports) const;
    void log_refusal(const access::Request& request, const access::Verdict& verdict) const;
    void log_unapplied(const access::Verdict& verdict) const;
    std::string place_of(const access::Position& position) const;

    const Connection connection_;
    const config::Access& config_;
    AccessHelper& helper_;
    AccessWait wait_;
    AccessRecord record_;
    access::Request judged_; ///< with what was looked up
    Admission admission_;
    std::vector<std::string> unapplied_;
    bool must_refuse_ = false; ///< an aclexec that may not run: what it would have said is unknown
};

} // namespace safetp::proxy
