// Asks the real library: reads scenes and questions (wire.h) from standard input and writes what libwrap answered.
//
// Nothing the library does reaches the machine: this program defines the functions of the C library that libwrap calls, and as
// an executable's they come before the C library's own. Files, netgroups, users and groups are the message's; commands,
// sockets, the process's limits and the log are only written down. What the library keeps between requests lies in its own
// writable pages, which are put back before each question, so that every question is the first of its process unless it says
// otherwise.
#define INET6 1
#include <tcpd.h>

#include "case.h"
#include "fake_machine.h"
#include "wire.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <dlfcn.h>
#include <grp.h>
#include <link.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>

using namespace safetp::conformance;

namespace {

constexpr int kSocket = 1000;  // no such descriptor is open
constexpr int kUntouched = -1; // allow_severity where no option set it
constexpr std::size_t kSharedBytes = 64 * 1024;

enum Leap { leap_none, leap_exit, leap_twist };

Scene scene;
Question question;
Answer answer;
bool inside = false;     // the library is at work: the functions below are not the C library's
bool in_child = false;   // between the library's fork() and its execl()
bool error_jump = false; // an option was in error
char* shared = nullptr;  // written by a child: the command that it would have run
jmp_buf way_out;
sockaddr_storage client_endpoint, server_endpoint;

// ---- the library's writable pages ----

struct Pages {
    char* begin = nullptr;
    std::string saved;
};
Pages pages;

int find_pages(dl_phdr_info* object, std::size_t, void*)
{
    if (!std::strstr(object->dlpi_name, "libwrap"))
        return 0;
    std::uintptr_t begin = 0, end = 0;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr)& part = object->dlpi_phdr[i];
        const std::uintptr_t at = object->dlpi_addr + part.p_vaddr;
        if (part.p_type == PT_LOAD && (part.p_flags & PF_W) != 0) {
            begin = std::max<std::uintptr_t>(begin, at);
            end = at + part.p_memsz;
        }
        if (part.p_type == PT_GNU_RELRO)
            begin = std::max(begin, (at + part.p_memsz + 4095) & ~std::uintptr_t{4095});
    }
    pages.begin = reinterpret_cast<char*>(begin);
    pages.saved.assign(pages.begin, end - begin);
    return 1;
}

// ---- writing down ----

/// The number of the kernel's facility is 0, and syslog(3) takes 0 for the program's own.
std::string severity_text(int priority)
{
    static const char* const kLevels[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
    static const std::map<int, const char*> kFacilities = {{LOG_KERN, ""}, {LOG_USER, "user."}, {LOG_MAIL, "mail."},
        {LOG_DAEMON, "daemon."}, {LOG_AUTH, "auth."}, {LOG_LPR, "lpr."}, {LOG_NEWS, "news."}, {LOG_UUCP, "uucp."},
        {LOG_CRON, "cron."}, {LOG_LOCAL0, "local0."}, {LOG_LOCAL1, "local1."}, {LOG_LOCAL2, "local2."}, {LOG_LOCAL3, "local3."},
        {LOG_LOCAL4, "local4."}, {LOG_LOCAL5, "local5."}, {LOG_LOCAL6, "local6."}, {LOG_LOCAL7, "local7."}};
    const auto facility = kFacilities.find(priority & LOG_FACMASK);
    return (facility == kFacilities.end() ? "?." : facility->second) + std::string(kLevels[priority & LOG_PRIMASK]);
}

/// The library's own trace says which rule matched; only people read the rest of its debug lines.
void note_log(int priority, const std::string& text)
{
    if (priority != LOG_DEBUG) {
        answer.diag.push_back(severity_text(priority) + ": " + text);
        return;
    }
    char table[16];
    int line = 0;
    if (std::sscanf(text.c_str(), "matched:  hosts.%15s line %d", table, &line) == 2)
        answer.matched = std::string(table) + ":" + std::to_string(line);
}

void note_event(const std::string& text) { answer.events.push_back(text); }

/// The library asks the same again for each rule; whoever remembers the answer need not.
void note_event_once(const std::string& text)
{
    if (std::find(answer.events.begin(), answer.events.end(), text) == answer.events.end())
        note_event(text);
}

void note_lookup(const char* what)
{
    answer.lookups.push_back(what);
    note_event(std::string("lookup ") + what);
}

// ---- files out of the message ----

struct OpenFile {
    std::string text;
    std::size_t position;
    bool directory;
};

ssize_t read_file(void* cookie, char* into, std::size_t size)
{
    auto* file = static_cast<OpenFile*>(cookie);
    if (file->directory) {
        errno = EISDIR;
        return -1;
    }
    const std::size_t count = std::min(size, file->text.size() - file->position);
    std::memcpy(into, file->text.data() + file->position, count);
    file->position += count;
    return static_cast<ssize_t>(count);
}

int close_file(void* cookie)
{
    delete static_cast<OpenFile*>(cookie);
    return 0;
}

FILE* open_text(const std::string& text, bool directory)
{
    cookie_io_functions_t functions{};
    functions.read = read_file;
    functions.close = close_file;
    return ::fopencookie(new OpenFile{text, 0, directory}, "r", functions);
}

FILE* open_table(TableKind kind, const std::string& text)
{
    switch (kind) {
    case TableKind::file: return open_text(text, false);
    case TableKind::directory: return open_text({}, true);
    case TableKind::symlink_loop: errno = ELOOP; return nullptr;
    case TableKind::missing:
    case TableKind::dangling: errno = ENOENT; return nullptr;
    }
    return nullptr;
}

// ---- what libwrap asks its caller for ----

void copy_text(char* to, const std::string& text) { to[text.copy(to, STRING_LENGTH - 1)] = '\0'; }

/// In sock_hostname()'s place: that looks nothing up where the endpoint is not known.
void look_up_name(host_info* host)
{
    if (!host->sin)
        return;
    const bool client = host == host->request->client;
    note_lookup(client ? "client_name" : "server_name");
    const std::string& name = client ? question.client_name : question.server_name;
    if (!name.empty())
        copy_text(host->name, name);
}

sockaddr* endpoint(sockaddr_storage& storage, const std::string& address, int port)
{
    if (port < 0)
        return nullptr;
    storage = {};
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(static_cast<std::uint16_t>(port));
    } else {
        ::inet_pton(AF_INET, address.c_str(), &v4.sin_addr);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(static_cast<std::uint16_t>(port));
    }
    return reinterpret_cast<sockaddr*>(&storage);
}

