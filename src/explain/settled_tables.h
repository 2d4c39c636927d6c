// The access tables when nobody is writing them: an editor that has just saved is waited for.
#pragma once

#include "wrapper/table_files.h"

#include <string>
#include <vector>

namespace safetp::explain {

/// Waits up to two seconds for the files to rest. Those that do not are in Snapshot::unsettled, as they stand.
wrapper::Snapshot read_settled_tables(
    const wrapper::TablePaths& paths, access::Reading reading, const std::vector<std::string>& daemons);

} // namespace safetp::explain
