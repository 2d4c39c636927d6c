#include "supervisor/replay.h"

#include "base/unique_fd.h"
#include "supervisor/sandbox.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace safetp::supervisor {

namespace {

constexpr std::chrono::seconds kTime{2};
constexpr std::size_t kMaxBytes = 32 * 1024; // below a pipe's 64 KiB, so that the child never waits for its reader
constexpr std::size_t kMaxVariables = 64;

access::Request make_request(const Facts& facts)
{
    access::Request request;
    request.daemon = facts.daemon;
    request.client_address = facts.client_address;
    request.server_address = facts.server_address;
    request.client_port = facts.client_port;
    request.server_port = facts.server_port;
    request.process_id = facts.process_id;
    if (facts.is_name_known != 0)
        request.client_name = facts.client_name;
    return request;
}

std::string fact(const Facts& facts, access::Fact wanted)
{
    switch (wanted) {
    case access::Fact::client_name: return facts.client_name;
    case access::Fact::server_name: return facts.server_name;
    case access::Fact::client_user: return facts.client_user;
    }
    return access::kUnknown;
}

void note(const access::Effect& effect, ServerEffects& out)
{
    if (const auto* variable = std::get_if<access::ApplySetenv>(&effect))
        out.environment.emplace_back(variable->name, variable->value);
    else if (const auto* mask = std::get_if<access::ApplyUmask>(&effect))
        out.umask = mask->mask;
    else if (const auto* nice = std::get_if<access::ApplyNice>(&effect))
        out.nice += nice->increment;
}

// ---- effects as text between child and supervisor: "uMASK", "nINCREMENT", "eNAME=VALUE", each with NUL

std::string write_effects(const ServerEffects& effects)
{
    std::string text;
    if (effects.umask)
        text += "u" + std::to_string(*effects.umask) + '\0';
    text += "n" + std::to_string(effects.nice) + '\0';
    for (const auto& [name, value] : effects.environment)
        text += "e" + name + "=" + value + '\0';
    return text + "." + '\0'; // all has come
}

template <typename T>
bool parse_number(std::string_view text, T least, T most, T& out)
{
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && out >= least && out <= most;
}

bool may_be_set(std::string_view name)
{
    const auto is_fit = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
    return !name.empty() && std::ranges::all_of(name, is_fit) && !name.starts_with("LD_") && name != "GLIBC_TUNABLES"
        && name != "GCONV_PATH";
}

bool read_effects(std::string_view text, ServerEffects& out)
{
    for (auto end = text.find('\0'); end != std::string_view::npos; end = text.find('\0')) {
        const std::string_view item = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (item == ".")
            return text.empty();
        const auto equals = item.find('=');
        unsigned mask = 0;
        if (item.starts_with('u') && parse_number(item.substr(1), 0u, 0777u, mask))
            out.umask = mask;
        else if (item.starts_with('e') && equals != item.npos && may_be_set(item.substr(1, equals - 1))
            && out.environment.size() < kMaxVariables)
            out.environment.emplace_back(item.substr(1, equals - 1), item.substr(equals + 1));
        else if (!item.starts_with('n') || !parse_number(item.substr(1), -40, 40, out.nice))
            return false;
    }
    return false;
}

// ---- the child

int find_in_child(int image, int out, const Facts& facts, const WorkerIdentity& identity, pid_t supervisor)
{
    if (!drop_privileges(identity, 0, supervisor) || !enter_sandbox())
        return 1;
    const auto replayed = replay_from(image, facts);
    if (!replayed || !replayed->verdict || !replayed->verdict->granted())
        return 2;
    const std::string text = write_effects(replayed->effects);
    const bool is_told
        = text.size() <= kMaxBytes && ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    return is_told ? 0 : 3;
}

[[noreturn]] void become_child(int image, int out, const Facts& facts, const WorkerIdentity& identity, pid_t supervisor)
{
    static constexpr int kImage = 3;
    static constexpr int kOut = 4;
    const UniqueFd high_image(::fcntl(image, F_DUPFD_CLOEXEC, 10));
    const UniqueFd high_out(::fcntl(out, F_DUPFD_CLOEXEC, 10));
    if (::dup2(high_image.get(), kImage) < 0 || ::dup2(high_out.get(), kOut) < 0 || ::close_range(5, ~0u, 0) != 0)
        ::_exit(4);
    try {
        ::_exit(find_in_child(kImage, kOut, facts, identity, supervisor));
    } catch (const std::exception&) {
        ::_exit(5);
    }
}

std::string read_answer(int in)
{
    const auto give_up = std::chrono::steady_clock::now() + kTime;
    std::string text;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - std::chrono::steady_clock::now());
        pollfd ready{in, POLLIN, 0};
        char buffer[4096];
        if (left.count() <= 0 || text.size() > kMaxBytes || ::poll(&ready, 1, static_cast<int>(left.count())) == 0)
            return {};
        const ssize_t got = ::read(in, buffer, sizeof buffer);
        if (got > 0)
            text.append(buffer, static_cast<std::size_t>(got));
        else if (got == 0)
            return text;
        else if (errno != EINTR)
            return {};
    }
}

} // namespace

