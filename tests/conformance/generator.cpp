#include "generator.h"

namespace safetp::conformance {

namespace {

constexpr unsigned kLineBytes = 2048; ///< libwrap's buffer for a logical line

std::string number(unsigned value) { return std::to_string(value); }

} // namespace

// ---- connections ----

std::string Generator::address()
{
    if (dice_.percent(60))
        return dice_.one_of({"10.1.2.3", "10.1.2.4", "10.1.3.3", "192.168.0.1", "172.16.5.9", "127.0.0.1"});
    if (dice_.percent(50))
        return dice_.one_of(
            {"::1", "2001:db8::1", "2001:db8:40::7", "2001:db8:40:1::7", "fe80::1", "::ffff:10.1.2.3", "::10.1.2.3"});
    if (dice_.percent(50))
        return dice_.one_of({"0.0.0.0", "255.255.255.255", "10.1.2.30", "8.1.2.3", "unknown", "::", "::FFFF:10.1.2.4",
            "224.0.0.1", "fe80::1%lo", "fe80::1%nowhere", "10.255.255.255", "10.1.2.03", "2001:DB8::1", "2001:db8:0:0::1",
            "::ffff:a01:203", "10.1.2", "10.1.2.3.4", "::ffff:10.1.2.3x"});
    return "10." + number(dice_.below(3)) + "." + number(dice_.below(4)) + "." + number(dice_.below(256));
}

std::string Generator::name()
{
    if (dice_.percent(70))
        return dice_.one_of({"client.example.org", "a.b.example.org", "host", "localhost", "example.org"});
    return dice_.one_of({"CLIENT.Example.ORG", "unknown", "paranoid", "10.evil.example", "10.1.2.evil", "known.example",
        "Unknown", "unknown.example.org", "all", "x", "2001:db8::1", "::ffff:10.1.2.3", "[::1]", "10.1.2.3",
        "client.example.org.evil.example", "xn--bcher-kva.example", "a_b-c.example.org",
        "very-long-name-that-goes-on-and-on-and-on.and-on-and-on-and-on-and-on-and-on.and-on-and-on-and-on-and-on.example."
        "org"});
}

Question Generator::question()
{
    Question question;
    question.daemon = dice_.percent(70)
        ? dice_.one_of({"in.ftpd", "ftpd", "safetpd"})
        : dice_.one_of({"21", "../x", "unknown", "IN.FTPD", "all", "a@b", "wu.ftpd", "known", "x[y"});
    question.client_addr = address();
    question.client_name = name();
    question.client_user
        = dice_.one_of({"ann", "ann", "bob", "unknown", "ANN", "root", "paranoid", "ann@example.org", "a:b*c"});
    question.server_addr = dice_.percent(60) ? dice_.one_of({"10.0.0.1", "192.168.0.254"}) : address();
    question.server_name = dice_.one_of({"", "server.example.org", "server", "unknown"});
    if (dice_.percent(30))
        question.server_port = std::stoi(dice_.one_of({"0", "2121", "65535", "990", "15", "1"}));
    if (dice_.percent(4))
        question.server_port = -1;
    if (dice_.percent(4))
        question.client_port = -1;
    question.resident = dice_.percent(60);
    question.hosts_ctl = dice_.percent(5);
    question.bad_socket = dice_.percent(5);
    return question;
}

// ---- patterns ----

std::string Generator::with_glob(std::string text)
{
    for (unsigned left = 1 + dice_.below(3); left > 0 && !text.empty(); --left) {
        const unsigned at = dice_.below(static_cast<unsigned>(text.size()));
        const unsigned length = dice_.below(3);
        text.replace(at, length, dice_.one_of({"*", "?", "*", "**", "*?", "?*"}));
    }
    return text;
}

std::string Generator::net_pattern()
{
    if (dice_.percent(25))
        return dice_.one_of({"10.1.2.0/24", "10.1.2.3/24", "10.1.2.0/255.255.255.0", "0.0.0.0/0.0.0.0", "0.0.0.0/0",
            "10.0.0.0/8", "10.1.2.0/24abc", "10.1.2.0/24/8", "10.1.2.0/024", "10.1.2.0/0x18", "10.1.2.0/+24", "10.1.2.0/-1",
            "10.1.2.0/33", "10.1.2.0/", "/", "/24", "010.1.2.0/24", "0xa.1.2.0/24", "012.1.2.0/24", "10.1.2/24",
            "10.1.2.3/255.255.255.255", "255.255.255.255/32", "10.0.2.0/255.0.255.0", "10.1.0.0/16.0", "10.1.2.0/ 24",
            "10.1.2.0/24.", "10..2.0/24", "a.b.c.d/8", "10.1.2.3.4/24", "10.1.2.0/4294967320", "10.1.2.256/24", "10.1.2.08/29",
            "10.1.2.0x/24", "10.1.2.0/255.255.255"});
    if (dice_.percent(30)) {
        const std::string literal
            = dice_.one_of({"2001:db8::", "2001:db8:40::", "::", "::ffff:0:0", "::ffff:10.1.2.0", "fe80::", "2001:db8:40::7",
                "2001:DB8::", "2001:0db8:0::0", "10.1.2.3", "", ":::", "fe80::1%lo", "2001:db8::1%5", "1::2::3"});
        return "[" + literal + "]/"
            + dice_.one_of(
                {"32", "44", "48", "64", "128", "0", "129", "", "x", "-1", "033", " 5", "96", "127", "1", "+32", "64x"});
    }
    if (dice_.percent(50))
        return "10." + number(dice_.below(3)) + "." + number(dice_.below(4)) + ".0/" + number(8 + dice_.below(26));
    static constexpr unsigned kMasks[] = {0xff000000, 0xffff0000, 0xffffff00, 0xfffffffe, 0xfffffff0, 0xffff00ff, 0x00ffffff};
    const unsigned mask = kMasks[dice_.below(7)];
    const unsigned net = (0x0a000000u | (dice_.below(3) << 16) | (dice_.below(4) << 8) | dice_.below(256)) & mask;
    const auto dotted = [](unsigned value) {
        return number(value >> 24) + "." + number(value >> 16 & 255) + "." + number(value >> 8 & 255) + "."
            + number(value & 255);
    };
    return dotted(net) + "/" + dotted(mask);
}

std::string Generator::name_pattern()
{
    if (dice_.percent(50))
        return dice_.one_of({".example.org", ".EXAMPLE.org", "client.", "client.example.org", "CLIENT.example.ORG", "host",
            "localhost", ".org", ".", "..", "example.org.", "unknown.", ".unknown", "10.evil.example", "10.*", "para*", "unk*",
            "*.example.org", "client.example.???", ".2.3", ".3", "10.", "10.1.", "10.1.2.", "1", "10.1.2", "10.1.2.3.", "*",
            "?", "**", "***", "[", "]"});
    return dice_.percent(50) ? with_glob(name()) : name();
}

std::string Generator::host_pattern()
{
    switch (dice_.below(10)) {
    case 0:
        return dice_.one_of({"ALL", "ALL", "KNOWN", "UNKNOWN", "LOCAL", "PARANOID", "all", "known", "Local", "ALLx", "EXCEPT"});
    case 1:
    case 2: return net_pattern();
    case 3:
    case 4: return name_pattern();
    case 5: return dice_.percent(50) ? with_glob(address()) : address();
    case 6:
        return "[" + (dice_.percent(80) ? address() : dice_.one_of({"2001:0DB8:0:0::1", "::1]", "", "::1 ", "client"})) + "]";
    case 7:
        return dice_.percent(50)
            ? dice_.one_of({"@lab", "@LAB", "@empty", "@", "@nowhere", "@lab*"})
            : dice_.one_of({"/d/hosts", "/d/nested", "/d/none", "/d", "/d/hosts/", "/d/hosts/x", "/", "/d/*"});
    case 8: {
        const std::string text = address();
        const std::size_t dot = text.find('.', dice_.below(static_cast<unsigned>(text.size())));
        return dot == std::string::npos ? text : text.substr(0, dot + 1);
    }
    default: return address();
    }
}

std::string Generator::client_pattern()
{
    if (dice_.percent(85))
        return host_pattern();
    const std::string user = dice_.one_of({"ann", "bob", "ALL", "KNOWN", "UNKNOWN", "a*", "?nn", "", "Ann", ".nn", "an.",
        "paranoid", "ann@x", "LOCAL", "[ann]", "ann EXCEPT"});
    return user + "@" + host_pattern();
}

std::string Generator::daemon_pattern()
{
    if (dice_.percent(50))
        return dice_.one_of({"ALL", "in.ftpd", "ftpd", "safetpd", "in.ftpd"});
    const std::string daemon = dice_.one_of({"ALL", "in.ftpd", "IN.FTPD", "in.*", "?n.ftpd", "in.", ".ftpd", "KNOWN", "UNKNOWN",
        "LOCAL", "21", "2121", "021", "+21", "-21", "65535", "65536", "4294967317", "21x", "0x15", "0", "../x",
        "/usr/sbin/ftpd", "[::1]", "@x", "@", "990", "EXCEPT", "wu.ftpd", "a", "x[y", "*", "safetp?"});
    if (dice_.percent(40))
        return daemon;
    return daemon + "@"
        + (dice_.percent(50) ? dice_.one_of({"10.0.0.1", "10.0.0.", "ALL", "server.example.org", ""}) : host_pattern());
}

std::string Generator::list(std::string (Generator::*pattern)())
{
    std::string text = dice_.percent(20) ? " " : "";
    for (unsigned left = dice_.percent(70) ? 1 : 1 + dice_.below(4); left > 0; --left) {
        text += (this->*pattern)();
        text += left > 1 || dice_.percent(20) ? dice_.one_of({" ", ", ", ",", "\t", " , ,", "  ", "\r", ";", "\v"}) : "";
        if (dice_.percent(12))
            text += dice_.one_of({" EXCEPT ", " except ", " EXCEPT,", " EXCEPT EXCEPT ", " Except\t"}) + (this->*pattern)();
    }
    return text + (dice_.percent(30) ? " " : "");
}

// ---- options ----

std::string Generator::expansions()
{
    std::string text;
    for (unsigned left = 1 + dice_.below(4); left > 0; --left)
        text += dice_.one_of({"%a", "%A", "%c", "%d", "%h", "%H", "%n", "%N", "%p", "%r", "%R", "%s", "%u", "%%", "%", "%x",
            "%%a", " ", "word", "-x", "a=b", "$HOME", "'q'", "\\:", "\xc3\xbc", ";", "\t", "%\\:"});
    return text;
}

std::string Generator::option_value(const std::string& key)
{
    if (key == "severity")
        return dice_.one_of({"info", "local1.notice", "LOCAL7.DEBUG", "auth.warning", "warn", "authpriv.info", "ftp.info",
            "mail.", ".info", "mail.info.x", "none", "error", "err", "kern.emerg", "daemon.alert", "user.crit", "syslog.info",
            "", "info x", "cron.panic"});
    if (key == "linger" || key == "rfc931" || key == "nice")
        return dice_.one_of(
            {"0", "5", "10", "-1", "-5", "+3", "30x", "x", "", "007", " 4", "4 4", "2147483647", "0x10", "99", "1.5"});
    if (key == "umask")
        return dice_.one_of({"022", "22", "0777", "1000", "-1", "8", "", "077", "0", "0x1f", "027 ", "07 7", "+5", "777x"});
    if (key == "user" || key == "group")
        return dice_.one_of({"root", "nobody", "nobody.nogroup", "ann.users", "ann.", ".users", "nosuch", "ann.nosuch",
            "nosuch.nosuch", "0", "nogroup", "users", "", "ann.users.x", "nobody nogroup", "Root"});
    if (key == "setenv")
        return dice_.one_of({"TW_VAR ", "TW_VAR\t", "TW_VAR", "OTHER ", "= ", "A=B ", "TW_VAR = "})
            + (dice_.percent(70) ? expansions() : "");
    if (key == "banners")
        return dice_.one_of({"/d/msg", "/d/msg/", "/d/nowhere", "/d", "", "/d/msg /x", "/d/%d", "//d//msg", "/d/hosts"});
    if (key == "aclexec")
        return dice_.one_of({"true", "false", "exit 3", "exit 0", "kill -9 $$", "kill -15 $$", "test %a = 10.1.2.3",
            "test %d = in.ftpd", "test %u = ann", "true # %n", "exit 255", "", "false # %c %h"});
    return dice_.percent(90) ? expansions() : "";
}

std::string Generator::option()
{
    if (dice_.percent(8))
        return dice_.one_of({"", " ", "nonsense", "allow x", "deny=", "allow deny", "spawn", "=allow", "ALLOW", "Deny",
            "allow\\:", "\\", "[", "keepalive yes", "keepalive =", "user", "% a", "allow=", "allow = x", "linger=5=6",
            "\tdeny\t", "severity==info"});
    const std::string key = dice_.one_of({"allow", "deny", "severity", "keepalive", "linger", "umask", "nice", "rfc931",
        "setenv", "user", "group", "spawn", "twist", "banners", "aclexec", "allow", "deny"});
    if (key == "allow" || key == "deny" || key == "keepalive")
        return (dice_.percent(30) ? " " : "") + key + (dice_.percent(30) ? " " : "");
    const std::string odd_key = dice_.percent(5) ? with_glob(key) : key;
    return dice_.one_of({"", " ", "\t"}) + odd_key + dice_.one_of({" ", " ", "=", " = ", "  ", "\t=\t", " ==", "= "})
        + option_value(key) + dice_.one_of({"", "", " ", "\t"});
}

std::string Generator::options()
{
    std::string text;
    for (unsigned left = 1 + dice_.below(3); left > 0; --left)
        text += ":" + option();
    return text;
}

// ---- lines ----

std::string Generator::rule()
{
    if (dice_.percent(25)) // so that options are reached
        return dice_.one_of({"ALL: ALL", "ALL:ALL ", "in.ftpd ftpd safetpd: KNOWN ALL", "ALL: KNOWN@ALL"}) + options();
    std::string text = list(&Generator::daemon_pattern) + ":" + list(&Generator::client_pattern);
    return dice_.percent(35) ? text + options() : text;
}

/// About as long as the library's buffer, by blanks, by words or by continued lines; now and then expansions that burst its
/// buffer.
std::string Generator::long_line()
{
    if (dice_.percent(10)) {
        std::string text = "ALL: ALL: " + dice_.one_of({"spawn", "setenv TW_VAR", "twist", "aclexec true #"}) + " ";
        while (text.size() + 16 < kLineBytes)
            text += dice_.one_of({"%n", "%n%n", "%c"});
        return text;
    }
    const std::string head = rule(), tail = dice_.percent(50) ? " 10.1.2.3" : "";
    const std::string filler = dice_.one_of({" ", "x ", ",", "client.example.net ", "\\\n", "x\\\n"});
    const unsigned wanted = kLineBytes - 4 + dice_.below(7);
    std::string text = head;
    std::size_t counted = head.size() + tail.size();
    for (; counted + 1 < wanted && text.size() < 4 * kLineBytes;
         counted += filler.ends_with("\n") ? filler.size() - 2 : filler.size()) {
        text += filler;
        if (filler == "\\\n")
            ++counted, text += " ";
    }
    return text + tail;
}

std::string Generator::line()
{
    if (dice_.percent(88))
        return rule() + "\n";
    switch (dice_.below(8)) {
    case 0: return dice_.one_of({"# comment\n", "#ALL: ALL\n", " # not ALL: ALL\n", "# continued \\\nALL: ALL\n", "#\n"});
    case 1: return dice_.one_of({"\n", " \t\n", "\r\n", " \\\n\n", "\f\n"});
    case 2:
        return dice_.one_of(
            {"no colon here\n", "ALL\n", ": ALL\n", "ALL:\n", "ALL:\r\n", ":\n", "::\n", "ALL: ALL:\n", "ALL: ALL::\n"});
    case 3: return rule() + dice_.one_of({"\r\n", " # ALL\n", "\\\r\n", "\\\\\n", " \n", ":\n"});
    case 4: {
        std::string text = rule();
        text.insert(dice_.below(static_cast<unsigned>(text.size()) + 1), dice_.one_of({"\\\n", " \\\n ", "\\\n\\\n", "\\"}));
        return text + "\n";
    }
    case 5:
        return dice_.one_of({"ALL: [::1: allow\n", "x[: ALL\n", "ALL: ]10.: deny\n", "ALL\\:: ALL\n",
            "\xef\xbb\xbf"
            "ALL: ALL\n"});
    case 6: {
        std::string text = rule() + "\n";
        text.insert(dice_.below(static_cast<unsigned>(text.size())), 1, '\0');
        return text;
    }
    default: return dice_.percent(50) ? long_line() + "\n" : rule() + "\n";
    }
}

std::string Generator::mutated(std::string text)
{
    for (unsigned left = 1 + dice_.below(4); left > 0 && !text.empty(); --left) {
        const unsigned at = dice_.below(static_cast<unsigned>(text.size()));
        const char letter = ":\\[]@ ,/*?\n%.#=0A"[dice_.below(17)];
        switch (dice_.below(5)) {
        case 0: text.erase(at, 1 + dice_.below(3)); break;
        case 1: text[at] = letter; break;
        case 2: text.insert(at, 1, letter); break;
        case 3: text.insert(at, text.substr(dice_.below(static_cast<unsigned>(text.size())), dice_.below(12))); break;
        default: text[at] = static_cast<char>(dice_.below(256)); break;
        }
    }
    return text;
}

std::string Generator::table()
{
    std::string text;
    for (unsigned left = 1 + dice_.below(4); left > 0; --left)
        text += line();
    if (dice_.percent(12))
        text = mutated(text);
    if (dice_.percent(4) && text.ends_with('\n'))
        text.pop_back();
    return text;
}

void Generator::set_kind(std::string& text, TableKind& kind)
{
    kind = TableKind::file;
    if (!dice_.percent(6))
        return;
    kind = static_cast<TableKind>(dice_.below(5));
    if (kind != TableKind::file)
        text.clear();
}

void Generator::add_files(Scene& scene)
{
    const std::string both = scene.allow + scene.deny;
    if (both.find("/d") != std::string::npos) {
        scene.files["hosts"] = dice_.one_of({"10.1.2.3\n", "192.0.2.1 10.1.2.4", "# not 10.1.2.3\n", ".example.org\n@lab\n",
            "ann@10.1.2.3", "KNOWN", "10.1.2.3,10.1.2.4\n", "ALL EXCEPT 10.1.2.3\n", "", "2001:db8::1\n",
            "\n\n10.1.2.0/24:x\n10.1.2.0/24\n", "host\v10.1.2.3"});
        scene.files["nested"] = dice_.one_of({"/d/hosts", "/d/none /d/hosts", "10.9.9.9\n/d/hosts\n", "@lab"});
        for (const char* daemon : {"in.ftpd", "ftpd", "safetpd"})
            scene.files[std::string("msg/") + daemon] = dice_.one_of({"421 go away\n", "hello %a\nuser %u\n", "no newline %d",
                "[bracket\nnext %c\n", "\r\n%%\n", "", "100% of %n\n"});
        if (dice_.percent(10))
            scene.files["msg/in.ftpd"] = std::string("\0\0lead\0rest\nnext\n", 17);
    }
    scene.netgroups["lab"] = {name(), name()};
    if (dice_.percent(20))
        scene.netgroups["LAB"] = {"unknown", "paranoid"};
}

Exam Generator::small_exam()
{
    Exam exam;
    exam.scene.allow = table();
    exam.scene.deny = dice_.percent(40) ? "ALL: ALL\n" : table();
    set_kind(exam.scene.allow, exam.scene.allow_kind);
    set_kind(exam.scene.deny, exam.scene.deny_kind);
    add_files(exam.scene);
    const bool one_process = dice_.percent(15);
    for (unsigned left = 8; left > 0; --left) {
        exam.questions.push_back(question());
        Question& added = exam.questions.back();
        added.keep_state = one_process && exam.questions.size() > 1;
        added.resident = added.resident || added.keep_state;
    }
    return exam;
}

/// One line of a large table: nearly always one pattern that an index can hold, or that looks so.
std::string Generator::address_rule()
{
    if (dice_.percent(3))
        return line();
    std::string pattern;
    switch (dice_.below(8)) {
    case 0:
    case 1: pattern = net_pattern(); break;
    case 2: pattern = "10." + number(dice_.below(3)) + "." + (dice_.percent(70) ? number(dice_.below(40)) + "." : ""); break;
    case 3: pattern = "[2001:db8:" + number(dice_.below(60)) + "::" + number(dice_.below(9)) + "]"; break;
    case 4: pattern = dice_.percent(20) ? host_pattern() : address(); break;
    default: pattern = "10." + number(dice_.below(3)) + "." + number(dice_.below(40)) + "." + number(dice_.below(256)); break;
    }
    if (dice_.percent(10))
        pattern
            += dice_.one_of({" EXCEPT 10.1.2.3", " EXCEPT 10.1.", ", 10.1.2.4", " 2001:db8::", ":allow", ":deny", ":", " #"});
    return dice_.one_of({"in.ftpd", "ftpd", "safetpd", "wu.ftpd", "x", "y", "21", "IN.*", "ALL EXCEPT ftpd", "ftpd@10.0.0.1"})
        + dice_.one_of({": ", ":", " : ", ":\t"}) + pattern + dice_.one_of({"\n", "\n", " \n", "\r\n", ",\n"});
}

std::string Generator::large_table(unsigned rules)
{
    std::string text;
    for (unsigned left = rules; left > 0; --left)
        text += address_rule();
    return text;
}

Exam Generator::large_exam()
{
    Exam exam;
    exam.scene.allow_kind = exam.scene.deny_kind = TableKind::file;
    exam.scene.allow = large_table(20 + dice_.below(200));
    exam.scene.deny = large_table(20 + dice_.below(600));
    add_files(exam.scene);
    for (unsigned left = 40; left > 0; --left) {
        exam.questions.push_back(question());
        if (dice_.percent(70))
            exam.questions.back().client_addr
                = "10." + number(dice_.below(3)) + "." + number(dice_.below(40)) + "." + number(dice_.below(256));
    }
    return exam;
}

} // namespace safetp::conformance
