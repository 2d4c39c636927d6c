"""What safetp-tcpd does beyond a verdict: options of rules, odd connections, its configuration, tables that are being written."""

import os
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from support.namespaces import Network, join
from support.wrapped import CLIENTS, REPORT, SERVER, SERVER_TOO, Visit, World, debian_tcpd, safetp_tcpd, start_inetd, wait_for_all, wait_for_listener

PORTS = {"debian": 2101, "safetp": 2201}  # the port of in.testd
ABSOLUTE, CLIMBING, MISSING, DATAGRAM = 1, 2, 3, 4  # and what the ones behind it are
DELAY = 4.9
STRICT = '[access]\nreading = "strict"\n'


@pytest.fixture(scope="module")
def shared(base_directory):
    place = Path(tempfile.mkdtemp(dir=base_directory))
    place.chmod(0o755)
    world = World(place)
    try:
        (world.etc / "report").write_text(REPORT)
        (world.etc / "take-datagram").write_text("/usr/bin/dd bs=512 count=1 2>/dev/null >>/etc/datagrams\n")
        for name, program in (("debian", debian_tcpd()), ("safetp", safetp_tcpd())):
            port = PORTS[name]
            tcpd = "root /usr/sbin/tcpd"
            config = (
                f"{port} stream tcp nowait {tcpd} in.testd /etc/report\n"
                f"{port + ABSOLUTE} stream tcp nowait {tcpd} /usr/bin/dash /etc/report\n"
                f"{port + CLIMBING} stream tcp nowait {tcpd} ../bin/dash /etc/report\n"
                f"{port + MISSING} stream tcp nowait {tcpd} in.missing /etc/report\n"
                f"{port + DATAGRAM} dgram udp wait {tcpd} in.testd /etc/take-datagram\n"
            )
            machine = world.machine(name, program)
            start_inetd(machine, config, f"inetd-{name}.conf")
            for each in (port, port + MISSING):
                wait_for_listener(world.server, "0.0.0.0", each)
        yield world
    finally:
        world.close()


@pytest.fixture
def world(shared):
    """As after a fresh installation: no tables, no configuration."""
    configure(shared, None)
    shared.write(hosts_allow=None, hosts_deny=None)
    for name in ("spawned", "datagrams", "motd"):
        (shared.etc / name).unlink(missing_ok=True)
    for machine in shared.machines:
        machine.log.take()
    return shared


def configure(world, text: str | None) -> None:
    directory = world.etc / "safetp"
    directory.mkdir(exist_ok=True)
    (directory / "safetpd.toml").unlink(missing_ok=True)
    if text is not None:
        (directory / "safetpd.toml").write_text(text)


def ours(world):
    return world.machines[1]


def visit_both(world, client="honest", behind=0, server=SERVER):
    """The visits to Debian's tcpd and to ours, which must have said the same and logged the same; returns ours with its log."""
    debian, safetp = wait_for_all([world.visit(client, port + behind, server) for port in PORTS.values()])
    logs = [sorted(map(str, machine.log.take())) for machine in world.machines]
    assert debian.is_granted == safetp.is_granted
    assert debian.report == safetp.report
    assert logs[0] == logs[1]
    return safetp, logs[1]


def visit(world, client="honest"):
    """Ours alone."""
    seen = world.visit(client, PORTS["safetp"]).wait()
    return seen, [line.text for line in ours(world).log.take()]


# ---- options of rules ------------------------------------------------------------------------------------------------------


def test_options_that_set_the_scene(world):
    world.write(
        hosts_allow="in.testd: 10.77.: umask 077: nice 5: keepalive: linger 10: setenv TW_CLIENT %a at %n: setenv TW_DAEMON %d\n",
        hosts_deny="ALL: ALL\n",
    )
    seen, log = visit_both(world)
    assert seen.lines("umask") == ["0077"]
    assert seen.lines("nice") == [str(os.nice(0) + 5)]
    assert "TW_CLIENT=10.77.0.10 at good.client.example" in seen.lines("env")
    assert "TW_DAEMON=in.testd" in seen.lines("env")
    assert log == ["<3.6> in.testd: connect from good.client.example (10.77.0.10)"]


def test_the_mask_is_tcpds_own(world):
    """Whatever it was started with; inetd would set one itself."""
    for machine in world.machines:
        with world.server.entered():
            listener = socket.create_server((SERVER, 0))
        began = time.monotonic()
        visit = Visit("honest", world.connect(world.client, SERVER, listener.getsockname()[1], CLIENTS["honest"]), began)
        served, _ = listener.accept()
        command = "umask 077; exec -a in.testd /usr/sbin/tcpd /etc/report"
        machine.start("bash", "-c", command, stdin=served, stdout=served, stderr=served)
        served.close()
        listener.close()
        assert visit.wait().lines("umask") == ["0022"]