int ask_with_endpoints()
{
    static request_info request;
    request = {};
    std::string daemon = question.daemon, client = question.client_addr, server = question.server_addr;
    request_init(&request, RQ_DAEMON, daemon.c_str(), RQ_FILE, kSocket, RQ_CLIENT_ADDR, client.c_str(), RQ_SERVER_ADDR,
        server.c_str(), RQ_CLIENT_SIN, endpoint(client_endpoint, client, question.client_port), RQ_SERVER_SIN,
        endpoint(server_endpoint, server, question.server_port), 0);
    request.hostname = look_up_name;
    return hosts_access(&request);
}

int ask_by_hosts_ctl()
{
    return hosts_ctl(
        question.daemon.data(), question.client_name.data(), question.client_addr.data(), question.client_user.data());
}

// ---- one question ----

void start_state()
{
    if (!question.keep_state || answer.outcome == "exited" || answer.outcome == "twisted") { // after those there is no process

        std::memcpy(pages.begin, pages.saved.data(), pages.saved.size());
        hosts_allow_table = const_cast<char*>("hosts.allow");
        hosts_deny_table = const_cast<char*>("hosts.deny");
        hosts_access_verbose = 2; // so that it says which rule matched
        resident = question.resident ? 1 : -1;
        deny_severity = LOG_DAEMON | LOG_WARNING;
        allow_severity = kUntouched;
        rfc931_timeout = 10;
    }
    answer = {};
    in_child = error_jump = false;
}

void conclude(bool granted) { answer.outcome = granted ? "granted" : error_jump ? "error" : "denied"; }

void note_effects()
{
    if (allow_severity != kUntouched)
        answer.effects["severity"] = severity_text(allow_severity);
    if (rfc931_timeout != 10)
        answer.effects["rfc931_timeout"] = std::to_string(rfc931_timeout);
}

void ask()
{
    start_state();
    const int leap = setjmp(way_out);
    if (leap == leap_none) {
        inside = true;
        const int verdict = question.hosts_ctl ? ask_by_hosts_ctl() : ask_with_endpoints();
        inside = false;
        conclude(verdict != 0);
    }
    inside = false;
    if (leap == leap_exit)
        answer.outcome = "exited";
    else if (leap == leap_twist)
        answer.outcome = "twisted";
    note_effects();
}

