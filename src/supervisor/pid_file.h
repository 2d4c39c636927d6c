// The file that tells other programs our process id, as [process] pid_file asks.
#pragma once

#include "base/result.h"

#include <string>

namespace safetp::supervisor {

class PidFile {
public:
    explicit PidFile(std::string path) : path_(std::move(path)) {} ///< empty: none
    PidFile(const PidFile&) = delete;
    ~PidFile();

    Result<void> write();                      ///< errors: bad_file
    void leave_to_successor() { is_ours_ = false; } ///< who has written his own number into it, and takes it away

private:
    std::string path_;
    bool is_ours_ = false;
};

} // namespace safetp::supervisor