def test_severity(world):
    world.write(hosts_allow="in.testd: 10.77.0.10: severity local3.notice\n", hosts_deny="in.testd: ALL: severity mail.crit\n")
    _, log = visit_both(world)
    assert log == ["<19.5> in.testd: connect from 10.77.0.10 (10.77.0.10)"]
    _, log = visit_both(world, "nameless")
    assert log == ["<2.2> in.testd: refused connect from 10.77.0.30 (10.77.0.30)"]


def test_spawn(world):
    """Runs before the daemon does, and its output does not reach the client."""
    world.write(hosts_allow="in.testd: ALL: spawn (echo %d %a %c %s %h >>/etc/spawned; echo to the client; exit 3)\n")
    seen, _ = visit_both(world)
    assert seen.is_granted and "to the client" not in seen.text
    expected = "in.testd 10.77.0.10 10.77.0.10 in.testd@10.77.0.1 10.77.0.10\n"
    assert (world.etc / "spawned").read_text() == 2 * expected


def test_twist(world):
    """No delay, no `refused` line; the command has the connection."""
    world.write(hosts_deny="in.testd: ALL: twist /bin/echo 421 not for %a\n")
    seen, log = visit_both(world)
    assert seen.text == "421 not for 10.77.0.10\n"
    assert log == ["<3.4> in.testd: twist 10.77.0.10 to /bin/echo 421 not for 10.77.0.10"]


@pytest.mark.parametrize("verdict", ["allow", "deny"])
def test_banners(world, verdict):
    (world.etc / "banners").mkdir(exist_ok=True)
    (world.etc / "banners" / "in.testd").write_text("Hello %c\nfrom %d, 100%%\n")
    world.write(hosts_allow=f"in.testd: ALL: banners /etc/banners: {verdict}\n")
    seen, _ = visit_both(world)
    assert seen.text.startswith("Hello 10.77.0.10\r\nfrom in.testd, 100%\r\n") or verdict == "allow"
    assert seen.is_granted == (verdict == "allow")


@pytest.mark.parametrize("command, granted", [("/bin/true", True), ("/bin/false", False), ("/bin/kill -9 $$", False)])
def test_aclexec(world, command, granted):
    world.write(hosts_allow=f"in.testd: ALL: aclexec {command}\n", hosts_deny="ALL: ALL\n")
    seen, _ = visit_both(world)
    assert seen.is_granted == granted


def test_aclexec_and_the_connection(world):
    """The library leaves the connection to the command, against its manual; by default it is kept from it."""
    world.write(hosts_allow="in.testd: ALL: aclexec echo to the client\n", hosts_deny="ALL: ALL\n")
    seen, _ = visit(world)
    assert seen.is_granted and "to the client" not in seen.text
    configure(world, STRICT)
    seen, _ = visit_both(world)
    assert seen.is_granted and "to the client" in seen.text


def test_ident_user_in_a_rule(world):
    """oidentd says who opened the connection: root, as the tests are."""
    configure(world, STRICT)
    world.write(hosts_allow="in.testd: root@10.77.0.10 somebody@10.77.0.30\n", hosts_deny="ALL: ALL\n")
    seen, log = visit_both(world)
    assert seen.is_granted
    assert log == ["<3.6> in.testd: connect from root@10.77.0.10 (10.77.0.10)"]
    seen, log = visit_both(world, "nameless")  # nobody listens there
    assert not seen.is_granted
    seen, log = visit_both(world, server=SERVER_TOO)  # whom oidentd answers only from the address that the client called
    assert seen.is_granted


def test_silent_ident_port(world):
    """Costs what the rule says, and the user is unknown."""
    world.write(hosts_allow="in.testd: ALL: rfc931 1: setenv TW_USER %u\n")
    seen, log = visit_both(world, "silent")
    assert "TW_USER=unknown" in seen.lines("env")
    assert seen.seconds >= 0.9
    assert log == ["<3.6> in.testd: connect from 10.77.0.11 (10.77.0.11)"]


