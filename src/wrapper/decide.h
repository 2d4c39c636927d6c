// Brings an evaluation to its verdict by blocking means: name service, ident, netgroups, commands and effects on this process.
#pragma once

#include "access/evaluation.h"
#include "wrapper/connection.h"
#include "wrapper/names.h"

#include <chrono>
#include <functional>

namespace safetp::wrapper {

struct Means {
    const Connection& connection;
    access::Reading reading = access::Reading::safe;
    std::chrono::milliseconds lookup_time{0}; ///< safe: left for names and ident; strict takes as long as the resolver does
    std::chrono::milliseconds ident_time{0};  ///< of it, where no rule says rfc931 SECONDS
    std::function<void(const access::Report&)> report;
};

/// The verified name of one end, within what is left of Means::lookup_time.
NameFinding find_name(const std::optional<SocketAddress>& end, Means& means);

/// Runs the evaluation to its end. Every report is given to Means::report in order. Effects are the process's, for good.
/// In safe a change of identity that failed is an error whatever comes after it.
access::Verdict decide(access::Evaluation& evaluation, Means means);

} // namespace safetp::wrapper
