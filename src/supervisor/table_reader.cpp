#include "supervisor/table_reader.h"

#include "base/error.h"
#include "process/records.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kWriterTime{2};
constexpr std::chrono::milliseconds kWriterPause{20};
constexpr std::size_t kMaxNotes = 16u << 20;
constexpr std::size_t kMaxTrouble = 4096; ///< which is kept, and logged

// ---- the notes: a state, the trouble, and path and mark of each file

std::string write_notes(const TableReading& reading)
{
    process::RecordWriter notes;
    notes.append(reading.state);
    notes.append_text(reading.trouble);
    for (const auto& [path, mark] : reading.fingerprint) {
        notes.append_text(path);
        notes.append(mark);
    }
    return notes.bytes();
}

bool read_notes(std::string_view notes, TableReading& out)
{
    process::RecordReader reader(notes);
    if (!reader.take(out.state) || out.state > TableReading::State::unsettled || !reader.take_text(out.trouble))
        return false;
    out.trouble.resize(std::min(out.trouble.size(), kMaxTrouble));
    while (!reader.is_empty()) {
        std::string path;
        wrapper::FileMark mark;
        if (!reader.take_text(path) || !reader.take(mark))
            return false;
        out.fingerprint.emplace(std::move(path), mark);
    }
    return true;
}

// ---- the order

std::string encode(const TableOrder& order)
{
    process::RecordWriter writer;
    writer.append(order.reading);
    writer.append_text(order.paths.allow);
    writer.append_text(order.paths.deny);
    for (const std::string& daemon : order.daemons)
        writer.append_text(daemon);
    return writer.bytes();
}

bool decode(std::string_view text, TableOrder& order)
{
    process::RecordReader reader(text);
    if (!reader.take(order.reading) || !reader.take_text(order.paths.allow) || !reader.take_text(order.paths.deny))
        return false;
    while (!reader.is_empty())
        if (!reader.take_text(order.daemons.emplace_back()))
            return false;
    return true;
}

// ---- the helper

bool write_all(int fd, std::span<const std::byte> bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

wrapper::Snapshot read_when_settled(const TableOrder& order)
{
    const auto give_up = steady_clock::now() + kWriterTime;
    for (;;) {
        // The last look begins when the time is over: reading itself may take longer than that.
        const bool is_last = steady_clock::now() >= give_up;
        wrapper::Snapshot snapshot = wrapper::read_tables(order.paths, order.reading, order.daemons);
        if (snapshot.unsettled.empty() || is_last)
            return snapshot;
        std::this_thread::sleep_for(kWriterPause);
    }
}

Result<UniqueFd> make_memory(const char* name)
{
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd)
        return fail(ErrorCode::system_call, errno, "memfd_create");
    return fd;
}

std::string describe_file(const std::string& path, const access::FileText& file)
{
    if (file.state == access::FileText::State::directory)
        return path + " is a directory";
    if (file.state == access::FileText::State::unreadable)
        return fmt::format("{} cannot be read: {}", path, std::strerror(file.os_error));
    return {};
}

std::string find_bad_line(const std::string& path, std::string_view text, access::Reading reading)
{
    using Item = access::RuleReader::Item;
    access::RuleReader reader(text, reading);
    for (Item item = reader.next(); item != Item::end; item = reader.next()) {
        if (item != Item::trouble)
            continue;
        const bool has_colon = reader.trouble().kind != access::RuleTrouble::Kind::missing_colon;
        return fmt::format("{}:{}: {}", path, reader.trouble().line + (has_colon ? 1 : 0), // a broken line was not counted
            has_colon ? "the line has no end, is too long or holds a NUL byte" : "there is no \":\" in this line");
    }
    return {};
}

} // namespace

bool are_equal(int image, int other)
{
    struct stat about{};
    struct stat about_other{};
    if (::fstat(image, &about) != 0 || ::fstat(other, &about_other) != 0 || about.st_size != about_other.st_size)
        return false;
    const auto size = static_cast<std::size_t>(about.st_size);
    void* const left = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, image, 0);
    void* const right = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, other, 0);
    const bool is_same = left != MAP_FAILED && right != MAP_FAILED && std::memcmp(left, right, size) == 0;
    for (void* const start : {left, right})
        if (start != MAP_FAILED)
            ::munmap(start, size);
    return is_same;
}

std::string find_trouble(const access::TableFiles& files, access::Reading reading)
{
    std::vector<std::string> all{describe_file(files.allow_path, files.allow), describe_file(files.deny_path, files.deny),
        find_bad_line(files.allow_path, files.allow.text, reading), find_bad_line(files.deny_path, files.deny.text, reading)};
    for (const auto& [path, file] : files.others)
        all.push_back(describe_file(path, file));
    std::erase(all, std::string());
    return fmt::format("{}", fmt::join(all, "; "));
}

// Files are read as whoever started safetpd, everything else is done as a worker, confined like one.
int table_reader_main(process::Helper& helper)
{
    TableOrder order;
    if (helper.descriptors.size() != 2 || !decode(helper.text, order))
        return EXIT_FAILURE;
    wrapper::Snapshot snapshot = read_when_settled(order);
    TableReading reading;
    reading.fingerprint = std::move(snapshot.fingerprint);
    if (!process::confine(helper, {}))
        return EXIT_FAILURE;
    if (!snapshot.unsettled.empty()) {
        reading.state = TableReading::State::unsettled;
        reading.trouble = fmt::format("{} is being written", fmt::join(snapshot.unsettled, ", "));
    } else {
        reading.trouble = find_trouble(snapshot.files, order.reading);
        if (!reading.trouble.empty())
            reading.state = TableReading::State::broken;
        if (!write_all(helper.descriptors[0].get(), access::compile(snapshot.files, order.reading)))
            return EXIT_FAILURE;
    }
    const std::string text = write_notes(reading);
    return write_all(helper.descriptors[1].get(), std::as_bytes(std::span(text))) ? EXIT_SUCCESS : EXIT_FAILURE;
}

Result<TableReader> start_table_reader(const TableOrder& order)
{
    TableReader reader;
    auto image = make_memory("safetp-access");
    auto notes = make_memory("safetp-access-notes");
    if (!image || !notes)
        return std::unexpected(image ? notes.error() : image.error());
    reader.image = std::move(*image);
    reader.notes = std::move(*notes);
    const auto started = process::start_helper({.role = kTableReaderRole, .text = encode(order),
        .descriptors = {reader.image.get(), reader.notes.get()}, .identity = order.identity});
    if (!started)
        return std::unexpected(started.error());
    reader.pid = started->pid;
    return reader;
}

Result<TableReading> finish_table_reader(const TableReader& reader, int status)
{
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(ErrorCode::supervisor, 0, fmt::format("reading the access tables ended with status {:#x}", status));
    for (const int fd : {reader.image.get(), reader.notes.get()})
        if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
            return fail(ErrorCode::system_call, errno, "sealing the access tables");
    struct stat about{};
    if (::fstat(reader.notes.get(), &about) != 0 || static_cast<std::size_t>(about.st_size) > kMaxNotes)
        return fail(ErrorCode::supervisor, 0, "the access tables name too many files");
    std::string notes(static_cast<std::size_t>(about.st_size), '\0');
    if (::pread(reader.notes.get(), notes.data(), notes.size(), 0) != about.st_size)
        return fail(ErrorCode::system_call, errno, "reading what the access tables' reader found");
    TableReading reading;
    if (!read_notes(notes, reading))
        return fail(ErrorCode::supervisor, 0, "the access tables' reader spoke nonsense");
    return reading;
}

} // namespace safetp::supervisor
