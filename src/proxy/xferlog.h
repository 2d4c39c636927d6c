// The transfer log that wu-ftpd introduced and every statistics tool reads: xferlog(5), 14 fields a line.
#pragma once

#include "base/ip_address.h"
#include "base/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>

namespace safetp::proxy {

struct TransferRecord {
    std::time_t ended = 0;
    std::chrono::seconds duration{0};
    IpAddress client;
    std::uint64_t bytes = 0;
    std::string path;       ///< as the client named it
    bool is_ascii = false;
    bool is_upload = false;
    bool is_anonymous = false;
    std::string user;
    bool is_complete = false;
};

std::string to_xferlog_line(const TransferRecord& record); ///< with its line feed

class Xferlog {
public:
    explicit Xferlog(UniqueFd fd) : fd_(std::move(fd)) {}
    void write(const TransferRecord& record);
    void reopen(UniqueFd fd) { fd_ = std::move(fd); }

private:
    UniqueFd fd_; ///< O_APPEND; -1: no transfer log is kept
};

} // namespace safetp::proxy