Result<Replayed> replay(std::span<const std::byte> image, const Facts& facts)
{
    const auto tables = access::Tables::open(image);
    if (!tables)
        return std::unexpected(tables.error());
    Replayed result;
    std::uint32_t next_answer = 0;
    // Only a configuration with commands = true gets as far as a command here.
    access::Evaluation evaluation(*tables, make_request(facts), {.resident = false, .twist_allowed = true});
    access::Step step = evaluation.start();
    while (!std::holds_alternative<access::Verdict>(step)) {
        if (const auto* wanted = std::get_if<access::LookUp>(&step)) {
            step = evaluation.learn(fact(facts, wanted->fact));
        } else if (const auto* effect = std::get_if<access::Effect>(&step)) {
            note(*effect, result.effects);
            step = evaluation.answer_effect(0);
        } else if (const auto* command = std::get_if<access::RunCommand>(&step)) {
            if (next_answer == facts.answer_count) {
                result.command = command->command;
                return result;
            }
            step = evaluation.answer_command(facts.answers[next_answer++]);
        } else {
            if (next_answer == facts.answer_count)
                return fail(ErrorCode::supervisor, 0, "an answer is missing among the facts");
            step = evaluation.answer_netgroup(facts.answers[next_answer++] != 0);
        }
    }
    result.verdict = std::get<access::Verdict>(std::move(step));
    return result;
}

Result<Replayed> replay_from(int image, const Facts& facts)
{
    struct stat about{};
    if (::fstat(image, &about) != 0 || about.st_size <= 0)
        return fail(ErrorCode::system_call, errno, "the access tables' memory");
    const auto size = static_cast<std::size_t>(about.st_size);
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, image, 0);
    if (start == MAP_FAILED)
        return fail(ErrorCode::system_call, errno, "the access tables' memory");
    auto result = replay({static_cast<const std::byte*>(start), size}, facts);
    ::munmap(start, size);
    return result;
}

Result<ServerEffects> find_server_effects(int image, const Facts& facts, const WorkerIdentity& identity)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail(ErrorCode::system_call, errno, "pipe");
    const UniqueFd in(ends[0]);
    UniqueFd out(ends[1]);
    const pid_t supervisor = ::getpid();
    const pid_t child = ::fork();
    if (child < 0)
        return fail(ErrorCode::system_call, errno, "fork");
    if (child == 0)
        become_child(image, out.get(), facts, identity, supervisor);
    out.reset();
    const std::string text = read_answer(in.get());
    ::kill(child, SIGKILL); // it has answered, or it is too late
    ::waitpid(child, nullptr, 0);
    ServerEffects effects;
    if (!read_effects(text, effects))
        return fail(ErrorCode::supervisor, EACCES, "the access rule's options could not be passed to the raw ftpd");
    return effects;
}

} // namespace safetp::supervisor