# What an ident server says, with the ports of the question in place of PORTS, and the user that both tcpds hear.
IDENT_REPLIES = {
    "usual": ("PORTS : USERID : UNIX : bob\r\n", "bob"),
    "no blanks": ("PORTS:USERID:UNIX:bob\r\n", "bob"),
    "only LF": ("PORTS : USERID : UNIX : bob\n", "bob"),
    "colons": ("PORTS : USERID : UNIX : a:b:c\r\n", "a:b:c"),
    "two words": ("PORTS : USERID : OTHER : bob builder\r\n", "bob"),
    "long": ("PORTS : USERID : UNIX : " + 300 * "u" + "\r\n", 127 * "u"),
    "literally unknown": ("PORTS : USERID : UNIX : unknown\r\n", "unknown"),
    "error": ("PORTS : ERROR : NO-USER\r\n", "unknown"),
    "lower case": ("PORTS : userid : UNIX : bob\r\n", "unknown"),
    "other ports": ("1 , 2 : USERID : UNIX : bob\r\n", "unknown"),
    "no end of line": ("PORTS : USERID : UNIX : bob", "unknown"),
    "empty user": ("PORTS : USERID : UNIX : \r\n", "unknown"),
    "no system": ("PORTS : USERID :: bob\r\n", "unknown"),
    "nothing": ("", "unknown"),
    "a second line": ("\r\nPORTS : USERID : UNIX : bob\r\n", "unknown"),
    "no end at all": ("PORTS : USERID : UNIX : bob " + 1000 * "x", "bob"),
    "510 bytes": ("PORTS : USERID : UNIX : bob" + "PAD" + "\n", "bob"),
}


@pytest.mark.parametrize("kind", IDENT_REPLIES)
def test_what_ident_servers_say(world, kind):
    text, user = IDENT_REPLIES[kind]
    world.write(hosts_allow="in.testd: ALL: rfc931 30: setenv TW_USER %u\n")
    with world.client.entered():
        ident = socket.create_server((CLIENTS["nameless"], 113))
    with ident:
        ident.settimeout(60)
        for port, machine in zip(PORTS.values(), world.machines):
            seen = world.visit("nameless", port)
            question, peer = ident.accept()
            with question:
                assert peer[0] == SERVER  # the address that the client knows the connection by
                ports = question.recv(100).decode().strip().replace(",", " , ")
                assert ports == f"{seen.connection.getsockname()[1]} , {port}"
                reply = text.replace("PORTS", ports)
                question.sendall(reply.replace("PAD", (510 - len(reply) + 3) * " ").encode())
            assert seen.wait().lines("env").count(f"TW_USER={user}") == 1, (machine.place.name, seen.text)
            expected = f"connect from {'' if user == 'unknown' else user + '@'}10.77.0.30 (10.77.0.30)"
            assert [line.text for line in machine.log.take()] == [expected]


@pytest.mark.parametrize(
    "options, identity",
    [
        ("user nobody", "65534 65534 65534 50"),
        ("user nobody.tty", "65534 5 5 50"),
        ("group tty: user nobody", "65534 5 5 50"),
        ("group tty", "0 5 5"),
    ],
)
def test_identity(world, options, identity):
    """Done right by default: the groups too, and no way back. The library forgets to."""
    world.write(hosts_allow=f"in.testd: ALL: {options}\n", hosts_deny="ALL: ALL\n")
    seen, _ = visit(world)
    assert seen.lines("identity") == [identity]
    configure(world, STRICT)
    seen, _ = visit_both(world)
    assert seen.lines("identity") == ["0 0 0"]


@pytest.mark.parametrize("option", ["user somebody", "group somebody", "user nobody.somebody", "user 65534"])
def test_identity_that_does_not_exist(world, option):
    """Nobody goes on as root."""
    world.write(hosts_allow=f"in.testd: ALL: {option}\n")
    seen, log = visit(world)
    assert seen.text == ""
    assert any("/etc/hosts.allow, line 1: unknown" in line for line in log), log


def test_identity_that_cannot_be_taken(world):
    """tcpd started by inetd as another user than root cannot become somebody else."""
    world.write(hosts_allow="in.testd: ALL: user nobody\n")
    start_inetd(ours(world), "2301 stream tcp nowait daemon /usr/sbin/tcpd in.testd /etc/report\n", "inetd-daemon.conf")
    wait_for_listener(world.server, "0.0.0.0", 2301)
    assert world.visit("honest", 2301).wait().text == ""
    log = [line.text for line in ours(world).log.take()]
    assert any("Operation not permitted" in line for line in log), log


# ---- what is started -------------------------------------------------------------------------------------------------------


def test_the_daemon_by_its_path(world):
    """argv[0] with a path: executed as it stands, and called by its last part."""
    world.write(hosts_allow="dash: ALL\n", hosts_deny="ALL: ALL\n")
    seen, log = visit_both(world, behind=ABSOLUTE)
    assert seen.lines("argv") == ["dash|/etc/report|"]
    assert log == ["<3.6> dash: connect from 10.77.0.10 (10.77.0.10)"]


