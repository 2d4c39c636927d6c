// Asks src/access the questions of the cases: it looks up, runs and sets for it what the machine at hand says.
#pragma once

#include "access/evaluation.h"
#include "access/tables.h"
#include "case.h"

#include <functional>
#include <string>
#include <vector>

namespace safetp::conformance {

/// How a command ended.
struct CommandEnd {
    int exit_status = 0;
    int killed_by = 0;  ///< a signal; then process_id says whom it hit
    int process_id = 0;
};

/// Where the engine's questions go.
struct Machine {
    std::string allow_path, deny_path;                        ///< as log lines shall name the tables
    std::string directory;                                    ///< what the scene's texts say for @DIR@
    std::function<access::FileText(const std::string&)> read; ///< a file or directory by its path
    std::function<bool(const std::string& group, const std::string& host)> netgroup;
    std::function<CommandEnd(const access::RunCommand&)> run;
    std::function<int(const access::Effect&)> apply;                              ///< an errno, or 0
    std::function<std::string(const std::string&)> twist;                         ///< what the command sent to the client
    std::function<std::vector<std::string>(const access::Effect&)> describe_user; ///< events of user and group options
};

/// Both tables and every file that they name, compiled.
class Engine {
public:
    /// `scene` has its own tables' texts; other files come from `machine.read`. `daemons`: those that will be asked about.
    Engine(const Scene& scene, access::Reading reading, Machine machine, const std::vector<std::string>& daemons);

    /// `state` may be none: a fresh process.
    Answer ask(const Question& question, access::LibraryState* state);

    const std::vector<std::byte>& image() const { return image_; }

private:
    Machine machine_;
    access::Reading reading_;
    std::vector<std::byte> image_;
};

} // namespace safetp::conformance
