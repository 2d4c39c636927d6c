#include "bin/pin_verbs.h"

#include "bin/terminal.h"
#include "client/exit_codes.h"
#include "client/pin_line.h"
#include "client/pins.h"
#include "process/identity.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace safetp::bin {

namespace {

constexpr const char* kHowKeysAreWritten = "a key is written SHA256: and 43 characters of base64";

using client::Pin;
using client::PinStore;
using client::ServerName;

int complain_of(const Error& error) { return complain(client::kExitCannotCreate, describe(error)); }

/// Root sees after the stores of others, the proxy's for one. To do it as their owner leaves them theirs, and keeps root's
/// rights out of a directory in which somebody else may do as he likes.
Result<PinStore> open_as_owner(const std::string& named)
{
    const auto configured = named.empty() ? configured_pins_file() : Result<std::string>(named);
    if (!configured)
        return std::unexpected(configured.error());
    const std::string& file = *configured;
    const std::string directory = std::filesystem::path(file).parent_path().string();
    struct stat status { };
    const bool is_somebodys = ::geteuid() == 0 && !directory.empty() && ::stat(directory.c_str(), &status) == 0
        && status.st_uid != 0 && (status.st_mode & S_ISVTX) == 0;
    if (is_somebodys) {
        const auto owner = process::find_user(status.st_uid);
        const auto became = owner ? process::become(*owner) : std::unexpected(owner.error());
        if (!became)
            return std::unexpected(became.error());
    }
    return open_store(file);
}

std::string day_of(client::Seconds time) { return client::format_time(time).substr(0, 10); }

/// As `ssh-keygen -l` prints it: the key first, then whose it is.
void print_pin(const Pin& pin)
{
    const std::string until = pin.not_after ? ", certificate until " + day_of(*pin.not_after) : "";
    fmt::print("{} {} ({} {}{}{})\n", pin.fingerprint.empty() ? "(no key)" : pin.fingerprint, pin.server.to_string(),
        to_text(pin.how), day_of(pin.first_seen), until, pin.has_been_secure ? "" : ", not used yet");
}

/// The pins of the file, of one server where one is named; complaints go to stderr.
Result<std::vector<Pin>> read_pins(const std::string& file, const std::string& server)
{
    const auto store = open_as_owner(file);
    if (!store)
        return std::unexpected(store.error());
    auto listing = store->list();
    if (!listing)
        return std::unexpected(listing.error());
    for (const std::string& complaint : listing->complaints)
        say(complaint);
    if (!server.empty()) {
        const auto wanted = ServerName::parse(server);
        if (!wanted)
            return std::unexpected(wanted.error());
        std::erase_if(listing->pins, [&](const Pin& pin) { return pin.server != *wanted; });
    }
    return std::move(listing->pins);
}

void print_toml(const std::vector<Pin>& pins)
{
    std::vector<ServerName> servers;
    for (const Pin& pin : pins) {
        if (!pin.fingerprint.empty() && std::ranges::find(servers, pin.server) == servers.end())
            servers.push_back(pin.server);
    }
    for (const ServerName& server : servers) {
        std::vector<std::string> keys;
        for (const Pin& pin : pins) {
            if (pin.server == server && !pin.fingerprint.empty())
                keys.push_back('"' + pin.fingerprint + '"');
        }
        fmt::print("[[server]]\nhost = \"{}\"\nport = {}\npin = [{}]\n\n", server.host, server.port, fmt::join(keys, ", "));
    }
}

int add_to_store(const PinAddArguments& arguments, const Pin& pin)
{
    auto store = open_as_owner(arguments.connection.engine.pins_file);
    if (!store)
        return complain_of(store.error());
    const auto added = store->add(pin);
    if (!added)
        return complain_of(added.error());
    fmt::print("{} {} {}\n", *added ? "added:" : "known already:", pin.fingerprint, pin.server.to_string());
    const auto known = store->find(pin.server);
    if (known && known->pins.size() > 1)
        fmt::print("{} has {} keys now, and each is accepted; `safetp pin remove {} SHA256:...` forgets an old one\n",
            pin.server.to_string(), known->pins.size(), pin.server.to_string());
    return client::kExitOk;
}

/// A key beside others may be a new one, or somebody else's.
void say_what_is_known(const PinAddArguments& arguments, const Pin& pin)
{
    const auto store = open_as_owner(arguments.connection.engine.pins_file);
    const auto known = store ? store->find(pin.server) : Result<client::KnownServer>(std::unexpected(store.error()));
    if (!known)
        return; // adding it says why
    for (const Pin& other : known->pins) {
        if (other.fingerprint != pin.fingerprint)
            say(fmt::format("{} had ANOTHER KEY until now: {}", pin.server.to_string(), other.fingerprint));
    }
}

/// Shows what the server shows, and remembers it when somebody who can see it says so.
int add_from_server(const PinAddArguments& arguments, const ServerName& server)
{
    const bool is_implicit = arguments.is_implicit || server.port == client::kImplicitPort;
    const auto url = client::FtpUrl::parse((is_implicit ? "ftps://" : "ftp://") + server.to_string() + "/");
    if (!url)
        return complain(client::kExitUsage, url.error().context);
    auto prepared = prepare(arguments.connection, client::TransferRequest::Kind::show_key, *url);
    if (const int* code = std::get_if<int>(&prepared))
        return *code;
    const client::TransferResult result = run(arguments.connection, std::get<Connection>(prepared));
    if (result.end != client::TransferResult::End::done || !result.certificate)
        return exit_code_of(result.end);
    fmt::print("{}\n{}\n", key_line(server, *result.certificate), certificate_line(*result.certificate));
    std::fflush(stdout);
    say_what_is_known(arguments, make_pin(server, *result.certificate, Pin::How::by_hand));
    if (!arguments.is_certain && !has_person())
        return complain(client::kExitUsage,
            "nothing was added, since nobody can be asked whether this is the right key: give the "
            "key on the command line, or --yes");
    if (!arguments.is_certain && !ask_yes_or_no("Is this its key, and shall it be remembered"))
        return complain(client::kExitFailure, "nothing was added");
    return add_to_store(arguments, make_pin(server, *result.certificate, Pin::How::by_hand));
}

} // namespace

