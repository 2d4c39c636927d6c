#include "client/run_service.h"

#include "base/log.h"
#include "client/connect_calls.h"
#include "client/exit_codes.h"
#include "client/passages.h"

#include <algorithm>
#include <fcntl.h>
#include <poll.h>
#include <span>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::client {

namespace {

using log::Level;
using tls::IoStep;

constexpr unsigned kLookupsAtOnce = 16; // each is a process
constexpr int kSignalled = 128; // what shells add to a signal's number

sigset_t signals_of_run()
{
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU})
        ::sigaddset(&signals, signal);
    return signals;
}

/// Each connection that goes through us takes two. The command has started with its own limit.
void allow_many_descriptors()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// As a terminal does it; where nobody could let us go on (an orphaned process group, setpgid(2)) the kernel stops nothing.
void stop_ourselves()
{
    sigset_t stop;
    ::sigemptyset(&stop);
    ::sigaddset(&stop, SIGTSTP);
    ::raise(SIGTSTP);
    ::sigprocmask(SIG_UNBLOCK, &stop, nullptr); // and here we are stopped
    ::sigprocmask(SIG_BLOCK, &stop, nullptr);
}

/// A shell ends its script on Ctrl-C only if the program that it waits for has ended by it.
void die_of_interrupt()
{
    sigset_t interrupt;
    ::sigemptyset(&interrupt);
    ::sigaddset(&interrupt, SIGINT);
    std::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
    ::sigprocmask(SIG_UNBLOCK, &interrupt, nullptr);
}

bool is_in_foreground()
{
    const UniqueFd terminal(::open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY));
    return terminal && ::tcgetpgrp(terminal.get()) == ::getpgrp();
}

