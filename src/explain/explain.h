// `safetpd explain CLIENT`: what would happen to that client and why. Looks names up, but runs, sends and changes nothing.
#pragma once

#include "explain/question.h"

#include <string>
#include <vector>

namespace safetp::explain {

/// What safetpd(8) exits with.
constexpr int kExitGranted = 0;
constexpr int kExitDenied = 1;

/// Reads the tables, judges each address of the client, prints. May wait for the name service. A client with several addresses
/// is granted only where all are. Other exit codes: 64 for a question that makes no sense, 68 for a host that does not exist.
int explain(const Question& question, const config::Config& config);

/// The same with given services and tables, as text: what tests look at.
struct Explanation {
    std::string text;
    int exit_code = kExitDenied;
};
Explanation explain_case(
    const Case& asked, const access::TableFiles& files, const Services& services, bool is_json, bool has_colours);

/// One sentence: the greeting, the refusal, or nothing at all.
std::string seen_by_client(const Case& asked, const Answer& answer);

std::string as_text(const Case& asked, const std::vector<Answer>& answers, bool has_colours);
std::string as_json(const Case& asked, const std::vector<Answer>& answers); ///< safetpd(8), "explain", has its fields

} // namespace safetp::explain
