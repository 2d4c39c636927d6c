// A scratch root with files, gone with the test.
#pragma once

#include "setup/root.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace safetp::setup {

class Scratch {
public:
    Scratch()
    {
        std::string name = "/tmp/safetp-setup-XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    Scratch(const Scratch&) = delete;
    ~Scratch() { std::filesystem::remove_all(path_); }

    const std::string& path() const { return path_; }
    Root root() const { return Root(path_); }

    void write(const std::string& file, const std::string& text) const
    {
        std::filesystem::create_directories(std::filesystem::path(path_ + file).parent_path());
        std::ofstream(path_ + file, std::ios::binary | std::ios::trunc) << text;
    }

    std::string read(const std::string& file) const
    {
        std::ostringstream text;
        text << std::ifstream(path_ + file, std::ios::binary).rdbuf();
        return text.str();
    }

    void link(const std::string& file, const std::string& target) const
    {
        std::filesystem::create_directories(std::filesystem::path(path_ + file).parent_path());
        std::filesystem::create_symlink(target, path_ + file);
    }

    bool has(const std::string& file) const { return std::filesystem::exists(std::filesystem::symlink_status(path_ + file)); }

    /// An executable that does nothing.
    void program(const std::string& file) const
    {
        write(file, "#!/bin/sh\n");
        std::filesystem::permissions(path_ + file, std::filesystem::perms(0755));
    }

    /// Every file's path, mode, time and content: what must be the same after an undo.
    std::map<std::string, std::string> everything() const
    {
        std::map<std::string, std::string> all;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
            const std::string name = entry.path().string().substr(path_.size());
            std::ostringstream text;
            if (entry.is_symlink())
                text << "link " << std::filesystem::read_symlink(entry.path()).string();
            else if (entry.is_regular_file())
                text << static_cast<int>(entry.status().permissions()) << ' '
                     << entry.last_write_time().time_since_epoch().count() << ' ' << read(name);
            all[name] = text.str();
        }
        return all;
    }

private:
    std::string path_;
};

} // namespace safetp::setup
