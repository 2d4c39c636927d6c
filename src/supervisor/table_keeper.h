// Keeps the access tables in step with the files: whoever asks gets them as they are on disk at that moment or later, and the
// same compiled memory serves all workers. Nothing here waits.
#pragma once

#include "supervisor/table_reader.h"
#include "config/config.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace safetp::supervisor {

struct TableAsker {
    pid_t worker;
    std::uint32_t id;
    std::uint64_t held; ///< the version that the worker has; 0: none
};

struct TableAnswer {
    TableAsker asker;
    int os_error;          ///< not 0: nobody may come in
    std::uint64_t version;
    int image;             ///< borrowed; -1: the worker has this version
};

class TableKeeper {
public:
    using Clock = std::chrono::steady_clock;

    explicit TableKeeper(std::function<void(const TableAnswer&)> answer) : answer_(std::move(answer)) {}
    TableKeeper(const TableKeeper&) = delete;
    ~TableKeeper();

    void configure(const config::Config& config, const process::IdentityChange& identity); ///< and reads the tables anew
    void ask(const TableAsker& asker);
    bool on_child_end(pid_t pid, int status); ///< false: not ours
    std::optional<Clock::time_point> deadline() const { return deadline_; }
    void on_deadline(Clock::time_point now); ///< a reader that takes too long is ended

    int image(std::uint64_t version) const; ///< of the last few; -1: gone

private:
    struct Version {
        std::uint64_t number = 0;
        UniqueFd image;
    };
    struct Waiting {
        TableAsker asker;
        bool is_late; ///< came when the reader was at work: what it read may be older than what this one wants
    };

    bool is_current() const;
    void start_reader();
    void install(TableReading reading, UniqueFd image);
    void refuse(int os_error, const std::string& why);
    void answer(const TableAsker& asker);
    void serve_waiting();

    std::function<void(const TableAnswer&)> answer_;
    TableOrder order_;
    bool keeps_last_good_ = false;
    std::optional<TableReader> reader_;
    bool is_reader_outdated_ = false; ///< ended because the configuration changed under it
    std::optional<Clock::time_point> deadline_;
    std::vector<Waiting> waiting_;
    std::size_t most_waiting_ = 0; ///< a worker that was taken over may ask without end
    std::deque<Version> versions_; ///< the last is the one in force
    bool is_last_good_ = false;
    std::optional<wrapper::Fingerprint> fingerprint_; ///< none: the files must be read at the next question
    std::uint64_t last_number_ = 0;
    int os_error_ = 0;           ///< what those who ask get instead of tables
    std::string last_complaint_; ///< the same one is not logged with every connection
};

} // namespace safetp::supervisor
