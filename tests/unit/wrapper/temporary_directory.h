// A directory of the test's own, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace safetp::wrapper {

class TemporaryDirectory {
public:
    TemporaryDirectory()
    {
        std::string name = "/tmp/safetp-wrapper-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

    std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

    /// Writes a file and returns its path.
    std::string write(std::string_view name, std::string_view text) const
    {
        const std::string path = *this / name;
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
        return path;
    }

private:
    std::string path_;
};

} // namespace safetp::wrapper
