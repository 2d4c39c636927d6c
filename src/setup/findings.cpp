#include "setup/findings.h"

#include "setup/local_addresses.h"
#include "setup/mends.h"
#include "setup/text.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace safetp::setup {

namespace {

/// An address of the same network that is not ours: rules for networks let neighbours in where a far stranger stays out.
std::string neighbour_of(const IpAddress& address, const std::vector<IpAddress>& ours)
{
    for (unsigned offset = 1; offset < 16; ++offset) {
        auto bytes = address.bytes();
        auto& last = bytes[address.is_ipv4() ? 3 : 15];
        last = static_cast<std::uint8_t>(last ^ offset);
        const IpAddress other
            = address.is_ipv4() ? IpAddress::from_ipv4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddress::from_ipv6(bytes);
        if (std::ranges::find(ours, other) == ours.end())
            return other.to_string();
    }
    return address.is_ipv4() ? kStranger4 : kStranger6;
}

std::string wrapper_of(const Opening& opening)
{
    static constexpr std::string_view kThrough = "through ";
    return opening.why.starts_with(kThrough) ? opening.why.substr(kThrough.size()) : std::string();
}

/// One opening on one local address.
class Place {
public:
    Place(const Situation& situation, const Opening& opening, const IpAddress& address, const Judge& judge)
        : situation_(situation)
        , opening_(opening)
        , address_(address)
        , judge_(judge)
    {
    }

    Row row() const
    {
        Row row{.address = address_.to_string(), .stranger = "", .itself = describe(ask(address_.to_string()))};
        if (address_.is_loopback()) {
            row.stranger = "cannot get there";
            return row;
        }
        const std::string far_address = address_.is_ipv4() ? kStranger4 : kStranger6;
        const std::string near_address = neighbour_of(address_, situation_.addresses);
        const Judgement far = ask(far_address);
        const Judgement near = ask(near_address);
        row.stranger = describe(far);
        row.is_way = far.is_granted;
        const auto add_other = [&](const std::string& who, const Judgement& judgement, Named named) {
            if (!row.is_way && judgement.is_granted)
                row.stranger += fmt::format(", but {} is {}", who, describe(judgement, named));
            row.is_way = row.is_way || judgement.is_granted;
        };
        const std::string neighbour = "the neighbour " + near_address;
        add_other(neighbour, near, Named::no);
        if (far.asked_name) // anybody can have one
            add_other("one with a name", ask(far_address, Named::yes), Named::yes);
        if (near.asked_name)
            add_other(neighbour + " with a name", ask(near_address, Named::yes), Named::yes);
        return row;
    }

    bool lets_itself_in() const { return ask(address_.to_string()).is_granted; }

private:
    enum class Named { no, yes };

    Judgement ask(const std::string& client, Named named = Named::no) const
    {
        if (opening_.asks != Asks::tables) {
            Judgement open;
            open.is_granted = true;
            open.why = opening_.asks == Asks::nobody ? "nobody asks the tables" : "whether the tables are asked is not known";
            return open;
        }
        return judge_({.daemon = opening_.daemon,
            .client = client,
            .server = address_.to_string(),
            .port = opening_.port,
            .is_named = named == Named::yes,
            .may_look_up = situation_.is_live,
            .is_this_machine = client == address_.to_string(),
            .is_by_our_wrapper = base_name(wrapper_of(opening_)) == "safetp-tcpd"});
    }

    static std::string describe(const Judgement& judgement, Named named = Named::no)
    {
        std::string text = fmt::format("{}: {}", judgement.is_granted ? "let in" : "refused", judgement.why);
        if (judgement.asked_name && named == Named::no)
            text += " (as a client without a name; a rule asks for names)";
        if (judgement.ran_command)
            text += " (a rule runs a command, taken to succeed)";
        return text;
    }

