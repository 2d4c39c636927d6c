// The real library at the other end of two pipes: libwrap_driver in a process of its own.
#pragma once

#include "case.h"

#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::conformance {

/// Owns the process; it ends with this object.
class Libwrap {
public:
    /// The path of libwrap_driver. A failure to start shows at the first question.
    explicit Libwrap(std::string driver);
    Libwrap(const Libwrap&) = delete;
    Libwrap& operator=(const Libwrap&) = delete;
    ~Libwrap();

    /// The answers in the order of the questions. The error says how the driver ended; the next call starts another.
    std::expected<std::vector<Answer>, std::string> ask(const Scene& scene, const std::vector<Question>& questions);

private:
    void start();
    std::string stop();

    std::string driver_;
    pid_t process_ = -1;
    int to_ = -1;
    int from_ = -1;
};

} // namespace safetp::conformance
