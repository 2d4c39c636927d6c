#include "ftp/control_channel.h"
#include "part.h"

#include <memory>
#include <stdexcept>

namespace safetp::bench {

namespace {

const Endpoint kClient{IpAddress::from_ipv4({192, 0, 2, 9}), 40000};
const IpAddress kServer = IpAddress::from_ipv4({127, 0, 0, 1});

const ftp::Policy& policy()
{
    static const ftp::Policy lenient = [] {
        ftp::Policy made;
        made.security = ftp::Security::optional;
        return made;
    }();
    return lenient;
}

/// What comes out is taken, as the shell would.
void relay(ftp::ControlChannel& dialogue, std::string_view command, std::string_view reply)
{
    dialogue.on_client_line(command);
    dialogue.proceed();
    const bool is_passed_on = !dialogue.take_output().to_server.empty();
    dialogue.on_server_line(reply);
    if (!is_passed_on || dialogue.take_output().to_client.empty())
        throw std::runtime_error("the dialogue does not relay " + std::string(command));
}

std::shared_ptr<ftp::ControlChannel> begin()
{
    auto dialogue = std::make_shared<ftp::ControlChannel>(policy(), kClient, kServer);
    dialogue->on_server_line("220 ready");
    dialogue->take_output();
    return dialogue;
}

void log_in(ftp::ControlChannel& dialogue)
{
    relay(dialogue, "USER anna", "331 password, please");
    relay(dialogue, "PASS secret", "230 in");
}

std::function<void()> prepare_line()
{
    const auto dialogue = begin();
    log_in(*dialogue);
    return [dialogue] { measured([&] { relay(*dialogue, "NOOP", "200 fine"); }); };
}

std::function<void()> prepare_login()
{
    return [] { measured([] { log_in(*begin()); }); };
}

std::function<void()> prepare_transfer()
{
    const auto dialogue = begin();
    log_in(*dialogue);
    return [dialogue] {
        measured([&] {
            dialogue->on_client_line("EPSV");
            dialogue->proceed();
            dialogue->on_server_line("229 Entering Extended Passive Mode (|||50000|)");
            dialogue->on_passive_opened({kServer, 40001});
            dialogue->on_client_line("RETR a");
            dialogue->proceed();
            dialogue->on_server_line("150 here it comes");
            dialogue->on_transfer_data_over();
            dialogue->on_server_line("226 done");
            dialogue->on_transfer_delivered();
            if (!dialogue->take_output().to_client.ends_with("226 done\r\n"))
                throw std::runtime_error("the dialogue does not carry out a transfer");
        });
    };
}

} // namespace

std::vector<Part> dialogue_parts()
{
    return {{"a control line and its reply", prepare_line}, {"a login's lines", prepare_login},
        {"a transfer's lines", prepare_transfer}};
}

} // namespace safetp::bench
