// What an evaluation says on its way: log lines, with the rule at which they arose, and the trace for people. A rule is gone
// through again after each answer that it waited for; what it said before is not said twice.
#pragma once

#include "access/evaluation.h"

#include <algorithm>
#include <cstddef>
#include <fmt/core.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace safetp::access {

class Journal {
public:
    void stand_at(std::string file, unsigned line)
    {
        file_ = std::move(file);
        line_ = line;
    }
    void move_to(unsigned line) { line_ = line; }
    const std::string& file() const { return file_; }
    unsigned line() const { return line_; }

    /// A new piece of work begins; or the same one again, from its start.
    void begin() { said_ = traced_ = known_said_ = known_traced_ = 0; }
    void again()
    {
        known_said_ = std::max(said_, known_said_);
        known_traced_ = std::max(traced_, known_traced_);
        said_ = traced_ = 0;
    }

    /// `TAG: FILE, line N: TEXT`, as libwrap's messages are worded.
    std::string located(std::string_view tag, std::string_view text) const
    {
        if (file_.empty())
            return fmt::format("{}: {}", tag, text);
        return fmt::format("{}: {}, line {}: {}", tag, file_, line_, text);
    }
    void warn(std::string_view text) { log("err", located("warning", text)); }
    void error(std::string_view text) { log("err", located("error", text)); }
    void log(std::string level, std::string text)
    {
        if (said_++ >= known_said_)
            reports_.push_back({std::move(level), std::move(text)});
    }

    /// What an answer brings: it is not part of the piece of work that is gone through again.
    void note(Report report) { reports_.push_back(std::move(report)); }
    void note(Trace entry)
    {
        if (trace_ != nullptr)
            trace_->push_back(std::move(entry));
    }

    bool tracing() const { return trace_ != nullptr; }
    void record(std::vector<Trace>* trace) { trace_ = trace; }
    void trace(Trace entry)
    {
        if (trace_ != nullptr && traced_++ >= known_traced_)
            trace_->push_back(std::move(entry));
    }

    std::vector<Report> take() { return std::exchange(reports_, {}); }

private:
    std::string file_;     ///< empty: at no rule
    unsigned line_ = 0;
    std::size_t said_ = 0;
    std::size_t known_said_ = 0;
    std::size_t traced_ = 0;
    std::size_t known_traced_ = 0;
    std::vector<Report> reports_;
    std::vector<Trace>* trace_ = nullptr;
};

} // namespace safetp::access
