"""Debian's tcpd and safetp-tcpd under the same inetd, with the same rules and for the same clients: the same verdicts, delays, log
lines and daemons."""

import tempfile
from pathlib import Path

import pytest

from support.wrapped import CLIENTS, REPORT, World, debian_tcpd, safetp_tcpd, start_inetd, wait_for_all, wait_for_listener

pytestmark = pytest.mark.unsanitized  # whole machines: their programs' modules are tested sanitized, one by one

PORTS = {"debian": 2101, "safetp": 2201}  # and the next one for IPv4 clients on an IPv6 socket
DELAY = 4.9  # tcpd's five seconds; the clocks of sleep(3) and of the test need not agree to the last bit
STRICT = '[access]\nreading = "strict"\n'


@pytest.fixture(scope="module")
def world(base_directory):
    place = Path(tempfile.mkdtemp(dir=base_directory))
    place.chmod(0o755)
    world = World(place)
    try:
        (world.etc / "report").write_text(REPORT)
        for name, program in (("debian", debian_tcpd()), ("safetp", safetp_tcpd())):
            machine = world.machine(name, program)
            port = PORTS[name]
            command = "nowait root /usr/sbin/tcpd in.testd /etc/report one two"
            start_inetd(
                machine,
                f"{port} stream tcp {command}\n{port} stream tcp6 {command}\n{port + 1} stream tcp46 {command}\n",
                f"inetd-{name}.conf",
            )
            for table in (port, port + 1):
                wait_for_listener(world.server, "::", table)
            wait_for_listener(world.server, "0.0.0.0", port)
        yield world
    finally:
        world.close()


def visit_both(world, clients, port=0):
    """All at once; then each machine's visits and log lines."""
    for machine in world.machines:
        machine.log.take()
    visits = {name: [world.visit(client, PORTS[name] + port) for client in clients] for name in PORTS}
    wait_for_all([visit for each in visits.values() for visit in each])
    logs = {machine.place.name: sorted(map(str, machine.log.take())) for machine in world.machines}
    return visits, logs


def compare(world, clients, granted, port=0):
    visits, logs = visit_both(world, clients, port)
    for name, each in visits.items():
        assert {visit.client for visit in each if visit.is_granted} == set(granted), name
        for visit in each:
            if not visit.is_granted:
                assert visit.text == "" and visit.seconds >= DELAY, (name, visit)
    for debian, safetp in zip(visits["debian"], visits["safetp"]):
        assert debian.report == safetp.report
    assert logs["debian"] == logs["safetp"]
    return logs["safetp"]


FOUR = [name for name in CLIENTS if not name.endswith("6")]
ALL = list(CLIENTS)
FORGED = ["forged", "alias", "numeric", "gone", "stuck", "forged6"]

# hosts.allow, hosts.deny, who is let in
RULES = {
    "no tables": (None, None, ALL),
    "empty tables": ("", "", ALL),
    "deny all": (None, "ALL: ALL\n", []),
    "another daemon": (None, "in.otherd: ALL\n", ALL),
    "addresses": ("in.testd: 10.77.0.10, 10.77.0.2, [fd77::10]/128\n", "ALL: ALL\n", ["honest", "honest6"]),
    "networks": ("in.testd: 10.77.0.0/255.255.255.0 [fd77::]/64\n", "ALL: ALL\n", [name for name in ALL if name != "slow"]),
    "names": ("in.testd: .client.example\n", "ALL: ALL\n", ["honest", "silent", "honest6"]),
    "paranoid": (None, "ALL: PARANOID\n", [name for name in ALL if name not in FORGED]),
    "unknown": (None, "ALL: UNKNOWN\n", [name for name in ALL if name not in ("nameless", "slow")]),
    "known": ("ALL: KNOWN\n", "ALL: ALL\n", ["honest", "silent", "honest6"]),
    "except": ("ALL: ALL EXCEPT .client.example EXCEPT good.client.example\n", "ALL: ALL\n",
               [name for name in ALL if name not in ("silent", "honest6")]),
    "a netgroup": ("in.testd: @trusted\n", "ALL: ALL\n", ["honest"]),
    "the server's address": ("in.testd@10.77.0.1: ALL\n", "ALL: ALL\n", FOUR),
    "the server's name": ("in.testd@server.example: ALL\n", "ALL: ALL\n", FOUR),
    "a port": ("2101: ALL\n2201: ALL\n", "ALL: ALL\n", ALL),
    "another port": ("2102: ALL\n2202: ALL\n", "ALL: ALL\n", []),
    "a pattern file": ("in.testd: /etc/friends\n", "ALL: ALL\n", ["honest", "nameless"]),
    "broken lines": ("in.testd ALL\nin.testd: 10.77.0.30\n", "ALL: ALL\n", ["nameless"]),
    "a bad option": ("in.testd: ALL: frobnicate\n", None, []),
    "a bad option before allow": ("in.testd: ALL: frobnicate = 1: allow\nin.testd: ALL\n", None, []),
    "a bad option in hosts.deny": ("", "in.testd: ALL: frobnicate\n", []),
    "no newline": ("in.testd: 10.77.0.10\nin.testd: ALL", "ALL: ALL\n", ["honest"]),
}


@pytest.mark.parametrize("rules", RULES)
def test_verdicts_and_log_lines(world, rules):
    """With the strict reading, so that nothing but the programs can differ."""
    allow, deny, granted = RULES[rules]
    (world.etc / "friends").write_text("10.77.0.10\n/etc/more-friends\n")
    (world.etc / "more-friends").write_text("10.77.0.30")
    (world.etc / "safetp").mkdir(exist_ok=True)
    (world.etc / "safetp" / "safetpd.toml").write_text(STRICT)
    world.write(hosts_allow=allow, hosts_deny=deny)
    log = compare(world, ALL, granted)
    assert sum("]: connect from" in line or ": connect from" in line for line in log) == len(granted)
    assert sum(": refused connect from" in line for line in log) == len(ALL) - len(granted)


def test_the_safe_reading_agrees_on_ordinary_rules(world):
    """The default reading, without any configuration file."""
    (world.etc / "safetp" / "safetpd.toml").unlink(missing_ok=True)
    world.write(hosts_allow="in.testd: .client.example 10.77.0.30\n", hosts_deny="ALL: ALL\n")
    compare(world, ALL, ["honest", "silent", "honest6", "nameless"])


def test_ipv4_clients_on_an_ipv6_socket(world):
    """Their address reads ::ffff:10.77.0.10."""
    world.write(hosts_allow="in.testd: 10.77.0.10 bank.example real.example\n", hosts_deny="ALL: ALL\n")
    log = compare(world, FOUR, ["honest"], port=1)
    assert any("::ffff:10.77.0.20" in line for line in log)


def test_edits_take_effect_at_once(world):
    world.write(hosts_allow=None, hosts_deny="in.testd: 10.77.0.\n")
    compare(world, ["honest", "nameless"], [])
    world.write(hosts_deny="in.testd: 10.77.0.30\n")
    compare(world, ["honest", "nameless"], ["honest"])
