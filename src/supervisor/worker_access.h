// The worker's part in judging clients: keeps the tables mapped and up to date, and passes questions on to those who may look.
#pragma once

#include "config/config.h"
#include "net/channel.h"
#include "supervisor/inquiries.h"
#include "supervisor/resolver_protocol.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace safetp::supervisor {

/// None: one of its texts does not fit, as no name that the worker got from the resolver can be.
std::optional<Facts> to_facts(const proxy::AccessRecord& record);

class WorkerAccess : public proxy::AccessHelper {
public:
    /// All of it outlives this. `tasks` ends before it.
    WorkerAccess(net::Executor executor, const config::Access& config, Inquiries& inquiries, net::TaskGroup& tasks);

    net::Task<std::shared_ptr<const proxy::TableImage>> tables(proxy::AccessWait& wait) override;
    net::Task<wrapper::NameFinding> find_name(IpAddress address, proxy::AccessWait& wait) override;
    net::Task<bool> is_in_netgroup(std::string group, std::string host, proxy::AccessWait& wait) override;
    net::Task<std::optional<int>> run_command(const proxy::AccessRecord& record, proxy::AccessWait& wait) override;
    net::Task<bool> twist(const proxy::AccessRecord& record, int client, proxy::AccessWait& wait) override;
    bool take_refusal_slot() override;
    void free_refusal_slot() override { --refusal_slots_taken_; }
    bool is_first_warning(std::uint64_t version, const std::string& text) override;

private:
    /// Somebody who waits for what one task gets for all.
    struct Waiter {
        explicit Waiter(const net::Executor& executor) : done(executor) {}
        net::Event done;
        std::shared_ptr<const proxy::TableImage> image;
    };
    struct Question {
        explicit Question(const net::Executor& executor) : done(executor) {}
        net::Event done;
        std::optional<LookupAnswer> answer; ///< none: the line broke
    };

    net::Task<> ask_for_tables();
    void take_tables(Inquiries::Answer answer);
    net::Task<std::optional<LookupAnswer>> look_up(LookupRequest request, proxy::AccessWait& wait);
    net::Task<bool> have_line(proxy::AccessWait& wait);
    net::Task<> open_line();
    net::Task<> read_answers();

    net::Executor executor_;
    const config::Access& config_;
    Inquiries& inquiries_;
    net::TaskGroup& tasks_;

    std::shared_ptr<const proxy::TableImage> image_; ///< what the supervisor gave last; null: nothing to judge by
    std::vector<Waiter*> asked_; ///< came before the question that is under way
    std::vector<Waiter*> next_;  ///< came after it
    bool is_asking_ = false;

    std::optional<net::Channel> line_; ///< to the resolver process
    std::vector<Waiter*> line_waiters_;
    bool is_opening_ = false;
    std::map<std::uint32_t, Question*> questions_;
    std::uint32_t next_question_ = 1;

    unsigned refusal_slots_taken_ = 0;
    std::uint64_t warned_version_ = 0;
    std::set<std::string> warned_;
};

} // namespace safetp::supervisor
