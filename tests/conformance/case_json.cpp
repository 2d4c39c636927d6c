#include "case_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iterator>
#include <stdexcept>

namespace safetp::conformance {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBytesTag = "bytes";

constexpr std::pair<TableKind, const char*> kKinds[] = {{TableKind::file, "file"}, {TableKind::directory, "dir"},
    {TableKind::symlink_loop, "symlink_loop"}, {TableKind::dangling, "dangling"}};

// ---- texts that are not UTF-8 ----

std::string one_character_a_byte(const std::string& bytes)
{
    std::string text;
    for (const char letter : bytes) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte >= 0x80) {
            text += static_cast<char>(0xc0 | (byte >> 6));
            text += static_cast<char>(0x80 | (byte & 0x3f));
        } else {
            text += letter;
        }
    }
    return text;
}

std::string one_byte_a_character(const std::string& text)
{
    std::string bytes;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto lead = static_cast<unsigned char>(text[at]);
        if (lead < 0x80) {
            bytes += text[at];
            continue;
        }
        if (lead > 0xc3 || at + 1 == text.size())
            throw std::runtime_error("a character above U+00FF in a text of bytes");
        bytes += static_cast<char>(((lead & 3) << 6) | (static_cast<unsigned char>(text[++at]) & 0x3f));
    }
    return bytes;
}

bool is_utf8(const std::string& text)
{
    try {
        return !Json(text).dump().empty();
    } catch (const Json::exception&) {
        return false;
    }
}

void decode_bytes(Case& subject)
{
    subject.scene.allow = one_byte_a_character(subject.scene.allow);
    subject.scene.deny = one_byte_a_character(subject.scene.deny);
    for (auto& [name, text] : subject.scene.files)
        text = one_byte_a_character(text);
    for (std::string& line : subject.expected.diag)
        line = one_byte_a_character(line);
    for (auto& [name, value] : subject.expected.effects)
        value = one_byte_a_character(value);
}

// ---- reading ----

/// The text and what the table is: `null` and a kind of its own both mean that there is no text.
void read_table(const Json& object, const char* text_key, const char* kind_key, std::string& text, TableKind& kind)
{
    const Json table = object.value(text_key, Json());
    kind = table.is_null() ? TableKind::missing : TableKind::file;
    if (!table.is_null())
        text = table.get<std::string>();
    const std::string name = object.value(kind_key, "file");
    if (name == "file")
        return;
    for (const auto& [known, known_name] : kKinds)
        if (name == known_name) {
            kind = known;
            return;
        }
    throw std::runtime_error(fmt::format("{} '{}' is not known", kind_key, name));
}

std::string effect_text(const std::string& name, const Json& value)
{
    if (name == "umask" && value.is_string())
        return fmt::format("{:03o}", std::stoul(value.get<std::string>(), nullptr, 8));
    if (name == "umask" && value.is_number())
        return fmt::format("{:03o}", value.get<unsigned>());
    if (value.is_string())
        return value.get<std::string>();
    return value.dump();
}

Answer read_answer(const Json& object)
{
    Answer answer;
    const std::string expected = object.at("expected").get<std::string>();
    answer.outcome = object.value("outcome", expected);
    if (expected != (answer.granted() ? "granted" : "denied"))
        throw std::runtime_error(fmt::format("expected '{}' does not go with outcome '{}'", expected, answer.outcome));
    if (const Json matched = object.value("matched", Json()); !matched.is_null())
        answer.matched = matched.get<std::string>();
    answer.lookups = object.value("lookups", std::vector<std::string>());
    answer.diag = object.value("diag", std::vector<std::string>());
    const Json effects = object.value("effects", Json::object());
    for (const auto& [name, value] : effects.items())
        if (!value.is_null() && value != Json(false))
            answer.effects[name] = effect_text(name, value);
    return answer;
}

Question read_question(const Json& object)
{
    Question question;
    question.daemon = object.at("daemon").get<std::string>();
    question.client_addr = object.value("client_addr", question.client_addr);
    question.client_name = object.value("client_name", question.client_name);
    question.client_user = object.value("client_user", question.client_user);
    question.server_addr = object.value("server_addr", question.server_addr);
    question.server_name = object.value("server_name", question.server_name);
    question.client_port = object.value("client_port", question.client_port);
    question.server_port = object.value("server_port", question.server_port);
    question.resident = object.value("resident", question.resident);
    const std::string api = object.value("api", "full");
    if (api != "full" && api != "hosts_ctl")
        throw std::runtime_error(fmt::format("api '{}' is not known", api));
    question.hosts_ctl = api == "hosts_ctl";
    return question;
}