int pin_list(const PinListArguments& arguments)
{
    const auto pins = read_pins(arguments.pins_file, {});
    if (!pins)
        return complain_of(pins.error());
    std::ranges::for_each(*pins, print_pin);
    return client::kExitOk;
}

int pin_show(const PinShowArguments& arguments)
{
    const auto server = ServerName::parse(arguments.server);
    if (!server)
        return complain(client::kExitUsage, describe(server.error()));
    const auto pins = read_pins(arguments.pins_file, arguments.server);
    if (!pins)
        return complain_of(pins.error());
    std::ranges::for_each(*pins, print_pin);
    return pins->empty() ? complain(client::kExitFailure, server->to_string() + " is not known") : client::kExitOk;
}

int pin_add(const PinAddArguments& arguments)
{
    const auto server = ServerName::parse(arguments.server, arguments.is_implicit ? client::kImplicitPort : client::kFtpPort);
    if (!server)
        return complain(client::kExitUsage, describe(server.error()));
    if (arguments.fingerprint.empty())
        return add_from_server(arguments, *server);
    const auto fingerprint = client::parse_fingerprint(arguments.fingerprint);
    if (!fingerprint)
        return complain(client::kExitUsage, kHowKeysAreWritten);
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return add_to_store(
        arguments, {.server = *server, .fingerprint = *fingerprint, .first_seen = now, .how = Pin::How::by_hand});
}

int pin_remove(const PinRemoveArguments& arguments)
{
    const auto server = ServerName::parse(arguments.server);
    if (!server)
        return complain(client::kExitUsage, describe(server.error()));
    const auto fingerprint = client::parse_fingerprint(arguments.fingerprint);
    if (!fingerprint && !arguments.fingerprint.empty())
        return complain(client::kExitUsage, kHowKeysAreWritten);
    auto store = open_as_owner(arguments.pins_file);
    if (!store)
        return complain_of(store.error());
    const auto removed = store->remove(*server, fingerprint.value_or(""));
    if (!removed)
        return complain_of(removed.error());
    if (*removed == 0)
        return complain(client::kExitFailure, server->to_string() + (fingerprint ? " has no such key" : " is not known"));
    fmt::print("removed {} of {}\n", *removed == 1 ? "1 line" : fmt::format("{} lines", *removed), server->to_string());
    return client::kExitOk;
}

int pin_export(const PinExportArguments& arguments)
{
    const auto server = ServerName::parse(arguments.server);
    if (!arguments.server.empty() && !server)
        return complain(client::kExitUsage, describe(server.error()));
    const auto pins = read_pins(arguments.pins_file, arguments.server);
    if (!pins)
        return complain_of(pins.error());
    if (pins->empty() && !arguments.server.empty())
        return complain(client::kExitFailure, server->to_string() + " is not known");
    if (arguments.as_toml) {
        print_toml(*pins);
        return client::kExitOk;
    }
    for (const Pin& pin : *pins)
        fmt::print("{}\n", client::format_pin_line(pin));
    return client::kExitOk;
}

} // namespace safetp::bin
