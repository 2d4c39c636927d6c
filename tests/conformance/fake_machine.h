// The machine of the differential test: both sides see the same files, users and netgroups, and the same commands end in the
// same way.
#pragma once

#include "case.h"

#include <string>

namespace safetp::conformance {

inline constexpr const char* kFakeDirectory = "/d"; ///< what the texts of a scene say for @DIR@
inline constexpr int kFakeProcess = 4711;
inline constexpr int kFakeChild = 4712;

/// How a command ended: with a status, or by a signal.
struct FakeEnd {
    int exit_status = 0;
    int killed_by = 0;
};

struct FakePath {
    enum class Kind { file, directory, none } kind = Kind::none;
    const std::string* text = nullptr; ///< of the scene; for a file
    int os_error = 0;                  ///< where there is none
};

FakePath fake_path(const Scene& scene, const std::string& path);

bool fake_user(const std::string& name);
bool fake_group(const std::string& name);
bool fake_netgroup(const Scene& scene, const std::string& group, const std::string& host);

/// What sh -c would end with: it knows true, false, "exit N", "kill -N $$" and "test A = B", each perhaps with a comment;
/// anything else is a command that is not found (127).
FakeEnd fake_end(const std::string& command);

} // namespace safetp::conformance
