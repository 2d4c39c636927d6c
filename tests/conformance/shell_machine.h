// A real directory, real commands by sh and a real socket pair, for one case.
#pragma once

#include "case.h"
#include "engine.h"

#include <filesystem>
#include <map>
#include <string>

namespace safetp::conformance {

/// Removed with everything in it when it goes.
class CaseDirectory {
public:
    CaseDirectory();
    CaseDirectory(const CaseDirectory&) = delete;
    CaseDirectory& operator=(const CaseDirectory&) = delete;
    ~CaseDirectory();
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Outlives the engine that its machine() was given to.
class ShellMachine {
public:
    explicit ShellMachine(const Case& subject);

    const std::string& directory() const { return directory_text_; }
    /// The case's scene with the directory's path in place of @DIR@.
    const Scene& scene() const { return scene_; }
    Machine machine();
    /// The answer as the case would have it: @DIR@ for the path, the tables by their last name, and what was written to `out`.
    Answer as_in_case(Answer answer) const;

private:
    CommandEnd run(const std::string& command, int output) const;
    std::string twist(const std::string& command) const;
    int apply(const access::Effect& effect);

    CaseDirectory directory_;
    std::string directory_text_;
    Scene scene_;
    // What options set for the commands after them.
    std::map<std::string, std::string> environment_;
    unsigned umask_ = 022;
    int nice_ = 0;
};

} // namespace safetp::conformance