// ---- writing ----

Json effects_json(const Answer& answer, bool bytes)
{
    Json effects = Json::object();
    for (const auto& [name, value] : answer.effects) {
        if (name == "keepalive")
            effects[name] = true;
        else if (name == "linger" || name == "nice" || name == "rfc931_timeout" || name == "sleep")
            effects[name] = std::stol(value);
        else
            effects[name] = bytes ? one_character_a_byte(value) : value;
    }
    return effects;
}

void write_table(Json& object, const char* text_key, const char* kind_key, const std::string& text, TableKind kind)
{
    object[text_key] = kind == TableKind::file ? Json(text) : Json();
    for (const auto& [known, name] : kKinds)
        if (kind == known && kind != TableKind::file)
            object[kind_key] = name;
}

void write_question(Json& object, const Question& question)
{
    object["daemon"] = question.daemon;
    object["client_addr"] = question.client_addr;
    object["client_name"] = question.client_name;
    object["client_user"] = question.client_user;
    object["server_addr"] = question.server_addr;
    if (!question.server_name.empty())
        object["server_name"] = question.server_name;
    if (question.client_port != 40000)
        object["client_port"] = question.client_port;
    if (question.server_port != 21)
        object["server_port"] = question.server_port;
    if (!question.resident)
        object["resident"] = false;
    if (question.hosts_ctl)
        object["api"] = "hosts_ctl";
}

std::string dump(const Case& subject, bool bytes)
{
    const auto text = [bytes](const std::string& plain) { return bytes ? one_character_a_byte(plain) : plain; };
    Json object;
    object["id"] = subject.id;
    std::vector<std::string> tags = subject.tags;
    if (bytes)
        tags.push_back(kBytesTag);
    object["tags"] = tags;
    write_table(object, "hosts_allow", "allow_kind", text(subject.scene.allow), subject.scene.allow_kind);
    write_table(object, "hosts_deny", "deny_kind", text(subject.scene.deny), subject.scene.deny_kind);
    for (const auto& [name, content] : subject.scene.files)
        object["files"][name] = text(content);
    if (!subject.scene.netgroups.empty())
        object["netgroups"] = subject.scene.netgroups;
    write_question(object, subject.question);
    object["expected"] = subject.expected.granted() ? "granted" : "denied";
    object["outcome"] = subject.expected.outcome;
    object["matched"] = subject.expected.matched ? Json(*subject.expected.matched) : Json();
    object["lookups"] = subject.expected.lookups;
    object["diag"] = Json::array();
    for (const std::string& line : subject.expected.diag)
        object["diag"].push_back(text(line));
    if (!subject.expected.effects.empty())
        object["effects"] = effects_json(subject.expected, bytes);
    object["note"] = subject.note;
    return object.dump();
}

} // namespace

std::expected<Case, std::string> parse_case(const std::string& line)
{
    try {
        Json object = Json::parse(line);
        for (auto member = object.begin(); member != object.end();) // null: nothing is said of it, as if it were not there
            member = member->is_null() ? object.erase(member) : std::next(member);
        Case subject;
        subject.id = object.at("id").get<std::string>();
        subject.tags = object.value("tags", std::vector<std::string>());
        read_table(object, "hosts_allow", "allow_kind", subject.scene.allow, subject.scene.allow_kind);
        read_table(object, "hosts_deny", "deny_kind", subject.scene.deny, subject.scene.deny_kind);
        subject.scene.files = object.value("files", std::map<std::string, std::string>());
        subject.scene.netgroups = object.value("netgroups", std::map<std::string, std::vector<std::string>>());
        subject.question = read_question(object);
        subject.expected = read_answer(object);
        subject.note = object.value("note", "");
        if (subject.has_tag(kBytesTag))
            decode_bytes(subject);
        return subject;
    } catch (const std::exception& error) {
        return std::unexpected(std::string(error.what()));
    }
}

std::string print_case(const Case& subject)
{
    bool bytes = !is_utf8(subject.scene.allow) || !is_utf8(subject.scene.deny);
    for (const auto& [name, text] : subject.scene.files)
        bytes = bytes || !is_utf8(text);
    for (const std::string& line : subject.expected.diag)
        bytes = bytes || !is_utf8(line);
    for (const auto& [name, value] : subject.expected.effects)
        bytes = bytes || !is_utf8(value);
    return dump(subject, bytes);
}

} // namespace safetp::conformance