    const Situation& situation_;
    const Opening& opening_;
    const IpAddress& address_;
    const Judge& judge_;
};

std::string describe_place(const Opening& opening)
{
    const std::string at = opening.line == 0 ? opening.file : fmt::format("{}:{}", opening.file, opening.line);
    if (opening.source == Source::socket)
        return fmt::format("port {}", opening.port);
    return opening.unit.empty() ? at : at.empty() ? opening.unit : fmt::format("{} ({})", at, opening.unit);
}

std::string describe_opening(const Situation& situation, const Opening& opening)
{
    std::string text = fmt::format("{} on {}", opening.name(),
        opening.address ? Endpoint{*opening.address, opening.port}.to_string()
                        : fmt::format("port {}, all addresses", opening.port));
    if (!opening.why.empty())
        text += "; " + opening.why;
    if (opening.source == Source::socket && !opening.text.empty())
        text += "; " + opening.text;
    if (situation.is_live && !opening.is_listening)
        text += "; it does not listen now, but will at its next start";
    return text;
}

std::vector<IpAddress> addresses_of(const Situation& situation, const Opening& opening)
{
    if (opening.address)
        return {*opening.address};
    std::vector<IpAddress> addresses = situation.addresses;
    const bool has_outside = std::ranges::any_of(addresses, [](const IpAddress& address) { return !address.is_loopback(); });
    if (!has_outside) // the next network that comes up brings one
        addresses.push_back(IpAddress::from_ipv4({192, 0, 2, 1}));
    return addresses;
}

/// An unknown program on an FTP port that was tried and does not speak FTP.
bool is_something_else(const Situation& situation, const Opening& opening)
{
    bool was_tried = false;
    for (const Attempt& attempt : situation.attempts) {
        if (attempt.endpoint.port != opening.port || attempt.result == Attempt::Result::failed)
            continue;
        if (attempt.result == Attempt::Result::greeted)
            return false;
        was_tried = true;
    }
    return opening.kind == FtpdKind::none && was_tried;
}

bool is_raw_server(const Situation& situation, const Opening& opening)
{
    return !situation.is_started && opening.port == situation.server_port
        && (!situation.server_address || !opening.address || *situation.server_address == *opening.address);
}

/// Where the gateway contacts the raw ftpd and is refused.
std::vector<std::string> refused_to_gateway(const Situation& situation, const Opening& opening, const Judge& judge)
{
    std::vector<std::string> refused;
    if (!is_raw_server(situation, opening))
        return refused;
    const auto addresses = situation.server_address ? std::vector{*situation.server_address} : addresses_of(situation, opening);
    for (const IpAddress& address : addresses) {
        if (!Place(situation, opening, address, judge).lets_itself_in())
            refused.push_back(address.to_string());
    }
    return refused;
}

/// Where the gateway may be contacted, and so contacts the raw ftpd, and finds none: the raw ftpd listens on single addresses.
std::vector<std::string> addresses_without_server(const Situation& situation)
{
    std::vector<std::string> without;
    if (situation.server_address)
        return without;
    std::vector<IpAddress> served;
    for (const Opening& opening : situation.openings) {
        if (!is_raw_server(situation, opening))
            continue;
        if (!opening.address)
            return without;
        served.push_back(*opening.address);
    }
    for (const IpAddress& address : situation.doors.empty() ? situation.addresses : situation.doors) {
        const bool is_for_clients = !address.is_loopback() && !is_link_local(address);
        if (!served.empty() && is_for_clients && std::ranges::find(served, address) == served.end())
            without.push_back(address.to_string());
    }
    return without;
}

void judge_opening(const Situation& situation, const Opening& opening, const Judge& judge, std::vector<Finding>& findings)
{
    Finding finding{.where = describe_place(opening), .what = describe_opening(situation, opening)};
    if (is_something_else(situation, opening)) {
        finding.what += "; it does not greet as an FTP server does";
        findings.push_back(std::move(finding));
        return;
    }
    for (const IpAddress& address : addresses_of(situation, opening))
        finding.rows.push_back(Place(situation, opening, address, judge).row());
    const bool is_way = std::ranges::any_of(finding.rows, &Row::is_way);
    const auto refused = refused_to_gateway(situation, opening, judge);
    if (is_way) {
        finding.weight = Weight::way;
        const bool is_by_rule = std::ranges::any_of(
            finding.rows, [](const Row& row) { return row.is_way && row.stranger.find("hosts.allow:") != std::string::npos; });
        finding.mends = mend_way(situation, opening, is_by_rule ? LetIn::by_an_allow_rule : LetIn::by_no_rule);
    } else if (!refused.empty()) {
        finding.weight = Weight::trouble;
        finding.what += fmt::format("; the gateway itself is refused on {}", fmt::join(refused, ", "));
        finding.mends = mend_tables(situation, opening.daemon, LetIn::by_no_rule);
    } else if (const auto without = addresses_without_server(situation);
               is_raw_server(situation, opening) && !without.empty()) {
        finding.weight = Weight::trouble;
        finding.what += fmt::format("; the gateway contacts it on the address on which it was itself contacted, and finds "
                                    "nobody on {}",
            fmt::join(without, ", "));
        finding.mends = mend_address(*opening.address);
    }
    findings.push_back(std::move(finding));
}

/// A daemon that is started for each session sees the gateway's loopback address.
void judge_started(const Situation& situation, const Judge& judge, std::vector<Finding>& findings)
{
    if (situation.started_daemon.empty())
        return;
    const Judgement judgement = judge(
        {.daemon = situation.started_daemon, .client = "127.0.0.1", .server = "127.0.0.1", .port = situation.server_port});
    if (judgement.is_granted)
        return;
    Finding finding{.weight = Weight::trouble,
        .where = "[server] command",
        .what = fmt::format("{} is started for each session and asks the tables itself, which refuse 127.0.0.1: {}",
            situation.started_daemon, judgement.why)};
    finding.mends.push_back({"/etc/hosts.allow, before all other lines", {situation.started_daemon + " : 127.0.0.1"}});
    findings.push_back(std::move(finding));
}

constexpr std::string_view kOwnTls
    = "the raw ftpd insists on TLS of its own, but the gateway speaks plain FTP with it: nobody can log in";

void judge_server_tls(const Situation& situation, std::vector<Finding>& findings)
{
    if (!situation.server_tls)
        return;
    const Standing& standing = *situation.server_tls;
    const std::string where = standing.file.empty() ? "[server] command" : fmt::format("{}:{}", standing.file, standing.line);
    findings.push_back({.weight = Weight::trouble,
        .where = where,
        .what = fmt::format("{} ({})", kOwnTls, standing.setting),
        .mends = mend_server_tls(standing)});
}

void judge_doors(const Situation& situation, std::vector<Finding>& findings)
{
    for (const DoorVisit& visit : situation.visits) {
        if (visit.outcome == DoorVisit::Outcome::open)
            continue;
        const bool is_dead = visit.outcome == DoorVisit::Outcome::dead;
        Finding finding{.weight = is_dead ? Weight::trouble : Weight::note,
            .where = "the front door, " + visit.endpoint.to_string(),
            .what = fmt::format("{}{}", is_dead ? "it does not work: " : "", visit.words)};
        if (!visit.is_listening)
            finding.mends.push_back({"run", {situation.door_starter}});
        findings.push_back(std::move(finding));
    }
}

/// line_bytes may say more than the raw ftpd takes: what it protects from is then possible.
void judge_line_bytes(const Situation& situation, std::vector<Finding>& findings)
{
    if (!situation.server_line || situation.line_bytes <= *situation.server_line)
        return;
    findings.push_back({.weight = Weight::trouble,
        .where = "[server] line_bytes",
        .what = fmt::format(
            "it is {}, but the raw ftpd reads {} bytes as one line: clients can hide commands behind longer ones",
            situation.line_bytes, *situation.server_line),
        .mends = {{"/etc/safetp/safetpd.toml, in [server]", {fmt::format("line_bytes = {}", *situation.server_line)}}}});
}

void add_notes(const Situation& situation, std::vector<Finding>& findings)
{
    const auto note = [&](std::string where, std::string what) {
        findings.push_back({.weight = Weight::note, .where = std::move(where), .what = std::move(what)});
    };
    const bool has_server
        = std::ranges::any_of(situation.openings, [&](const Opening& opening) { return is_raw_server(situation, opening); });
    if (!situation.is_started && !has_server)
        note(
            "[server]", fmt::format("no raw ftpd was found on port {}, where the gateway looks for it", situation.server_port));
    if (!situation.firewall.empty())
        note("firewall",
            fmt::format("there is one here ({}): it may keep strangers from what is judged open above, and may keep "
                        "clients from the front door. It was not asked; what it hides shows when it is switched off",
                fmt::join(situation.firewall, ", ")));
    if (!situation.is_live)
        note("--root", "only files were looked at: no sockets, no processes; the addresses are this machine's");
    else if (!situation.sees_owners)
        note("not root", "whose listening sockets these are, and other users' files, cannot be seen: run it as root");
    for (const std::string& why : situation.unread)
        note("not read", why);
}

} // namespace

std::vector<Finding> diagnose(const Situation& situation, const Judge& judge)
{
    std::vector<Finding> findings;
    for (const Opening& opening : situation.openings)
        judge_opening(situation, opening, judge, findings);
    judge_started(situation, judge, findings);
    judge_server_tls(situation, findings);
    judge_doors(situation, findings);
    judge_line_bytes(situation, findings);
    add_notes(situation, findings);
    std::ranges::stable_sort(findings, {}, &Finding::weight);
    return findings;
}

} // namespace safetp::setup
