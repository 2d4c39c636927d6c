#include "proxy/xferlog.h"

#include "base/log.h"
#include "base/utf8.h"

#include <cerrno>
#include <fmt/format.h>

namespace safetp::proxy {

namespace {

// Fields are parted by spaces, so wu-ftpd writes '_' for what would break the line; so do we, and for all that could act on a
// terminal: every kind of white space, too, by which readers split that know Unicode. Names that are not UTF-8 stay what they
// are, but for Latin-1's hard space.
std::string as_field(std::string_view text)
{
    constexpr unsigned char kAboveC1 = 0xa1;
    std::string field;
    while (!text.empty()) {
        const CodePoint next = next_code_point(text);
        const bool is_other_letter = !next.is_valid && static_cast<unsigned char>(text[0]) >= kAboveC1;
        if ((next.is_printable && !next.is_blank) || is_other_letter)
            field += text.substr(0, next.bytes);
        else
            field.append(next.bytes, '_');
        text.remove_prefix(next.bytes);
    }
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
