#include "supervisor/table_keeper.h"

#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <sys/wait.h>

namespace safetp::supervisor {

namespace {

constexpr std::chrono::seconds kReadingTime{60};
constexpr std::size_t kFurtherWaiting = 64; // a worker asks once for all of its sessions: this is far more than comes
constexpr std::size_t kVersions = 4; // for commands of evaluations that began before a change

TableOrder make_order(const config::Config& config, const process::IdentityChange& identity)
{
    std::set<std::string> daemons{config.access.daemon};
    for (const config::Listener& listener : config.listeners)
        if (!listener.daemon.empty())
            daemons.insert(listener.daemon);
    const bool is_strict = config.access.reading == config::AccessReading::strict;
    return {.paths = {config.access.hosts_allow, config.access.hosts_deny},
        .reading = is_strict ? access::Reading::strict : access::Reading::safe,
        .daemons = {daemons.begin(), daemons.end()},
        .identity = identity};
}

} // namespace

TableKeeper::~TableKeeper()
{
    if (!reader_)
        return;
    ::kill(reader_->pid, SIGKILL);
    ::waitpid(reader_->pid, nullptr, 0);
}

void TableKeeper::configure(const config::Config& config, const process::IdentityChange& identity)
{
    TableOrder order = make_order(config, identity);
    const bool are_same = order.paths.allow == order_.paths.allow && order.paths.deny == order_.paths.deny
        && order.reading == order_.reading && order.daemons == order_.daemons;
    is_last_good_ = is_last_good_ && are_same;
    order_ = std::move(order);
    most_waiting_ = config.limits.sessions + kFurtherWaiting;
    keeps_last_good_ = config.access.bad_table == config::BadTable::keep;
    fingerprint_.reset();
    last_complaint_.clear();
    if (!config.access.enabled)
        return;
    is_reader_outdated_ = reader_.has_value();
    if (reader_)
        ::kill(reader_->pid, SIGKILL);
    else
        start_reader();
}

bool TableKeeper::is_current() const
{
    return fingerprint_ && !versions_.empty() && os_error_ == 0 && !wrapper::has_changed(*fingerprint_);
}

void TableKeeper::ask(const TableAsker& asker)
{
    if (!reader_ && is_current())
        return answer(asker);
    if (waiting_.size() >= most_waiting_)
        return answer_({asker, EBUSY, 0, -1});
    waiting_.push_back({asker, reader_.has_value()});
    if (!reader_)
        start_reader();
}

void TableKeeper::start_reader()
{
    for (Waiting& waiting : waiting_)
        waiting.is_late = false;
    auto started = start_table_reader(order_);
    if (!started) {
        refuse(EIO, describe(started.error()));
        return serve_waiting();
    }
    reader_ = std::move(*started);
    deadline_ = Clock::now() + kReadingTime;
}

bool TableKeeper::on_child_end(pid_t pid, int status)
{
    if (!reader_ || reader_->pid != pid)
        return false;
    TableReader reader = std::move(*reader_);
    reader_.reset();
    deadline_.reset();
    if (std::exchange(is_reader_outdated_, false)) {
        start_reader();
        return true;
    }
    auto reading = finish_table_reader(reader, status);
    if (reading)
        install(std::move(*reading), std::move(reader.image));
    else
        refuse(EIO, describe(reading.error()));
    serve_waiting();
    return true;
}

void TableKeeper::on_deadline(Clock::time_point now)
{
    if (reader_ && deadline_ && now >= *deadline_) {
        ::kill(reader_->pid, SIGKILL); // the rest when it has ended
        deadline_ = now + kReadingTime;
    }
}

void TableKeeper::install(TableReading reading, UniqueFd image)
{
    if (reading.state == TableReading::State::unsettled)
        return refuse(EBUSY, reading.trouble);
    const bool is_broken = reading.state == TableReading::State::broken;
    fingerprint_ = std::move(reading.fingerprint);
    os_error_ = 0;
    const bool is_kept = is_broken && keeps_last_good_ && is_last_good_;
    if (std::exchange(last_complaint_, reading.trouble) != reading.trouble && is_broken)
        log::Event(log::Level::error, 0, "access-table",
            "broken access tables: " + reading.trouble + (is_kept ? "; the last good ones stay" : ""));
    if (is_kept)
        return;
    is_last_good_ = !is_broken;
    if (!versions_.empty() && are_equal(versions_.back().image.get(), image.get()))
        return;
    versions_.push_back({++last_number_, std::move(image)});
    if (versions_.size() > kVersions)
        versions_.pop_front();
    log::Event(log::Level::debug, 0, "access-table", "access tables read").with("version", last_number_);
}

// No tables of this moment can be had. They are asked for again with the next connection.
void TableKeeper::refuse(int os_error, const std::string& why)
{
    const bool is_kept = keeps_last_good_ && is_last_good_ && !versions_.empty();
    fingerprint_.reset();
    os_error_ = is_kept ? 0 : os_error;
    if (std::exchange(last_complaint_, why) == why)
        return;
    log::Event(log::Level::error, 0, "access-table",
        why + (is_kept ? "; the last good access tables stay" : "; clients are refused until it can be read"));
}

void TableKeeper::answer(const TableAsker& asker)
{
    if (os_error_ != 0 || versions_.empty())
        return answer_({asker, os_error_ != 0 ? os_error_ : EIO, 0, -1});
    const Version& current = versions_.back();
    answer_({asker, 0, current.number, current.number == asker.held ? -1 : current.image.get()});
}

// Those who came while the reader was at work ask anew: an edit may have come before them and after its look.
void TableKeeper::serve_waiting()
{
    std::vector<Waiting> waiting;
    waiting.swap(waiting_);
    const bool is_fresh = std::ranges::none_of(waiting, &Waiting::is_late) || is_current();
    for (const Waiting& each : waiting) {
        if (each.is_late && !is_fresh)
            waiting_.push_back(each);
        else
            answer(each.asker);
    }
    if (!waiting_.empty() && !reader_)
        start_reader();
}

int TableKeeper::image(std::uint64_t version) const
{
    const auto found = std::ranges::find(versions_, version, &Version::number);
    return found == versions_.end() ? -1 : found->image.get();
}

} // namespace safetp::supervisor