def test_the_daemon_by_a_climbing_name(world):
    """Relative to /usr/sbin, and called by all of it."""
    world.write(hosts_allow="../bin/dash: ALL\n", hosts_deny="ALL: 10.77.0.30\n")
    seen, log = visit_both(world, behind=CLIMBING)
    assert seen.lines("argv") == ["../bin/dash|/etc/report|"]
    assert log == ["<3.6> ../bin/dash: connect from 10.77.0.10 (10.77.0.10)"]


def test_a_daemon_that_is_not_there(world):
    seen, log = visit_both(world, behind=MISSING)
    assert seen.text == "" and seen.seconds >= DELAY
    assert "<3.3> in.missing: error: cannot execute /usr/sbin/in.missing: No such file or directory" in log


def test_datagrams(world):
    """`wait` services: the daemon finds the datagram, and a refused one is eaten, or inetd would start anew without end."""
    for table, taken in (("in.testd: 10.77.0.10\n", "granted"), ("", "")):
        world.write(hosts_allow=table, hosts_deny="ALL: ALL\n")
        (world.etc / "datagrams").unlink(missing_ok=True)
        for name, machine in zip(PORTS, world.machines):
            with world.client.entered():
                client = socket.socket(type=socket.SOCK_DGRAM)
            with client:
                client.bind((CLIENTS["honest"], 0))
                client.sendto(b"granted", (SERVER, PORTS[name] + DATAGRAM))
            machine.log.wait_for("connect from 10.77.0.10")
        for name in PORTS:
            log = world.place / name / "inetd.log"
            wait_for_text(log, rf"restored {PORTS[name] + DATAGRAM}", 1 if taken else 2)
        logs = [sorted(map(str, machine.log.take())) for machine in world.machines]
        assert logs[0] == logs[1]
        assert len(logs[1]) == 1
        received = world.etc / "datagrams"
        assert (received.read_text() if received.exists() else "") == 2 * taken


def wait_for_text(path: Path, pattern: str, count: int) -> None:
    process = subprocess.run(
        ["timeout", "60", "sh", "-c", f"until [ $(grep -cE '{pattern}' '{path}') -ge {count} ]; do sleep 0.1; done"]
    )
    assert process.returncode == 0, path.read_text()


def test_standard_input_that_is_no_connection(world):
    for machine in world.machines:
        machine.run("bash", "-c", "exec -a in.testd /usr/sbin/tcpd </dev/null", check=True)
    logs = [[str(line) for line in machine.log.take()] for machine in world.machines]
    assert logs[0] == logs[1]
    assert logs[1] == [
        "<3.3> in.testd: warning: can't get client address: Socket operation on non-socket",
        "<3.3> in.testd: getpeername: Socket operation on non-socket",
    ]


@pytest.mark.parametrize(
    "option, status, words", [("--help", 0, "in the place of tcpd"), ("--version", 0, "safetp-tcpd"), ("", 1, "in the place of tcpd")]
)
def test_started_by_hand(option, status, words):
    """No syslog line, no waiting: it says what it is."""
    result = subprocess.run([safetp_tcpd(), *([option] if option else [])], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert result.returncode == status
    assert words in (result.stdout if status == 0 else result.stderr)


# ---- source routing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def attacker(world):
    """Behind a router that takes source routes, as the server does: the kernel's defaults would not."""
    network = Network()
    router, server = world.client, world.server
    join(router, network, "far")
    router.add_address("10.78.0.1/24", "far")
    network.add_address("10.78.0.2/24", "far")
    network.run("ip", "route", "add", "default", "via", "10.78.0.1")
    server.run("ip", "route", "replace", "10.78.0.0/24", "via", CLIENTS["honest"])
    router.set("net/ipv4/ip_forward", 1)
    for each, wires in ((server, ["wire"]), (router, ["wire", "far"]), (network, ["far"])):
        for wire in ["all", *wires]:
            each.set(f"net/ipv4/conf/{wire}/accept_source_route", 1)
    yield network
    network.close()


def test_source_routing_is_refused(world, attacker):
    """Whoever may route by itself may speak from any address. Rules about addresses come too late."""
    world.write(hosts_allow="ALL: ALL\n")
    with attacker.entered():
        client = socket.socket()
    with client:
        client.settimeout(60)
        loose_source_route = bytes([1, 0x83, 7, 4, 10, 78, 0, 1])
        client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, loose_source_route)
        client.connect((SERVER, PORTS["safetp"]))
        assert client.recv(100) == b""
    ours(world).log.wait_for("^refused connect from 10.78.0.2 with IP source routing options$")
    assert not [line for line in ours(world).log.take() if line.text.startswith("connect")]


