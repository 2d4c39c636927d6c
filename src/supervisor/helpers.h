// What safetpd can be started as by itself (process/child.h).
#pragma once

#include "supervisor/announced_names.h"
#include "supervisor/replay.h"
#include "supervisor/resolver_process.h"
#include "supervisor/rule_commands.h"
#include "supervisor/table_reader.h"

namespace safetp::supervisor {

inline constexpr process::Role kHelperRoles[] = {
    {kAnnouncedNamesRole, announced_names_main},
    {kResolverRole, resolver_main},
    {kRuleCommandRole, rule_command_main},
    {kServerEffectsRole, server_effects_main},
    {kTableReaderRole, table_reader_main},
};

} // namespace safetp::supervisor
