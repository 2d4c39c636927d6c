// The file that tells other programs our process id, as [process] pid_file asks.
#pragma once

#include "base/result.h"

#include <string>

namespace safetp::supervisor {

class PidFile {
public:
    explicit PidFile(std::string path) : path_(std::move(path)) {} ///< empty: none
    PidFile(const PidFile&) = delete;
    ~PidFile(); ///< takes it away if it names this process

    /// Whether there is nothing in its place that is no pid file: a link, a file of somebody else's, a text. bad_file.
    Result<void> check() const;
    Result<void> write(); ///< in one step, so that nobody reads half of it. Errors: those of check(), and bad_file
    void leave_to_successor() { is_ours_ = false; } ///< who writes his own number into it

private:
    std::string path_;
    bool is_ours_ = false;
};

} // namespace safetp::supervisor
