#include "supervisor/pid_file.h"

#include <cerrno>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace safetp::supervisor {

PidFile::~PidFile()
{
    if (is_ours_)
        ::unlink(path_.c_str());
}

Result<void> PidFile::write()
{
    if (path_.empty())
        return {};
    std::FILE* file = std::fopen(path_.c_str(), "we");
    if (file == nullptr)
        return fail(ErrorCode::bad_file, errno, "[process] pid_file " + path_);
    std::fputs(fmt::format("{}\n", ::getpid()).c_str(), file);
    const bool is_closed = std::fclose(file) == 0;
    is_ours_ = true;
    return is_closed ? Result<void>{} : fail(ErrorCode::bad_file, errno, "[process] pid_file " + path_);
}

} // namespace safetp::supervisor
