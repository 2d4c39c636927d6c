#include "bin/transfer_verbs.h"

#include "base/unique_fd.h"
#include "bin/terminal.h"
#include "client/exit_codes.h"
#include "client/part_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

using client::FtpUrl;
using client::PartFile;
using client::TransferRequest;
using client::TransferResult;
using End = TransferResult::End;

constexpr std::size_t kMaxLine = 65536;

/// False after a complaint.
bool write_all(int fd, std::string_view bytes, const std::string& name)
{
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) {
            say("cannot write " + name + ": " + std::strerror(errno));
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    return true;
}

std::string_view as_text(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

/// For what has no name that could be given at the end: standard output, a device, a pipe.
int get_into(const GetArguments& arguments, Connection& connection, int fd, const std::string& name)
{
    TransferRequest& request = connection.request;
    request.sink = [&](std::span<const char> bytes) { return write_all(fd, as_text(bytes), name); };
    ProgressLine line(request.url.file_name, !arguments.connection.is_quiet && ::isatty(fd) != 1);
    request.on_progress = [&](const client::Progress& progress) { line.show(progress); };
    return exit_code_of(run(arguments.connection, connection).end);
}

TransferResult get_once(const GetArguments& arguments, Connection& connection, PartFile& part)
{
    TransferRequest& request = connection.request;
    request.resume_from = part.size();
    request.begin = [&](std::optional<std::time_t> modified) { return part.size() == 0 || !modified || part.is_of(*modified); };
    request.sink = [&](std::span<const char> bytes) {
        const auto written = part.append(bytes);
        if (!written)
            say(describe(written.error()));
        return written.has_value();
    };
    ProgressLine line(request.url.file_name, !arguments.connection.is_quiet);
    request.on_progress = [&](const client::Progress& progress) { line.show(progress); };
    return run(arguments.connection, connection);
}

/// The file appears under its name when it is whole, and not before.
int get_file(const GetArguments& arguments, Connection& connection, const std::string& path)
{
    auto part = PartFile::open(path);
    if (!part)
        return complain(client::kExitCannotCreate, describe(part.error()));
    if (!arguments.is_continued) {
        if (const auto emptied = part->start_over(); !emptied)
            return complain(client::kExitCannotCreate, describe(emptied.error()));
    }
    const bool is_resumed = part->size() > 0;
    TransferResult result = get_once(arguments, connection, *part);
    const bool is_other = result.modified && !part->is_of(*result.modified); // where nothing was left to come, nobody asked
    if (is_resumed && (result.end == End::other_file || (result.end == End::done && is_other))) {
        say("The file on the server is not the one that " + part->part_path()
            + " is a part of, or the server cannot continue: "
              "beginning anew.");
        if (const auto emptied = part->start_over(); !emptied)
            return complain(client::kExitCannotCreate, describe(emptied.error()));
        result = get_once(arguments, connection, *part);
    }
    if (result.end != End::done) {
        part->keep(result.modified);
        return exit_code_of(result.end);
    }
    if (const auto finished = part->finish(); !finished)
        return complain(client::kExitCannotCreate, describe(finished.error()));
    return client::kExitOk;
}

/// Empty: no name can be had.
std::string output_path(const GetArguments& arguments, const std::string& remote_name)
{
    const bool is_usable = !remote_name.empty() && remote_name != "." && remote_name != "..";
    if (arguments.output.empty())
        return is_usable ? remote_name : "";
    std::error_code ignored;
    if (!std::filesystem::is_directory(arguments.output, ignored))
        return arguments.output;
    return is_usable ? (std::filesystem::path(arguments.output) / remote_name).string() : "";
}

bool is_special(const std::string& path)
{
    struct stat status { };
    return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

/// What is sent: a file or standard input.
class Source {
public:
    Source(int fd, std::string name, std::int64_t size) : fd_(fd), name_(std::move(name)), left_(size), has_size_(size >= 0) { }

    std::ptrdiff_t read(std::span<char> buffer)
    {
        for (;;) {
            const ssize_t count = ::read(fd_, buffer.data(), buffer.size());
            if (count <= 0 && is_interrupted()) // who fills a pipe may have died of the same signal: no end of a file
                return -1;
            if (count < 0 && errno == EINTR)
                continue;
            has_failed_ = count < 0 || (count == 0 && has_size_ && left_ > 0);
            if (has_failed_) {
                say("cannot read " + name_ + ": " + (count < 0 ? std::strerror(errno) : "it became shorter meanwhile"));
                return -1;
            }
            left_ -= count;
            return count;
        }
    }

    bool skip(std::int64_t offset)
    {
        if (has_size_ && offset > left_) {
            say("the file on the server is longer than " + name_ + ", so it is no part of it: nothing was sent");
            has_failed_ = true;
            return false;
        }
        if (::lseek(fd_, offset, SEEK_CUR) >= 0) { // nothing was read yet
            left_ -= offset;
            return true;
        }
        std::array<char, 16384> buffer{};
        while (offset > 0) { // a pipe
            const auto wanted = std::min<std::int64_t>(offset, static_cast<std::int64_t>(buffer.size()));
            const std::ptrdiff_t count = read({buffer.data(), static_cast<std::size_t>(wanted)});
            if (count <= 0)
                return false;
            offset -= count;
        }
        return true;
    }

    bool has_failed() const { return has_failed_; }
    std::function<bool()> is_interrupted = [] { return false; };

private:
    int fd_;
    std::string name_;
    std::int64_t left_;
    bool has_size_;
    bool has_failed_ = false;
};

/// The size is -1 where it is not known.
Result<std::pair<UniqueFd, std::int64_t>> open_source(const std::string& path)
{
    UniqueFd file(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status { };
    if (!file || ::fstat(file.get(), &status) != 0)
        return fail(ErrorCode::bad_file, errno, "cannot read " + path);
    if (S_ISDIR(status.st_mode))
        return fail(ErrorCode::bad_file, 0, path + " is a directory: put sends one file");
    const std::int64_t size = S_ISREG(status.st_mode) ? status.st_size - ::lseek(file.get(), 0, SEEK_CUR) : -1;
    return std::pair(std::move(file), size);
}

std::variant<FtpUrl, int> url_of(const std::string& text, const std::string& file_name)
{
    auto url = FtpUrl::parse(text);
    if (url && url->file_name.empty() && !file_name.empty())
        url = url->with_file(file_name);
    if (!url)
        return complain(client::kExitUsage, url.error().context);
    return *std::move(url);
}

} // namespace

int get(const GetArguments& arguments)
{
    if (!arguments.more.empty())
        return complain(client::kExitUsage,
            "get fetches one file, and " + printable(arguments.more.front()) + " is one word more: fetch it with another get");
    auto url = FtpUrl::parse(arguments.url);
    if (!url)
        return complain(client::kExitUsage, url.error().context);
    if (url->file_name.empty())
        return complain(client::kExitUsage, "the URL names a directory: get takes one file, ls shows a directory");
    const std::string path = arguments.output == "-" ? "-" : output_path(arguments, url->file_name);
    if (path.empty())
        return complain(client::kExitUsage, "the file on the server has no name that can be used here: give one with -o");
    auto prepared = prepare(arguments.connection, TransferRequest::Kind::get, *std::move(url));
    if (const int* code = std::get_if<int>(&prepared))
        return *code;
    auto& connection = std::get<Connection>(prepared);
    if (path == "-")
        return get_into(arguments, connection, STDOUT_FILENO, "standard output");
    if (!is_special(path))
        return get_file(arguments, connection, path);
    const UniqueFd special(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!special)
        return complain(client::kExitCannotCreate, "cannot write " + path + ": " + std::strerror(errno));
    return get_into(arguments, connection, special.get(), path);
}

int put(const PutArguments& arguments)
{
    if (!arguments.more.empty())
        return complain(client::kExitUsage,
            "put sends one file, FILE URL, and here are " + std::to_string(2 + arguments.more.size())
                + " words: send each file with a put of its own");
    const bool is_standard_input = arguments.file == "-";
    const std::string name = is_standard_input ? "" : std::filesystem::path(arguments.file).filename().string();
    auto url = url_of(arguments.url, name);
    if (const int* code = std::get_if<int>(&url))
        return *code;
    if (std::get<FtpUrl>(url).file_name.empty())
        return complain(client::kExitUsage, "the URL names a directory, and standard input has no name: end the URL with one");
    const auto file = open_source(arguments.file);
    if (!file)
        return complain(client::kExitNoInput, describe(file.error()));
    auto prepared = prepare(arguments.connection, TransferRequest::Kind::put, std::get<FtpUrl>(std::move(url)));
    if (const int* code = std::get_if<int>(&prepared))
        return *code;
    auto& connection = std::get<Connection>(prepared);
    TransferRequest& request = connection.request;
    request.source_size = file->second;
    request.resume_from = arguments.is_continued ? TransferRequest::kAppend : 0;
    Source source(file->first.get(), is_standard_input ? "standard input" : arguments.file, request.source_size);
    source.is_interrupted = request.is_cancelled;
    request.source = [&](std::span<char> buffer) { return source.read(buffer); };
    request.skip = [&](std::int64_t offset) { return source.skip(offset); };
    ProgressLine line(request.url.file_name, !arguments.connection.is_quiet);
    request.on_progress = [&](const client::Progress& progress) { line.show(progress); };
    const TransferResult result = run(arguments.connection, connection);
    if (result.end == End::local_failure && source.has_failed())
        return client::kExitNoInput; // it has said why
    if (result.end == End::local_failure)
        return complain(client::kExitTryAgain, "The transfer broke off before the end: it was interrupted.");
    return exit_code_of(result.end);
}

int list(const ListArguments& arguments)
{
    if (!arguments.more.empty())
        return complain(client::kExitUsage,
            "ls shows one directory, and " + printable(arguments.more.front()) + " is one word more: show it with another ls");
    auto url = FtpUrl::parse(arguments.url);
    if (url && !url->file_name.empty())
        url = url->with_file("");
    if (!url)
        return complain(client::kExitUsage, url.error().context);
    const auto kind = arguments.has_only_names ? TransferRequest::Kind::names : TransferRequest::Kind::list;
    auto prepared = prepare(arguments.connection, kind, *std::move(url));
    if (const int* code = std::get_if<int>(&prepared))
        return *code;
    auto& connection = std::get<Connection>(prepared);
    TransferRequest& request = connection.request;
    std::string text;
    const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
    request.sink = [&](std::span<const char> bytes) {
        text.append(bytes.data(), bytes.size());
        // Whole lines, so that no character is cut; a server that never ends its line gets it cut.
        const std::size_t end = text.size() > kMaxLine ? text.size() : text.rfind('\n') + 1;
        const std::string lines = text.substr(0, end);
        text.erase(0, end);
        return write_all(STDOUT_FILENO, is_terminal ? printable(lines) : lines, "standard output");
    };
    const End end = run(arguments.connection, connection).end;
    if (!write_all(STDOUT_FILENO, is_terminal ? printable(text) : text, "standard output"))
        return client::kExitCannotCreate;
    return exit_code_of(end);
}

} // namespace safetp::bin
