// Reads and compiles the access tables in a helper process of one task: a million lines hold nobody up, and what somebody wrote
// into a table is parsed where it can do no harm.
#pragma once

#include "access/rules.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "process/child.h"
#include "wrapper/table_files.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace safetp::supervisor {

struct TableOrder {
    wrapper::TablePaths paths;
    access::Reading reading = access::Reading::safe;
    std::vector<std::string> daemons; ///< whose banner files are wanted
    process::IdentityChange identity;          ///< the child becomes that when the files are read
};

/// A child that is at work.
struct TableReader {
    pid_t pid = -1;
    UniqueFd image; ///< memfd, filled by the child
    UniqueFd notes; ///< memfd: what else the child has to say
};

struct TableReading {
    enum class State : std::uint32_t {
        good,
        broken,  ///< compiled, but something of it cannot be read: `trouble` says what
        unsettled, ///< somebody goes on writing: there is no image
    } state = State::good;
    wrapper::Fingerprint fingerprint;
    std::string trouble;
};

inline constexpr const char* kTableReaderRole = "access tables";
int table_reader_main(process::Helper& helper);

/// The child waits two seconds at most for writers to finish.
Result<TableReader> start_table_reader(const TableOrder& order);

/// After the child's end: seals the image, so that nobody changes it under those who map it, and gives what the child found.
/// supervisor: the child failed.
Result<TableReading> finish_table_reader(const TableReader& reader, int status);

/// Whether two images say the same: a file is read twice where its times cannot tell whether it rested.
bool are_equal(int image, int other);

/// What is wrong with the tables, as "FILE:LINE: text"; empty: nothing.
std::string find_trouble(const access::TableFiles& files, access::Reading reading);

} // namespace safetp::supervisor
