#include "supervisor/replay.h"

#include "process/records.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace safetp::supervisor {

namespace {

constexpr int kTimeMs = 2000;
constexpr std::size_t kMaxBytes = 32 * 1024;
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

// ---- effects between helper and supervisor

constexpr std::uint32_t kNoUmask = ~0u;

std::string encode(const ServerEffects& effects)
{
    process::RecordWriter writer;
    writer.append(effects.umask.value_or(kNoUmask));
    writer.append(effects.nice);
    for (const auto& [name, value] : effects.environment) {
        writer.append_text(name);
        writer.append_text(value);
    }
    return writer.bytes();
}

bool may_be_set(std::string_view name)
{
    const auto is_fit = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
    return !name.empty() && std::ranges::all_of(name, is_fit) && !name.starts_with("LD_") && name != "GLIBC_TUNABLES"
        && name != "GCONV_PATH";
}

std::optional<ServerEffects> decode(std::string_view bytes)
{
    static constexpr int kMostNice = 40;
    process::RecordReader reader(bytes);
    ServerEffects effects;
    unsigned mask = 0;
    if (!reader.take(mask) || (mask != kNoUmask && mask > 0777u))
        return {};
    if (mask != kNoUmask)
        effects.umask = mask;
    if (!reader.take(effects.nice) || std::abs(std::int64_t{effects.nice}) > kMostNice)
        return {};
    while (!reader.is_empty()) {
        auto& [name, value] = effects.environment.emplace_back();
        const bool is_sound = reader.take_text(name) && reader.take_text(value) && value.find('\0') == value.npos;
        if (!is_sound || !may_be_set(name) || effects.environment.size() > kMaxVariables)
            return {};
    }
    return effects;
}

/// Empty: it has none, or takes too long.
std::string read_answer(int channel)
{
    pollfd ready{channel, POLLIN, 0};
    std::string text(kMaxBytes, '\0');
    if (::poll(&ready, 1, kTimeMs) != 1)
        return {};
    const auto packet = process::receive_packet(channel, std::as_writable_bytes(std::span(text)));
    text.resize(packet && *packet && !(*packet)->is_cut ? (*packet)->bytes : 0);
    return text;
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

int server_effects_main(process::Helper& helper)
{
    Facts facts{};
    if (!process::confine(helper, {}) || helper.descriptors.size() != 1 || !process::RecordReader(helper.text).take(facts))
        return EXIT_FAILURE;
    const auto replayed = replay_from(helper.descriptors[0].get(), facts);
    if (!replayed || !replayed->verdict || !replayed->verdict->granted())
        return EXIT_FAILURE;
    const std::string text = encode(replayed->effects);
    const bool is_told = text.size() <= kMaxBytes && process::send_packet(helper.channel.get(), std::as_bytes(std::span(text)));
    return is_told ? EXIT_SUCCESS : EXIT_FAILURE;
}

Result<ServerEffects> find_server_effects(int image, const Facts& facts, const process::IdentityChange& identity)
{
    process::RecordWriter order;
    order.append(facts);
    auto helper = process::start_helper(
        {.role = kServerEffectsRole, .text = order.bytes(), .descriptors = {image}, .identity = identity});
    if (!helper)
        return std::unexpected(helper.error());
    const auto effects = decode(read_answer(helper->channel.get()));
    ::kill(helper->pid, SIGKILL); // it has answered, or it is too late
    ::waitpid(helper->pid, nullptr, 0);
    if (!effects)
        return fail(ErrorCode::supervisor, EACCES, "the access rule's options could not be passed to the raw ftpd");
    return *effects;
}

} // namespace safetp::supervisor
