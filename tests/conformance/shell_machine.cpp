#include "shell_machine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <iterator>
#include <pwd.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::conformance {

namespace {

std::string read_text(const std::filesystem::path& path)
{
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

access::FileText read_file(const std::string& path)
{
    using State = access::FileText::State;
    struct stat status { };
    if (::stat(path.c_str(), &status) != 0)
        return {errno == ENOENT ? State::missing : State::unreadable, {}, errno};
    if (S_ISDIR(status.st_mode))
        return {State::directory, {}, 0};
    if (::access(path.c_str(), R_OK) != 0)
        return {State::unreadable, {}, errno};
    return {State::text, read_text(path), 0};
}

} // namespace

CaseDirectory::CaseDirectory()
{
    std::string name = (std::filesystem::temp_directory_path() / "hosts-access-XXXXXX").string();
    if (!::mkdtemp(name.data()))
        throw std::runtime_error("no directory " + name + " could be made");
    path_ = name;
}

CaseDirectory::~CaseDirectory()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

ShellMachine::ShellMachine(const Case& subject) : directory_text_(directory_.path().string()), scene_(subject.scene)
{
    const auto located = [this](const std::string& text) { return replaced(text, "@DIR@", directory_text_); };
    scene_.allow = located(scene_.allow);
    scene_.deny = located(scene_.deny);
    for (auto& [name, text] : scene_.files) {
        text = located(text);
        const std::filesystem::path path = directory_.path() / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
    }
}

Machine ShellMachine::machine()
{
    Machine machine;
    machine.allow_path = directory_text_ + "/hosts.allow";
    machine.deny_path = directory_text_ + "/hosts.deny";
    machine.directory = directory_text_;
    machine.read = read_file;
    machine.netgroup = [this](const std::string& group, const std::string& host) {
        const auto found = scene_.netgroups.find(group);
        return found != scene_.netgroups.end() && std::ranges::find(found->second, host) != found->second.end();
    };
    machine.run = [this](const access::RunCommand& command) { return run(command.command, -1); };
    machine.apply = [this](const access::Effect& effect) { return apply(effect); };
    machine.twist = [this](const std::string& command) { return twist(command); };
    machine.describe_user = [](const access::Effect&) { return std::vector<std::string>(); };
    return machine;
}

Answer ShellMachine::as_in_case(Answer answer) const
{
    for (std::string& line : answer.diag) {
        for (const char* table : {"/hosts.allow", "/hosts.deny"})
            line = replaced(line, directory_text_ + table, table + 1);
        line = replaced(line, directory_text_, "@DIR@");
    }
    for (auto& [name, value] : answer.effects)
        value = replaced(value, directory_text_, "@DIR@");
    if (const std::filesystem::path out = directory_.path() / "out";
        std::filesystem::exists(out) && !scene_.files.contains("out"))
        answer.effects["out"] = replaced(read_text(out), directory_text_, "@DIR@");
    answer.events.clear();
    return answer;
}

/// `output` -1: the null device.
CommandEnd ShellMachine::run(const std::string& command, int output) const
{
    const pid_t child = ::fork();
    if (child == 0) {
        const int null = ::open("/dev/null", O_RDWR);
        const int used = output < 0 ? null : output;
        for (const int standard : {0, 1, 2})
            ::dup2(used, standard);
        ::umask(umask_);
        if (nice_ != 0 && ::nice(nice_) == 0)
            errno = 0;
        for (const auto& [name, value] : environment_)
            ::setenv(name.c_str(), value.c_str(), 1);
        ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
        ::_exit(127);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        throw std::runtime_error("a command could not be run: " + command);
    if (WIFSIGNALED(status))
        return {0, WTERMSIG(status), child};
    return {WEXITSTATUS(status), 0, 0};
}

/// The client keeps nothing in flight: what fits a socket's buffer is enough for a case.
std::string ShellMachine::twist(const std::string& command) const
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::runtime_error("no socket pair");
    ::shutdown(ends[0], SHUT_WR);
    run(command, ends[1]);
    ::close(ends[1]);
    std::string sent;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0; (count = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
        sent.append(buffer.data(), static_cast<std::size_t>(count));
    ::close(ends[0]);
    return sent;
}

int ShellMachine::apply(const access::Effect& effect)
{
    if (const auto* mask = std::get_if<access::ApplyUmask>(&effect))
        umask_ = mask->mask;
    else if (const auto* nice = std::get_if<access::ApplyNice>(&effect))
        return (nice_ += nice->increment) < 0 ? EPERM : 0; // libwrap takes a negative result for a failure
    else if (const auto* user = std::get_if<access::ApplyUser>(&effect))
        return ::getpwnam(user->user.c_str()) ? 0 : ENOENT;
    else if (const auto* group = std::get_if<access::ApplyGroup>(&effect))
        return ::getgrnam(group->group.c_str()) ? 0 : ENOENT;
    else if (const auto* variable = std::get_if<access::ApplySetenv>(&effect)) {
        if (variable->name.empty() || variable->name.find('=') != std::string::npos)
            return EINVAL;
        environment_[variable->name] = variable->value;
    }
    return 0;
}

} // namespace safetp::conformance