UniqueFd open_signals()
{
    const sigset_t signals = signals_of_run();
    return UniqueFd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

class Run {
public:
    explicit Run(RunStart start)
        : settings_(start.settings)
        , command_(start.command.pid)
        , concern_{std::move(start.ports), std::move(start.other_ports),
              [this](const Endpoint& target) { return engine_.data_place_for(target); }}
        , host_(std::move(start.host))
        , words_(std::move(start.words))
        , known_(std::move(start.known))
        , engine_(io_.get_executor(), start.settings, std::move(start.resources))
        , lookups_(io_.get_executor(), std::move(start.name_helper),
              {.at_once = kLookupsAtOnce, .of_one_asker = kLookupsAtOnce})
        , calls_(io_.get_executor(), std::move(start.command.calls))
        , passages_(io_.get_executor(), start.settings.config.timeouts.keepalive,
              [this](std::uint64_t id, int error) { answer(calls_.fd(), id, error); })
        , signals_(io_.get_executor(), open_signals())
        , tasks_(io_.get_executor())
    {
    }

    /// The command's exit code; or safetp ends as it has done.
    int run()
    {
        tasks_.spawn("name service", engine_.run());
        tasks_.spawn("names of servers", lookups_.run());
        tasks_.spawn("signals", obey_signals());
        tasks_.spawn("calls", take_calls());
        io_.run();
        say_if_nothing_was_led();
        if (exit_code_ == kSignalled + SIGINT && is_killed_)
            die_of_interrupt();
        return exit_code_;
    }

private:
    net::Task<> take_calls();
    void receive(ConnectCall call);
    net::Task<> serve(UniqueFd client, Endpoint peer, Endpoint target, proxy::Overheard overheard);
    net::Task<> look_into(ConnectCall call);
    net::Task<proxy::Destination> destination_for(Endpoint target);
    struct Candidate {
        std::string host;
        bool is_from_words = false;
        bool is_there = false;    ///< somebody is called so
        bool has_address = false; ///< and it is the one that was dialled
    };
    net::Task<std::string> name_of(Endpoint target);
    net::Task<> look_up(Candidate& candidate, IpAddress address);
    net::Task<> obey_signals();
    void obey(const signalfd_siginfo& signal);
    void reap();
    void follow(int stop_signal) const;
    net::Task<> drain();
    void stop();
    void leave_if_done();
    void say_if_nothing_was_led() const;

    asio::io_context io_{1}; // first: what its tasks refer to must go after them; and this object is never destroyed
    const Settings& settings_;
    pid_t command_; ///< -1: it has ended
    Concern concern_;
    std::string host_;
    std::vector<std::string> words_;
    std::vector<ServerName> known_;
    Engine engine_;
    NameService lookups_;
    net::Channel calls_;
    Passages passages_;
    net::Channel signals_;
    int exit_code_ = kExitFailure;
    bool is_killed_ = false; ///< the command, by a signal
    unsigned serving_ = 0;
    unsigned led_ = 0; ///< sessions of FTP
    bool has_callers_ = true; ///< somebody is left who is watched
    bool is_stopping_ = false;
    net::TaskGroup tasks_;
};

net::Task<> Run::take_calls()
{
    for (;;) {
        // Asked for beforehand: receiving would wait, with the whole loop (seccomp_unotify(2)).
        pollfd entry{calls_.fd(), POLLIN, 0};
        ::poll(&entry, 1, 0);
        if ((entry.revents & POLLIN) != 0) {
            auto call = next_connect(calls_.fd(), concern_);
            if (call && *call)
                receive(std::move(**call));
            if (call) {
                co_await net::yield(io_.get_executor());
                continue;
            }
            log::Event(Level::error, 0, "internal-error", "cannot watch the command any more: " + describe(call.error()));
            ::_exit(kExitFailure); // with us goes the other end: whoever connects from now on gets an error
        }
        if ((entry.revents & (POLLHUP | POLLERR)) != 0)
            break;
        co_await calls_.wait(IoStep::Kind::want_read);
    }
    has_callers_ = false;
    stop();
}

void Run::receive(ConnectCall call)
{
    if (call.kind == ConnectCall::Kind::data)
        return answer(calls_.fd(), call.id, lead_to_data_place(call));
    if (call.kind == ConnectCall::Kind::unknown) {
        ++serving_;
        return tasks_.spawn("passage", look_into(std::move(call)));
    }
    if (!engine_.has_room()) {
        log::Event(Level::error, 0, "refused", "refused: too many sessions").with("server", call.target.to_string());
        return answer(calls_.fd(), call.id, ECONNREFUSED);
    }
    LedHere led = lead_here(call);
    if (led.fd) {
        ++serving_;
        tasks_.spawn("session", serve(std::move(led.fd), led.peer, call.target, {}));
    } else {
        log::Event(Level::error, 0, "not-led", "cannot lead a connection through safetp")
            .with("server", call.target.to_string()).with("errno", led.error);
    }
    answer(calls_.fd(), call.id, led.error);
}

net::Task<> Run::look_into(ConnectCall call)
{
    auto found = co_await passages_.carry(std::move(call));
    if (found && !engine_.has_room()) {
        log::Event(Level::error, 0, "refused", "refused: too many sessions").with("server", found->target.to_string());
    } else if (found) {
        concern_.ports.insert(found->target.port);
        log::Event(Level::info, 0, "found", "this is FTP: it goes through TLS from here on; --port says so beforehand")
            .with("server", found->target.to_string());
        ++serving_;
        co_await serve(std::move(found->client), found->peer, found->target, std::move(found->overheard));
    }
    --serving_;
    leave_if_done();
}

net::Task<> Run::serve(UniqueFd client, Endpoint peer, Endpoint target, proxy::Overheard overheard)
{
    ++led_;
    proxy::Destination destination = co_await destination_for(target);
    log::Event(Level::info, 0, "connection", "the command connects").with("server", destination.to_string())
        .with("address", target.address);
    co_await engine_.serve(std::move(client), peer, std::move(destination), std::move(overheard));
    --serving_;
    leave_if_done();
}

net::Task<proxy::Destination> Run::destination_for(Endpoint target)
{
    std::string host = host_;
    if (host.empty())
        host = co_await name_of(target);
    co_return proxy::Destination{.host = host, .port = target.port, .address = target.address, .is_impersonated = true};
}

net::Task<std::string> Run::name_of(Endpoint target)
{
    if (!target.address.is_ipv4())
        target.address = IpAddress::from_ipv6(target.address.bytes()); // for comparison and as a name: without the interface
    const NameChoice choice = names_for(target, words_, known_);
    std::vector<Candidate> candidates;
    for (const std::string& host : choice.candidates)
        candidates.push_back({.host = host, .is_from_words = candidates.size() < choice.from_words});
    // A few at once: one name whose name server is dead must not hold up all others.
    for (std::span<Candidate> left = candidates; !left.empty();) {
        const std::span<Candidate> batch = left.first(std::min<std::size_t>(left.size(), kLookupsAtOnce));
        left = left.subspan(batch.size());
        net::TaskGroup lookups(io_.get_executor());
        for (Candidate& candidate : batch)
            lookups.spawn("lookup", look_up(candidate, target.address));
        co_await lookups.all_done();
        const auto found = std::ranges::find(batch, true, &Candidate::has_address);
        if (found != batch.end())
            co_return found->host;
    }
    // A name with many addresses may answer with others each time, and so may whoever forges answers: the only server that the
    // command names is meant all the same.
    const auto is_said = [](const Candidate& candidate) { return candidate.is_from_words && candidate.is_there; };
    if (!choice.is_address_said && std::ranges::count_if(candidates, is_said) == 1)
        co_return std::ranges::find_if(candidates, is_said)->host;
    co_return target.address.to_string();
}

net::Task<> Run::look_up(Candidate& candidate, IpAddress address)
{
    std::string nobody;
    const auto found = co_await lookups_.look_up(candidate.host, std::move(nobody));
    candidate.is_there = found.has_value();
    candidate.has_address = found && std::ranges::find(*found, address) != found->end();
}

net::Task<> Run::obey_signals()
{
    for (;;) {
        signalfd_siginfo signal{};
        if (::read(signals_.fd(), &signal, sizeof signal) != sizeof signal) {
            co_await signals_.wait(IoStep::Kind::want_read);
            continue;
        }
        obey(signal);
    }
}

void Run::obey(const signalfd_siginfo& signal)
{
    const int number = static_cast<int>(signal.ssi_signo);
    if (number == SIGCHLD)
        return reap();
    if (command_ > 0) {
        if (signal.ssi_code != SI_KERNEL) // a terminal's goes to the whole group
            ::kill(command_, number);
        return;
    }
    if (number != SIGHUP && number != SIGINT && number != SIGQUIT && number != SIGTERM)
        return;
    if (is_stopping_)
        ::_exit(exit_code_);
    stop();
}

/// Also the orphans, which come to us (prctl(2), PR_SET_CHILD_SUBREAPER).
void Run::reap()
{
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
        if (pid != command_)
            continue;
        if (WIFSTOPPED(status)) {
            follow(WSTOPSIG(status));
            continue;
        }
        command_ = -1;
        is_killed_ = WIFSIGNALED(status);
        exit_code_ = is_killed_ ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
    }
    leave_if_done();
}

