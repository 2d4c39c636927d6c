#include "proxy/xferlog.h"

#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>

namespace safetp::proxy {

namespace {

// Fields are parted by spaces, so wu-ftpd writes '_' for what would break the line; so do we.
std::string as_field(std::string_view text)
{
    std::string field(text);
    std::ranges::replace_if(field, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }, '_');
    return field.empty() ? "-" : field;
}

} // namespace

std::string to_xferlog_line(const TransferRecord& record)
{
    std::tm local{};
    ::localtime_r(&record.ended, &local);
    char time[32];
    std::strftime(time, sizeof time, "%a %b %e %H:%M:%S %Y", &local);
    return fmt::format("{} {} {} {} {} {} _ {} {} {} ftp 0 * {}\n", time, record.duration.count(), record.client.to_string(),
        record.bytes, as_field(record.path), record.is_ascii ? 'a' : 'b', record.is_upload ? 'i' : 'o',
        record.is_anonymous ? 'a' : 'r', as_field(record.user), record.is_complete ? 'c' : 'i');
}

void Xferlog::write(const TransferRecord& record)
{
    if (!fd_)
        return;
    const std::string line = to_xferlog_line(record);
    if (::write(fd_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        log::Event(log::Level::error, 0, "xferlog-failed", "a transfer could not be written to the transfer log")
            .with("errno", errno);
}

} // namespace safetp::proxy
