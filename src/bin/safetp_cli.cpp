#include "bin/safetp_cli.h"

#include "client/exit_codes.h"

#include <CLI/CLI.hpp>
#include <functional>

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
    declare_pins_file(*add, arguments.pin_add.pins_file);
    declare_server(*add, arguments.pin_add.server);
    add->add_option("fingerprint", arguments.pin_add.fingerprint, "Its key")->required()->type_name("SHA256:...");
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
    declare_pin_verbs(app, arguments, verbs);
    try {
        app.parse(argc, argv);
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
