// xinetd.conf(5): blocks of services.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

struct XinetdBlock {
    std::string name; ///< of the service; empty for "defaults"
    std::string file;
    unsigned line = 0;                                                   ///< of its first line
    std::map<std::string, std::vector<std::string>, std::less<>> values; ///< after =, += and -=; names in lower case

    std::string value(std::string_view key) const; ///< the words, one blank between; empty where there is none
    bool has_flag(std::string_view flag) const;    ///< among "flags"
};

struct XinetdFile {
    std::vector<XinetdBlock> blocks;
    std::vector<std::string> included_files;       ///< include
    std::vector<std::string> included_directories; ///< includedir
};

XinetdFile parse_xinetd_conf(std::string_view text, const std::string& file);

/// Whether xinetd starts it: "disable" here, or its name (or id) among "enabled" and "disabled" of the defaults.
bool is_enabled(const XinetdBlock& service, const XinetdBlock& defaults);

} // namespace safetp::setup
