#include "bin/safetp_cli.h"

#include "client/exit_codes.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <string_view>

namespace safetp::bin {

namespace {

/// Collects the verbs as they are declared; the one that was parsed gives the command.
struct Verbs {
    struct Entry {
        const CLI::App* app;
        std::function<SafetpCommand()> make;
    };
    std::vector<Entry> entries;

    /// `arguments` must outlive the parse.
    template <typename Arguments>
    void add(const CLI::App* app, const Arguments& arguments)
    {
        entries.push_back({app, [&arguments] { return SafetpCommand(arguments); }});
    }
};

struct Arguments {
    PinListArguments pin_list;
    PinShowArguments pin_show;
    PinAddArguments pin_add;
    PinRemoveArguments pin_remove;
    PinExportArguments pin_export;
    GetArguments get;
    PutArguments put;
    ListArguments list;
    ProxyArguments proxy;
    RunArguments run;
    VersionArguments version;
};

void declare_pins_file(CLI::App& app, std::string& pins_file)
{
    app.set_help_flag("-h,--help", "Show this and exit");
    app.add_option("--pins", pins_file, "File of known servers (default: see safetp(1))")->type_name("FILE");
}

void declare_server(CLI::App& app, std::string& server)
{
    app.add_option("server", server, "The server")->required()->type_name("HOST[:PORT]");
}

void declare_dialling(CLI::App& app, ConnectionArguments& connection)
{
    constexpr unsigned kDay = 86400;
    app.add_option("--connect-timeout", connection.connect_timeout, "How long connecting may take")
        ->capture_default_str()
        ->check(CLI::Range(1U, kDay))
        ->type_name("SECONDS");
    app.add_option("--stall-timeout", connection.stall_timeout, "How long nothing may move")
        ->capture_default_str()
        ->check(CLI::Range(1U, kDay))
        ->type_name("SECONDS");
    app.add_flag("-v,--verbose", connection.is_verbose, "Show the dialogue with the server");
}

/// Whom to trust, and what the server is shown.
void declare_trust(CLI::App& app, EngineArguments& engine)
{
    declare_pins_file(app, engine.pins_file);
    app.add_option("--policy", engine.policy, "Whom to trust (default: pin)")
        ->check(CLI::IsMember({"ca", "pin", "ca+pin"}))
        ->type_name("ca|pin|ca+pin");
    app.add_option("--key", engine.keys, "The server's key; may be given several times, and only these count")
        ->type_name("SHA256:...")
        ->allow_extra_args(false);
    app.add_flag("--strict", engine.is_strict, "Refuse servers that are not known yet");
    app.add_option("--ca", engine.authorities, "Authorities to believe instead of the system's (PEM)")->type_name("FILE");
    app.add_option("--client-cert", engine.client_certificate, "Certificate to show to the server (PEM)")->type_name("FILE");
    app.add_option("--client-key", engine.client_key, "Its key, if that is another file")->type_name("FILE");
}

void declare_config(CLI::App& app, const char* flags, std::string& config_file)
{
    app.add_option(flags, config_file,
           "Configuration (default: ~/.config/safetp/safetp.toml or /etc/safetp/safetp.toml, if there is one)")
        ->type_name("FILE");
}

void declare_connection(CLI::App& app, ConnectionArguments& connection)
{
    declare_trust(app, connection.engine);
    declare_config(app, "--config", connection.engine.config_file);
    declare_dialling(app, connection);
    app.add_flag("-q,--quiet", connection.is_quiet, "Neither progress nor notices, only errors");
}

/// "The following argument was not expected" would leave it to the reader what was.
void declare_more(CLI::App& app, std::vector<std::string>& more)
{
    app.add_option("more", more)->group(""); // not shown in the help
}

void declare_transfer_verbs(CLI::App& app, Arguments& arguments, Verbs& verbs)
{
    constexpr const char* kUrl = "ftp[s]://[USER@]HOST[:PORT]/PATH";
    CLI::App* const get = app.add_subcommand("get", "Fetch a file");
    declare_connection(*get, arguments.get.connection);
    get->add_option("url", arguments.get.url, "The file")->required()->type_name(kUrl);
    get->add_option("-o,--output", arguments.get.output, "Where to put it (- is standard output)")->type_name("FILE");
    get->add_flag("-c,--continue", arguments.get.is_continued, "Continue a download that was broken off");
    declare_more(*get, arguments.get.more);
    verbs.add(get, arguments.get);

    CLI::App* const put = app.add_subcommand("put", "Send a file");
    declare_connection(*put, arguments.put.connection);
    put->add_option("file", arguments.put.file, "What to send (- is standard input)")->required()->type_name("FILE");
    put->add_option("url", arguments.put.url, "Where to; a directory ends with /")->required()->type_name(kUrl);
    put->add_flag("-c,--continue", arguments.put.is_continued, "Continue an upload that was broken off");
    declare_more(*put, arguments.put.more);
    verbs.add(put, arguments.put);

    CLI::App* const list = app.add_subcommand("ls", "Show a directory");
    declare_connection(*list, arguments.list.connection);
    list->add_option("url", arguments.list.url, "The directory")->required()->type_name(kUrl);
    declare_more(*list, arguments.list.more);
    list->add_flag("-1", arguments.list.has_only_names, "Only the names");
    verbs.add(list, arguments.list);
}

/// How servers are spoken to, for the verbs that serve FTP clients.
void declare_engine(CLI::App& app, EngineArguments& engine)
{
    declare_trust(app, engine);
    declare_config(app, "-c,--config", engine.config_file);
    app.add_flag("--implicit", engine.is_implicit, "TLS from the first byte (default on port 990)");
    app.add_option("--security", engine.security, "Whether a server without TLS may be spoken to (default: require)")
        ->check(CLI::IsMember({"require", "prefer"}))
        ->type_name("require|prefer");
    app.add_option("--xferlog", engine.xferlog, "Transfer log to write, as xferlog(5)")->type_name("FILE");
    app.add_flag("-d,--debug", engine.is_verbose, "Log everything (level debug)");
}

void declare_transparent(CLI::App& proxy, ProxyArguments& to)
{
    proxy.add_flag("--transparent{redirect}", to.transparent,
        "Serve clients that do not know of this, led here by the packet filter: redirect (default) or tproxy");
    proxy.add_option("--interface", to.interface, "--transparent as a gateway, for what comes in there")->type_name("IF");
    proxy.add_option("--port", to.ftp_port, "--print-rules: what clients dial")
        ->capture_default_str()
        ->check(CLI::Range(1U, 65535U))
        ->type_name("PORT");
    proxy.add_flag("--print-rules", to.wants_rules, "--transparent: print what nft -f is to be given, and exit");
}

void declare_proxy(CLI::App& app, Arguments& arguments, Verbs& verbs)
{
    CLI::App* const proxy = app.add_subcommand("proxy", "Serve plain FTP clients here, and speak TLS with their servers");
    ProxyArguments& to = arguments.proxy;
    declare_engine(*proxy, to.engine);
    proxy->add_option("--listen", to.listen, "Where clients come")->capture_default_str()->type_name("[ADDRESS:]PORT");
    proxy->add_option("--server", to.server, "The one server (default: clients name it, as USER user@host)")
        ->type_name("HOST[:PORT]");
    proxy->add_option("--user", to.user, "When started as root: who serves (default: safetp)")->type_name("NAME");
    proxy->add_option("--data-ports", to.data_ports,
           "Where clients find passive data connections (default: any port; 50000-50999 with --transparent)")
        ->type_name("FIRST-LAST");
    declare_transparent(*proxy, to);
    verbs.add(proxy, to);
}

void declare_run(CLI::App& app, Arguments& arguments, Verbs& verbs)
{
    CLI::App* const run = app.add_subcommand("run", "Run a command whose FTP connections go through TLS");
    RunArguments& to = arguments.run;
    declare_engine(*run, to.engine);
    run->add_option("--host", to.host, "What the server is called (default: found out)")->type_name("NAME");
    run->add_option("--port", to.ports, "Another port of FTP servers, beside 21; may be given several times")
        ->allow_extra_args(false)
        ->check(CLI::Range(1, 65535))
        ->type_name("N");
    run->add_option("--other-port", to.other_ports, "A port of something else than FTP, whose connections are left alone")
        ->allow_extra_args(false)
        ->check(CLI::Range(1, 65535))
        ->type_name("N");
    run->add_flag("-v,--verbose", to.is_telling, "Say what was made safe (default: only errors)");
    run->footer("The command and its words stand behind --.");
    verbs.add(run, to);
}

void declare_pin_verbs(CLI::App& app, Arguments& arguments, Verbs& verbs)
{
    CLI::App* const pin = app.add_subcommand("pin", "Show and change the keys of known servers");
    pin->set_help_flag("-h,--help", "Show this and exit");
    pin->require_subcommand(1);

    CLI::App* const list = pin->add_subcommand("list", "List all known servers and their keys");
    declare_pins_file(*list, arguments.pin_list.pins_file);
    verbs.add(list, arguments.pin_list);

    CLI::App* const show = pin->add_subcommand("show", "Show what is known of one server");
    declare_pins_file(*show, arguments.pin_show.pins_file);
    declare_server(*show, arguments.pin_show.server);
    verbs.add(show, arguments.pin_show);

    CLI::App* const add = pin->add_subcommand("add", "Remember a server's key");
    declare_pins_file(*add, arguments.pin_add.connection.engine.pins_file);
    declare_dialling(*add, arguments.pin_add.connection);
    declare_server(*add, arguments.pin_add.server);
    add->add_option("fingerprint", arguments.pin_add.fingerprint, "Its key (default: what the server shows, after a question)")
        ->type_name("SHA256:...");
    add->add_flag("--implicit", arguments.pin_add.is_implicit, "TLS from the first byte; the port is 990 if none is given");
    add->add_flag("-y,--yes", arguments.pin_add.is_certain, "Do not ask: the network is safe now");
    verbs.add(add, arguments.pin_add);

    CLI::App* const remove = pin->add_subcommand("remove", "Forget a server, or one of its keys");
    declare_pins_file(*remove, arguments.pin_remove.pins_file);
    declare_server(*remove, arguments.pin_remove.server);
    remove->add_option("fingerprint", arguments.pin_remove.fingerprint, "Only this key")->type_name("SHA256:...");
    verbs.add(remove, arguments.pin_remove);

    CLI::App* const exported = pin->add_subcommand("export", "Print the keys for another machine");
    declare_pins_file(*exported, arguments.pin_export.pins_file);
    exported->add_option("server", arguments.pin_export.server, "Only this server")->type_name("HOST[:PORT]");
    exported->add_flag("--toml", arguments.pin_export.as_toml, "As tables for a configuration");
    verbs.add(exported, arguments.pin_export);
}

/// The words of the command that safetp run is to run are its own, whatever they look like. Gives how many are left for us.
int take_command(int argc, char** argv, std::vector<std::string>& command)
{
    if (argc < 2 || std::string_view(argv[1]) != "run")
        return argc;
    char** const end = argv + argc;
    char** const divider = std::find(argv, end, std::string_view("--"));
    if (divider != end)
        command.assign(divider + 1, end);
    return static_cast<int>(divider - argv);
}

} // namespace

std::variant<SafetpCommand, int> parse_safetp_command_line(int argc, char** argv)
{
    CLI::App app("safetp: any FTP client becomes a secure one.", "safetp");
    Arguments arguments;
    Verbs verbs;
    bool wants_version = false;
    app.set_help_flag("-h,--help", "Show this and exit");
    app.add_flag("-V,--version", wants_version, "Show the version and exit");
    app.require_subcommand(0, 1);
    declare_transfer_verbs(app, arguments, verbs);
    declare_pin_verbs(app, arguments, verbs);
    declare_proxy(app, arguments, verbs);
    declare_run(app, arguments, verbs);
    const int own_words = take_command(argc, argv, arguments.run.command);
    try {
        app.parse(own_words, argv);
        if (wants_version)
            return arguments.version;
        if (app.get_subcommands().empty())
            throw CLI::RequiredError::Subcommand(1);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error); // prints help on stdout, errors on stderr
        return code == 0 ? client::kExitOk : client::kExitUsage;
    }
    for (const Verbs::Entry& verb : verbs.entries) {
        if (verb.app->parsed())
            return verb.make();
    }
    return client::kExitUsage;
}

} // namespace safetp::bin
