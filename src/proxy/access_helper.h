// What the access step of a session needs from its worker: the tables, the names of hosts, netgroups, and the commands of
// rules, none of which a confined process can get by itself. All of it waits, and all waits end early when nobody needs them
// any more.
#pragma once

#include "access/evaluation.h"
#include "net/tasks.h"
#include "proxy/table_image.h"
#include "wrapper/names.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace safetp::proxy {

/// How long one access step waits: until its deadline, and no longer than the client is there.
class AccessWait {
public:
    using TimePoint = net::Clock::time_point;

    void set_deadline(TimePoint deadline) { deadline_ = deadline; }
    bool is_late() const { return net::Clock::now() >= deadline_; }
    bool is_stopped() const { return is_stopped_; }

    void stop() ///< for good
    {
        is_stopped_ = true;
        if (waited_for_ != nullptr)
            waited_for_->notify();
    }

    /// False: `limit`, the deadline or the stop came first. One waiter at a time.
    net::Task<bool> wait(net::Event& event, TimePoint limit = TimePoint::max())
    {
        if (is_stopped_)
            co_return false;
        waited_for_ = &event;
        const bool is_announced = co_await event.wait_until(std::min(limit, deadline_));
        waited_for_ = nullptr;
        co_return is_announced && !is_stopped_;
    }

private:
    TimePoint deadline_ = TimePoint::max();
    bool is_stopped_ = false;
    net::Event* waited_for_ = nullptr;
};

/// Everything that a decision rested on, so that another process can come to it again from the same tables, and need not
/// believe what this one says of the result.
struct AccessRecord {
    std::uint64_t version = 0; ///< of the tables
    access::Request request;   ///< as the evaluation began
    std::optional<std::string> client_name, server_name, client_user; ///< what was answered when it asked
    std::vector<std::uint8_t> answers; ///< to netgroups (0, 1) and commands (exit status), in order
    bool has_effects = false;          ///< setenv, umask or nice for the raw ftpd
};

class AccessHelper {
public:
    virtual ~AccessHelper() = default;

    /// As they are on disk now or a moment later. Null: they cannot be had, nobody may come in; the log says why.
    virtual net::Task<std::shared_ptr<const TableImage>> tables(AccessWait& wait) = 0;
    virtual net::Task<wrapper::NameFinding> find_name(IpAddress address, AccessWait& wait) = 0; ///< unknown where it is late
    virtual net::Task<bool> is_in_netgroup(std::string group, std::string host, AccessWait& wait) = 0;
    /// Runs the command at which an evaluation of the record's facts arrives. None: it was not run.
    virtual net::Task<std::optional<int>> run_command(const AccessRecord& record, AccessWait& wait) = 0;
    /// True: the rule's command has the connection now.
    virtual net::Task<bool> twist(const AccessRecord& record, int client, AccessWait& wait) = 0;

    virtual bool take_refusal_slot() = 0; ///< for a delayed refusal; false: none is free
    virtual void free_refusal_slot() = 0;
    virtual bool is_first_warning(std::uint64_t version, const std::string& text) = 0; ///< of this text about these tables
};

} // namespace safetp::proxy