template <typename Function>
Function* real(const char* name)
{
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// Ends a child as its command would have ended.
[[noreturn]] void end_child(const std::string& command)
{
    shared[command.copy(shared, kSharedBytes - 1)] = '\0';
    const FakeEnd end = fake_end(command);
    if (end.killed_by != 0)
        ::syscall(SYS_kill, static_cast<int>(::syscall(SYS_getpid)), end.killed_by);
    ::syscall(SYS_exit_group, end.exit_status);
    __builtin_unreachable();
}

} // namespace

// ---- the C library as libwrap sees it ----

extern "C" {

void __syslog_chk(int priority, int, const char* format, ...)
{
    char text[16384];
    va_list values;
    va_start(values, format);
    std::vsnprintf(text, sizeof text, format, values);
    va_end(values);
    note_log(priority, text);
}

void __vsyslog_chk(int priority, int, const char* format, va_list values)
{
    char text[16384];
    std::vsnprintf(text, sizeof text, format, values);
    note_log(priority, text);
    error_jump = error_jump || std::strncmp(text, "error: ", 7) == 0;
}

void exit(int status) noexcept
{
    if (inside)
        longjmp(way_out, leap_exit);
    ::syscall(SYS_exit_group, status);
    __builtin_unreachable();
}

unsigned sleep(unsigned seconds)
{
    answer.effects["sleep"] = std::to_string(seconds);
    return 0;
}

FILE* fopen(const char* path, const char* mode)
{
    if (!inside)
        return real<FILE*(const char*, const char*)>("fopen")(path, mode);
    const std::string name = path;
    if (name == "hosts.allow")
        return open_table(scene.allow_kind, scene.allow);
    if (name == "hosts.deny")
        return open_table(scene.deny_kind, scene.deny);
    const FakePath found = fake_path(scene, name);
    if (found.kind == FakePath::Kind::none) {
        errno = found.os_error;
        return nullptr;
    }
    return open_text(found.text ? *found.text : std::string(), found.kind == FakePath::Kind::directory);
}

int stat(const char* path, struct stat*) noexcept
{
    const FakePath found = fake_path(scene, path);
    if (found.kind != FakePath::Kind::none)
        return 0;
    errno = found.os_error;
    return -1;
}

ssize_t write(int fd, const void* bytes, size_t size)
{
    if (fd != kSocket)
        return ::syscall(SYS_write, fd, bytes, size);
    answer.effects["sent_to_client"].append(static_cast<const char*>(bytes), size);
    return static_cast<ssize_t>(size);
}

int close(int fd) { return inside && !in_child ? 0 : static_cast<int>(::syscall(SYS_close, fd)); }

int dup(int fd) noexcept
{
    static int next = 0;
    if (!inside)
        return static_cast<int>(::syscall(SYS_dup, fd));
    return next++ % 3; // twist expects 0, 1 and 2 in turn
}

pid_t getpid() noexcept { return inside ? kFakeProcess : static_cast<pid_t>(::syscall(SYS_getpid)); }

void shell_cmd(char* command) { note_event(std::string("spawn ") + command); }

pid_t fork() noexcept
{
    shared[0] = '\0';
    const pid_t child = real<pid_t()>("fork")();
    if (child == 0)
        in_child = true;
    return child > 0 ? kFakeChild : child;
}

pid_t wait(int* status)
{
    const pid_t child = ::wait4(-1, status, 0, nullptr);
    if (child > 0)
        note_event(std::string("aclexec ") + shared);
    return child > 0 ? kFakeChild : child;
}

int execl(const char*, const char*, ...) noexcept;
int execl(const char*, const char* first, ...) noexcept
{
    va_list values;
    va_start(values, first);
    va_arg(values, const char*); // -c
    const char* command = va_arg(values, const char*);
    va_end(values);
    if (in_child)
        end_child(command);
    note_event(std::string("twist ") + command);
    longjmp(way_out, leap_twist);
}

int setsockopt(int fd, int, int name, const void* value, socklen_t) noexcept
{
    if (name == SO_KEEPALIVE)
        note_event("keepalive");
    else
        note_event("linger " + std::to_string(static_cast<const linger*>(value)->l_linger)
            + (static_cast<const linger*>(value)->l_onoff ? "" : " off"));
    if (question.bad_socket || fd < 0) { // hosts_ctl() has no descriptor
        errno = fd < 0 ? EBADF : ENOTSOCK;
        return -1;
    }
    if (name == SO_KEEPALIVE)
        answer.effects["keepalive"] = "true";
    else
        answer.effects["linger"] = std::to_string(static_cast<const linger*>(value)->l_linger);
    return 0;
}

mode_t umask(mode_t mask) noexcept
{
    char text[16];
    std::snprintf(text, sizeof text, "%03o", mask);
    answer.effects["umask"] = text;
    note_event(std::string("umask ") + text);
    return 022;
}

int nice(int increment) noexcept
{
    note_event("nice " + std::to_string(increment));
    const int result = std::max(-20, std::min(19, increment));
    answer.effects["nice"] = std::to_string(result);
    errno = EPERM; // what libwrap reports of a negative result is whatever was there
    return result;
}

int setenv(const char* name, const char* value, int) noexcept
{
    if (!*name || std::strchr(name, '=')) {
        errno = EINVAL;
        return -1;
    }
    note_event(std::string("setenv ") + name + "=" + value);
    if (std::strcmp(name, "TW_VAR") == 0)
        answer.effects["env_TW_VAR"] = value;
    return 0;
}

passwd* getpwnam(const char* name)
{
    static passwd entry;
    static char user[64];
    note_event(std::string("getpwnam ") + name);
    if (!fake_user(name))
        return nullptr;
    entry = {};
    std::snprintf(user, sizeof user, "%s", name);
    entry.pw_name = user;
    entry.pw_uid = entry.pw_gid = 500;
    return &entry;
}

group* getgrnam(const char* name)
{
    static group entry;
    note_event(std::string("getgrnam ") + name);
    if (!fake_group(name))
        return nullptr;
    entry = {};
    entry.gr_gid = 500;
    return &entry;
}

int setuid(uid_t) noexcept
{
    note_event("setuid");
    return 0;
}
int setgid(gid_t) noexcept
{
    note_event("setgid");
    return 0;
}
int setgroups(size_t, const gid_t*) noexcept
{
    note_event("setgroups");
    return 0;
}
int initgroups(const char*, gid_t)
{
    note_event("initgroups");
    return 0;
}

int innetgr(const char* group, const char* host, const char*, const char*)
{
    note_event_once(std::string("netgroup ") + group + " " + host);
    return fake_netgroup(scene, group, host) ? 1 : 0;
}

int yp_get_default_domain(char** domain)
{
    static char name[] = "example";
    *domain = name;
    return 0;
}

/// In the library's own place: asks nobody.
void rfc931(sockaddr*, sockaddr*, char* user)
{
    note_lookup("client_user");
    note_event("rfc931 " + std::to_string(rfc931_timeout));
    copy_text(user, question.client_user);
}

} // extern "C"

