// The supervisor after the start: one ppoll loop over signals, the workers' requests and the clock.
#pragma once

#include "supervisor/life_cycle.h"
#include "supervisor/messages.h"
#include "supervisor/pid_file.h"
#include "supervisor/plan.h"
#include "supervisor/prepare.h"
#include "supervisor/resolver.h"
#include "supervisor/rule_commands.h"
#include "supervisor/service_manager.h"
#include "supervisor/started_servers.h"
#include "supervisor/table_keeper.h"
#include "supervisor/upgrade.h"
#include "supervisor/worker_table.h"

#include <sys/signalfd.h>

namespace safetp::supervisor {

class Service {
public:
    /// `only_client`: -s, one worker that serves it; its exit status becomes ours.
    Service(ConfigSource source, SharedCounters& counters, Prepared prepared, PidFile& pid_file, UniqueFd only_client);

    int run(); ///< until the last worker has ended; the exit code

private:
    struct Respawn {
        unsigned index;
        Clock::time_point due;
    };
    enum class From { signal, predecessor, successor };

    const config::Config& config() const { return prepared_.config(); }
    bool is_inetd() const { return is_inetd_; }

    void take_signals();
    Result<void> start_workers();
    Result<void> start_worker(unsigned index);
    void wait_and_handle();
    int milliseconds_to_next_task() const;
    void run_due_tasks();

    void reap();
    void on_child_end(pid_t pid, int status);
    void on_worker_end(const Worker& dead, int status);

    void reload();
    void reload_certificates();
    void switch_to(Prepared next);

    // service_room.cpp
    void kill_until_free(unsigned rows);
    void end_oldest_until_free(unsigned rows);

    bool looks_names_up() const { return life_.serves() && !is_inetd(); }
    void tell_addresses(const std::vector<std::size_t>& changed);
    void say_reload_failed(const std::string& why);

    // service_life.cpp
    void read_signals();
    void listen_to_neighbours();
    void on(Cause cause, From from = From::signal);
    void take(Step step, Cause cause, From from);
    void be_ready();
    void begin_serving();
    void start_successor();
    void end_successor();
    void hand_over();
    void pass_on(Cause cause, From from);
    void say_upgrade_failed(const std::string& why);
    void reopen_xferlog();
    void finish();
    void end_now();
    void send_last_notices();
    bool has_ended() const;

    // service_requests.cpp
    void on_session_end(const Worker& worker, const Request& request);
    void serve_requests(Worker& worker);
    void answer(Worker& worker, ReceivedRequest& received);
    void start_server_for(Worker& worker, const Request& request, const Facts* facts);
    Result<StartedServer> start_reserved_server(const Facts* facts) const;
    Result<ServerProgram> server_program(const Facts* facts) const;
    void give_tables(const TableAnswer& answer);
    void open_resolver_line(Worker& worker, const Request& request);
    void run_rule_command(Worker& worker, ReceivedRequest& received);
    void give_system_log(Worker& worker, const Request& request);
    void end_disobedient(Worker& worker, const std::string& why);
    bool on_helper_end(pid_t pid, int status);
    void configure_access();

    std::vector<FileStamp> look_at_certificates() const;

    ConfigSource source_;
    Prepared prepared_;
    PidFile& pid_file_;
    UniqueFd only_client_;
    bool is_inetd_;
    SharedCounters& counters_;
    WorkerTable table_;
    StartedServers servers_;
    UniqueFd signals_;
    std::string program_ = program_file();
    Neighbour predecessor_ = take_predecessor();
    std::optional<Successor> successor_;
    LifeCycle life_{static_cast<bool>(predecessor_)};
    bool is_main_process_ = false; ///< of the service: what the manager and the pid file know
    ServiceManager manager_;
    int exit_code_ = 0;
    unsigned generation_number_ = 1;
    std::vector<RespawnDelay> delays_;
    std::vector<Respawn> respawns_;
    TableKeeper tables_;
    Resolver resolver_;
    RuleCommands commands_;
    NameWatch names_;
    FileWatch certificates_;
    Clock::time_point next_look_;
    Clock::time_point finish_deadline_;
    std::chrono::microseconds watchdog_{0};
    Clock::time_point next_watchdog_;
};

} // namespace safetp::supervisor