# ---- its configuration -----------------------------------------------------------------------------------------------------


def test_other_tables(world):
    configure(world, '[access]\nhosts_allow = "/etc/my.allow"\nhosts_deny = "/etc/my.deny"\n')
    (world.etc / "my.allow").write_text("in.testd: 10.77.0.10\n")
    (world.etc / "my.deny").write_text("ALL: ALL\n")
    world.write(hosts_allow="ALL: 10.77.0.30\n")
    assert visit(world, "honest")[0].is_granted
    assert not visit(world, "nameless")[0].is_granted


def test_always_paranoid(world):
    """As upstream tcpd: a name that does not check out is refused before any table is read. No name is no lie."""
    configure(world, '[access]\nparanoid = "always"\n')
    world.write(hosts_allow="ALL: ALL\n")
    seen, log = visit(world, "forged")
    assert not seen.is_granted
    assert log == [
        "warning: host name/address mismatch: 10.77.0.20 != bank.example",
        "refused connect from 10.77.0.20 (10.77.0.20)",
    ]
    assert visit(world, "honest")[0].is_granted
    assert visit(world, "nameless")[0].is_granted


def test_lookups_have_one_deadline(world):
    """One second for all names and ident: a silent server is not waited for as long as the resolver or the rule would."""
    configure(world, '[access]\nlookup_time = "1s"\n')
    (world.etc / "resolv.conf").write_text(f"nameserver {SERVER}\noptions timeout:30 attempts:5\n")
    try:
        world.write(hosts_deny="in.testd: PARANOID\n")
        slow, stuck = world.visit("slow", PORTS["safetp"]), world.visit("stuck", PORTS["safetp"])
        assert slow.wait().is_granted
        assert not stuck.wait().is_granted
        world.write(hosts_allow="in.testd: ALL: rfc931 300\n")
        assert world.visit("silent", PORTS["safetp"]).wait().is_granted
    finally:
        (world.etc / "resolv.conf").write_text(f"nameserver {SERVER}\noptions timeout:1 attempts:1\n")


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("[access]\nreading = 3\n", "safetpd.toml:2: error: "),
        ("[access]\nhosts_alow = '/etc/hosts.allow'\n", "hosts_allow"),
        ("[data]\npassive_ports = 'all'\n", "safetpd.toml:2: error: "),
        ("[access\n", "safetpd.toml"),
    ],
)
def test_a_broken_configuration_refuses_everybody(world, text, complaint):
    """Its author may have meant something stricter than the defaults."""
    configure(world, text)
    world.write(hosts_allow="ALL: ALL\n")
    seen, log = visit(world)
    assert seen.text == "" and seen.seconds >= DELAY
    assert any(complaint in line for line in log), log
    assert any("everybody is refused" in line for line in log), log
    assert log[-1] == "refused connect from 10.77.0.10 (10.77.0.10)"


def test_an_unreadable_configuration_refuses_everybody(world):
    path = world.etc / "safetp" / "safetpd.toml"
    os.symlink("safetpd.toml", path)
    try:
        seen, log = visit(world)
        assert seen.text == ""
        assert any(re.search("safetpd.toml.*Too many levels of symbolic links", line) for line in log), log
    finally:
        path.unlink()


# ---- tables in trouble -----------------------------------------------------------------------------------------------------


def test_tables_that_are_being_written(world):
    """Half a deny table must not let anybody in: while somebody has it open for writing, nobody comes in."""
    world.write(hosts_deny="ALL: 10.77.0.10\n")
    with open(world.etc / "hosts.deny", "w") as half:  # truncated, and nothing written yet
        seen, log = visit(world)
        assert seen.text == ""
        assert any(line.startswith("error: /etc/hosts.deny is still being written") for line in log), log
        half.write("ALL: 10.77.0.30\n")
    assert visit(world)[0].is_granted
    assert not visit(world, "nameless")[0].is_granted


@pytest.mark.parametrize("trouble", ["directory", "loop", "no newline"])
def test_a_deny_table_that_cannot_be_used(world, trouble):
    path = world.etc / "hosts.deny"
    if trouble == "directory":
        path.mkdir()
    elif trouble == "loop":
        os.symlink("hosts.deny", path)
    else:
        path.write_text("ALL: 10.77.0.30\nALL: 10.77.0.")
    try:
        seen, log = visit(world)
        assert seen.text == ""
        assert any("/etc/hosts.deny" in line for line in log), log
    finally:
        path.rmdir() if trouble == "directory" else path.unlink()