namespace {

Question read_question(MessageReader& reader)
{
    Question read;
    read.daemon = reader.text();
    read.client_addr = reader.text();
    read.client_name = reader.text();
    read.client_user = reader.text();
    read.server_addr = reader.text();
    read.server_name = reader.text();
    read.client_port = static_cast<int>(reader.number());
    read.server_port = static_cast<int>(reader.number());
    read.resident = reader.number() != 0;
    read.hosts_ctl = reader.number() != 0;
    read.bad_socket = reader.number() != 0;
    read.keep_state = reader.number() != 0;
    return read;
}

void read_scene(MessageReader& reader)
{
    scene = {};
    scene.allow_kind = static_cast<TableKind>(reader.number());
    scene.deny_kind = static_cast<TableKind>(reader.number());
    scene.allow = reader.text();
    scene.deny = reader.text();
    for (long count = reader.number(); count > 0; --count) {
        const std::string name = reader.text();
        scene.files[name] = reader.text();
    }
    for (long count = reader.number(); count > 0; --count) {
        const std::string name = reader.text();
        scene.netgroups[name] = reader.texts();
    }
}

void write_answer(MessageWriter& writer)
{
    writer.put(answer.outcome);
    writer.put(answer.matched.value_or(""));
    writer.put(answer.lookups);
    writer.put(answer.diag);
    writer.put(answer.events);
    writer.put(static_cast<long>(answer.effects.size()));
    for (const auto& [name, value] : answer.effects) {
        writer.put(name);
        writer.put(value);
    }
}

} // namespace

int main()
{
    void* page = ::mmap(nullptr, kSharedBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared = static_cast<char*>(page);
    if (page == MAP_FAILED || ::dl_iterate_phdr(find_pages, nullptr) != 1) {
        std::fprintf(stderr, "libwrap_driver: the library was not found in this process\n");
        return 1;
    }
    for (MessageReader reader; reader.receive(0);) {
        read_scene(reader);
        MessageWriter writer;
        for (long count = reader.number(); count > 0; --count) {
            question = read_question(reader);
            ask();
            write_answer(writer);
        }
        if (!writer.send(1))
            return 1;
    }
    return 0;
}
