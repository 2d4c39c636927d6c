// What one apply of `safetpd setup` did: /var/lib/safetp/setup/N/manifest. One line a file, fields divided by tabs.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace safetp::setup {

struct ManifestEntry {
    std::string path;   ///< within the root, links followed
    std::string before; ///< SHA-256; empty: there was no such file
    std::string after;  ///< SHA-256
    std::string kept;   ///< name of the copy beside the manifest; empty where there was no file
    bool operator==(const ManifestEntry&) const = default;
};

struct Manifest {
    std::vector<ManifestEntry> files;
    std::vector<std::string> directories; ///< made for them, outermost first
    std::vector<std::string> commands{};  ///< to be run once it is undone
    bool operator==(const Manifest&) const = default;
};

std::string to_text(const Manifest& manifest);

/// bad_file: not a whole manifest of this version.
Result<Manifest> parse_manifest(std::string_view text, const std::string& file);

} // namespace safetp::setup