void Run::stop()
{
    if (is_stopping_)
        return;
    is_stopping_ = true;
    passages_.finish();
    tasks_.spawn("drain", drain());
    leave_if_done();
}

/// Ctrl-Z: it is for the command to say whether it stops, and what it puts in order before. Then the shell must see that its
/// job has stopped, and its job are we. SIGSTOP may be somebody's own affair with the command, unless it leaves a person at the
/// terminal with nobody to talk to.
void Run::follow(int stop_signal) const
{
    if (stop_signal == SIGSTOP && !is_in_foreground())
        return;
    stop_ourselves();
    siginfo_t news{};
    const bool goes_on = ::waitid(P_PID, static_cast<id_t>(command_), &news, WCONTINUED | WNOHANG) == 0 && news.si_pid != 0;
    if (!goes_on)
        ::kill(command_, SIGCONT);
}

net::Task<> Run::drain()
{
    co_await engine_.drain(settings_.config.timeouts.drain);
    ::_exit(exit_code_);
}

void Run::leave_if_done()
{
    if (is_stopping_ && command_ < 0 && serving_ == 0)
        io_.stop();
}

/// Whoever runs something under safetp run expects FTP of it.
void Run::say_if_nothing_was_led() const
{
    if (led_ == 0 && passages_.carried() > 0)
        log::Event(Level::warning, 0, "nothing-led", "none of the command's connections was FTP, so none went through TLS")
            .with("connections", passages_.carried());
}

} // namespace

sigset_t block_signals_of_run()
{
    const sigset_t signals = signals_of_run();
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, &signals, &before);
    return before;
}

int run_command(RunStart start)
{
    // Never destroyed: the process ends with it, and the frames of tasks that still wait refer to it.
    allow_many_descriptors();
    static Run* const run = new Run(std::move(start)); // static: still reachable for leak checkers
    return run->run();
}

} // namespace safetp::client
