#include "supervisor/table_reader.h"

#include "base/error.h"
#include "supervisor/landlock.h"
#include "supervisor/sandbox.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/close_range.h>
#include <span>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <type_traits>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kWriterTime{2};
constexpr std::chrono::milliseconds kWriterPause{20};
constexpr std::size_t kMaxNotes = 16u << 20;
constexpr std::size_t kMaxTrouble = 4096; ///< which is kept, and logged

static_assert(std::is_trivially_copyable_v<wrapper::FileMark>);

// ---- the notes: a state, the trouble, and path and mark of each file

template <typename T>
void append(std::string& to, const T& value)
{
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& to, std::string_view text)
{
    append(to, static_cast<std::uint32_t>(text.size()));
    to.append(text);
}

class NotesReader {
public:
    explicit NotesReader(std::string_view rest) : rest_(rest) {}

    template <typename T>
    bool take(T& value)
    {
        if (rest_.size() < sizeof value)
            return false;
        std::memcpy(&value, rest_.data(), sizeof value);
        rest_.remove_prefix(sizeof value);
        return true;
    }

    bool take_text(std::string& text)
    {
        std::uint32_t size = 0;
        if (!take(size) || rest_.size() < size)
            return false;
        text = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }

    bool is_empty() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

std::string write_notes(const TableReading& reading)
{
    std::string notes;
    append(notes, reading.state);
    append_text(notes, reading.trouble);
    for (const auto& [path, mark] : reading.fingerprint) {
        append_text(notes, path);
        append(notes, mark);
    }
    return notes;
}

bool read_notes(std::string_view notes, TableReading& out)
{
    NotesReader reader(notes);
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

// ---- the child

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

/// The exit status. Files are read as whoever started safetpd, everything else is done as a worker, confined like one.
int read_and_compile(const TableOrder& order, int image, int notes, pid_t supervisor)
{
    wrapper::Snapshot snapshot = read_when_settled(order);
    TableReading reading;
    reading.fingerprint = std::move(snapshot.fingerprint);
    if (!drop_privileges(order.identity, 0, supervisor))
        return 2;
    confine_helper(FileAccess::none, PortRanges());
    if (!enter_sandbox())
        return 2;
    if (!snapshot.unsettled.empty()) {
        reading.state = TableReading::State::unsettled;
        reading.trouble = fmt::format("{} is being written", fmt::join(snapshot.unsettled, ", "));
    } else {
        reading.trouble = find_trouble(snapshot.files, order.reading);
        if (!reading.trouble.empty())
            reading.state = TableReading::State::broken;
        if (!write_all(image, access::compile(snapshot.files, order.reading)))
            return 3;
    }
    const std::string text = write_notes(reading);
    return write_all(notes, std::as_bytes(std::span(text))) ? 0 : 3;
}

[[noreturn]] void become_reader(const TableOrder& order, int image, int notes, pid_t supervisor)
{
    static constexpr int kImage = 3;
    static constexpr int kNotes = 4;
    ::prctl(PR_SET_NAME, "safetpd:tables");
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) // those are for the supervisor
        ::signal(signal, SIG_IGN);
    const UniqueFd high_image(::fcntl(image, F_DUPFD_CLOEXEC, 10));
    const UniqueFd high_notes(::fcntl(notes, F_DUPFD_CLOEXEC, 10));
    if (::dup2(high_image.get(), kImage) < 0 || ::dup2(high_notes.get(), kNotes) < 0 || ::close_range(5, ~0u, 0) != 0)
        ::_exit(4);
    try {
        ::_exit(read_and_compile(order, kImage, kNotes, supervisor));
    } catch (const std::exception&) {
        ::_exit(5); // no memory for it
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

Result<TableReader> start_table_reader(const TableOrder& order)
{
    TableReader reader;
    auto image = make_memory("safetp-access");
    auto notes = make_memory("safetp-access-notes");
    if (!image || !notes)
        return std::unexpected(image ? notes.error() : image.error());
    reader.image = std::move(*image);
    reader.notes = std::move(*notes);
    const pid_t supervisor = ::getpid();
    reader.pid = ::fork();
    if (reader.pid < 0)
        return fail(ErrorCode::system_call, errno, "fork of the access tables' reader");
    if (reader.pid == 0)
        become_reader(order, reader.image.get(), reader.notes.get(), supervisor);
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
