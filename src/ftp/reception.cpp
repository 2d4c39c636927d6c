#include "ftp/reception.h"

#include "ftp/text.h"

namespace safetp::ftp {

std::optional<ProxyUser> parse_proxy_user(std::string_view argument)
{
    const auto at = argument.rfind('@');
    if (at == std::string_view::npos || at == 0)
        return {};
    std::string_view server = argument.substr(at + 1);
    while (server.ends_with(' '))
        server.remove_suffix(1);
    if (server.empty())
        return {};
    return ProxyUser{std::string(argument.substr(0, at)), std::string(server)};
}

std::string Reception::greeting() { return "220 SafeTP proxy ready: log in as USER name@server, or name@server:port.\r\n"; }

Reception::Answer Reception::on_line(std::string_view line)
{
    const auto command = parse_command(line);
    if (!command)
        return refuse("500 Not an FTP command.\r\n");
    return answer(*command);
}

Reception::Answer Reception::on_line_too_long() { return refuse("500 Command line too long.\r\n"); }

Reception::Answer Reception::on_bad_name(std::string_view why)
{
    return refuse("530 Please log in as USER name@server or name@server:port: " + std::string(why) + ".\r\n");
}

Reception::Answer Reception::refuse(std::string reply)
{
    if (++bad_commands_ >= max_bad_commands_)
        return {.reply = "421 Too many bad commands, closing.\r\n", .is_over = true};
    return {.reply = std::move(reply)};
}

Reception::Answer Reception::answer(const Command& command)
{
    switch (command.verb) {
    case Verb::user: {
        auto wanted = parse_proxy_user(command.argument);
        if (!wanted)
            return on_bad_name("no server was named");
        return {.wanted = std::move(wanted)};
    }
    case Verb::quit: return {.reply = "221 Goodbye.\r\n", .is_over = true};
    case Verb::noop: return {.reply = "200 Ready.\r\n"};
    case Verb::http: return {.reply = "421 This is an FTP proxy.\r\n", .is_over = true};
    case Verb::feat: return {.reply = "211-Features:\r\n EPRT\r\n EPSV\r\n PASV\r\n UTF8\r\n211 End\r\n"};
    case Verb::auth: return {.reply = "504 SafeTP makes the way to the server safe itself: please log in without AUTH.\r\n"};
    case Verb::syst: return {.reply = "215 UNIX Type: L8\r\n"};
    case Verb::help:
        return {.reply = "214 Log in as USER name@server or name@server:port; SafeTP uses TLS on the way there.\r\n"};
    case Verb::opts:
        if (upper_case(command.argument).starts_with("UTF8"))
            return {.reply = "200 Names go through as they are.\r\n"};
        return {.reply = "202 Not needed before USER.\r\n"};
    case Verb::clnt: return {.reply = "202 Not needed before USER.\r\n"};
    default: return refuse("530 Please log in first, as USER name@server or name@server:port.\r\n");
    }
}

} // namespace safetp::ftp
