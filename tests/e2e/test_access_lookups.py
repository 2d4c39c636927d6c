"""Rules that ask who a client is: names, netgroups and ident, on a network with honest, forged and missing names, with a name
server that does not answer and an ident server that says nothing. No lookup without a rule that asks, none that takes longer than
its limit, and nobody waits for another's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from support.gateway import Gateway, binary
from support.scripted_server import ScriptedServer
from support.wrapped import CLIENTS, SERVER, SERVER_TOO, World, safetp_tcpd
from test_access import REFUSAL, everything

NEVER = 15.0  # seconds; far above what a login takes that waits for nothing, far below what it takes to wait for nobody
LIMIT = "40s"
PATIENT = "timeout:30 attempts:5"  # resolv.conf(5): the resolver itself would not give up before any limit


@pytest.fixture(scope="module")
def world(base_directory):
    place = Path(tempfile.mkdtemp(dir=base_directory))
    place.chmod(0o755)
    world = World(place)
    try:
        yield world
    finally:
        world.close()


class Guarded:
    """A gateway on the world's server, and how its clients fare."""

    def __init__(self, world: World, gateway: Gateway):
        self.world, self.gateway = world, gateway

    def rules(self, allow: str, deny: str = "ALL: ALL\n") -> None:
        self.gateway.allow_path.write_text(allow)
        self.gateway.deny_path.write_text(deny)

    def connect(self, client: str):
        with self.world.client.entered():
            return self.gateway.connect(SERVER, CLIENTS.get(client, client))

    def is_let_in(self, client: str) -> bool:
        connection = self.connect(client)
        said = connection.socket.recv(65536)
        connection.close()
        assert said == REFUSAL or said.startswith(b"220 the raw ftpd"), said
        return said != REFUSAL

    def let_in(self, *clients: str) -> set[str]:
        return {client for client in clients if self.is_let_in(client)}

    def seconds(self, client: str) -> float:
        began = time.monotonic()
        self.is_let_in(client)
        return time.monotonic() - began

    def resolvers(self) -> list[int]:
        return self.gateway.helpers("resolver")


def threads_of(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


@contextlib.contextmanager
def name_server_stopped(world: World):
    started = next(process for process in world.processes if "dnsmasq" in str(process.args))
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    server = int(children[0]) if children else started.pid  # what brings it into its namespaces may stay before it
    assert Path(f"/proc/{server}/comm").read_text() == "dnsmasq\n"
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)
        started.send_signal(signal.SIGCONT)  # nsenter(1) stops with its child


@pytest.fixture
def guarded(world, directory, certificate, running):
    def script(session):
        session.say("220 the raw ftpd")
        session.serve_rest()

    def start(resolver: str | None = None, **access) -> Guarded:
        with world.server.entered():
            server = running.add(ScriptedServer(script))
        gateway = Gateway(directory / "gateway", certificate)
        gateway.change(
            listener={"address": None},
            server={"address": server.address, "port": server.port},
            access={"lookup_time": LIMIT} | access,
        )
        options = f"export RES_OPTIONS='{resolver}' && " if resolver else ""
        bind = f"mount --bind '{world.etc}' /etc && {options}exec \"$@\""
        enter = ["nsenter", "-t", str(world.server.holder.pid), "--net", "--"]  # no process of its own between it and us
        gateway.prefix = [*enter, "unshare", "--mount", "sh", "-c", bind, "sh"]
        running.add(gateway).start()
        return Guarded(world, gateway)

    return start


def test_names_are_verified(guarded):
    door = guarded()
    door.rules("safetpd: .client.example bank.example 10.9.9.9 alias.example real.example gone.example\n")
    assert door.let_in("honest", "silent", "forged", "alias", "numeric", "gone", "nameless") == {"honest", "silent"}
    assert door.gateway.events("connect")[0]["message"] == f"connect from good.client.example ({CLIENTS['honest']})"
    texts = [event["message"] for event in door.gateway.events("access")]
    place = f"warning: {door.gateway.allow_path}, line 1: "
    assert place + f"host name/address mismatch: {CLIENTS['forged']} != bank.example" in texts
    assert place + "host name/name mismatch: alias.example != real.example" in texts
    assert place + "host name/name mismatch: reverse lookup results in non-FQDN 10.9.9.9" in texts
    assert place + "can't verify hostname: getaddrinfo(gone.example, AF_INET) failed" in texts


def test_wildcards_for_names(guarded):
    door = guarded()
    everybody = ["honest", "forged", "nameless"]
    door.rules("safetpd: PARANOID\n")
    assert door.let_in(*everybody) == {"forged"}
    door.rules("safetpd: UNKNOWN\n")
    assert door.let_in(*everybody) == {"nameless"}
    door.rules("safetpd: KNOWN\n")
    assert door.let_in(*everybody) == {"honest"}
    door.rules("safetpd@server.example: ALL\n")
    assert door.let_in(*everybody) == set(everybody)


def test_netgroups(guarded):
    door = guarded()
    door.rules("safetpd: @trusted\n")
    assert door.let_in("honest", "silent", "nameless") == {"honest"}


def test_ident(guarded):
    door = guarded()
    door.rules("safetpd: KNOWN@ALL\n")
    assert door.let_in("honest", "nameless") == {"honest"}
    door.rules(f"safetpd: root@{CLIENTS['honest']}\n")
    assert door.is_let_in("honest")
    assert door.gateway.events("connect")[-1]["message"] == f"connect from root@{CLIENTS['honest']} ({CLIENTS['honest']})"
    with door.world.client.entered():  # whom oidentd answers only from the address that the client called
        assert door.gateway.connect(SERVER_TOO, CLIENTS["honest"]).reply().code == 220
    door.rules(f"safetpd: nobody@{CLIENTS['honest']}\n")
    assert not door.is_let_in("honest")


def test_paranoid_always_refuses_before_any_rule(guarded):
    door = guarded(paranoid="always")
    door.rules("ALL: ALL\n", "")
    assert door.let_in("honest", "forged", "alias", "numeric", "gone", "nameless") == {"honest", "nameless"}
    refused = door.gateway.events("access-refused")
    assert refused[0]["message"] == f"refused connect from {CLIENTS['forged']} ({CLIENTS['forged']})" and "rule" not in refused[0]


def test_no_lookup_without_a_rule_that_asks(guarded):
    """A dead name server and a silent ident port cost a login nothing."""
    door = guarded(PATIENT, ident_time="60s")
    door.rules("safetpd: 10.77. EXCEPT 10.77.9.41\n")
    assert door.seconds("slow") < NEVER and door.seconds("silent") < NEVER
    assert door.is_let_in("slow")
    assert not door.resolvers(), "a process that looks names up was started for nothing"


def test_a_dead_name_server_costs_at_most_the_limit(guarded):
    door = guarded(PATIENT, lookup_time="1s")
    door.rules("safetpd: .client.example\nsafetpd: UNKNOWN\n")
    assert 0.9 < door.seconds("slow") < NEVER
    assert door.gateway.events("connect")[-1]["message"] == f"connect from {CLIENTS['slow']} ({CLIENTS['slow']})"


def test_a_silent_ident_server_costs_at_most_its_limit(guarded):
    door = guarded(ident_time="1s")
    door.rules("safetpd: KNOWN@ALL\nsafetpd: ALL\n")
    assert 0.9 < door.seconds("silent") < NEVER
    assert door.gateway.events("connect")[-1]["rule"].endswith("hosts.allow:2")


def test_name_and_ident_together_have_one_limit(guarded, world):
    """Nobody answers for the name, and then the ident port would have a minute."""
    door = guarded(PATIENT, lookup_time="1s", ident_time="60s", cache_time=0)
    door.rules("safetpd: .nowhere.example KNOWN@ALL\nsafetpd: ALL\n")
    with name_server_stopped(world):
        began = time.monotonic()
        assert door.is_let_in("silent")
        assert 0.9 < time.monotonic() - began < NEVER


def test_slow_lookups_hold_nobody_up(guarded):
    """Clients wait for names and users that nobody answers for; those whose names are known, or not asked for, walk past. More
    names are waited for than can be looked up at one time: whose network has no name server waits for its own."""
    door = guarded(PATIENT, lookup_time="60s", ident_time="60s")
    door.gateway.change(limits={"sessions_per_client": 100}, timeouts={"login": "5m"})
    door.gateway.reload()
    door.rules("safetpd: 10.77.0.30\nsafetpd: KNOWN@10.77.0.11\nsafetpd: .client.example\n")
    slow = [f"10.77.9.{host}" for host in range(100, 170)]
    door.world.client.run("sh", "-c", "for address; do ip address add $address/16 dev wire; done", "sh", *slow)
    waiting = [door.connect(address) for address in slow] + [door.connect("silent") for _ in range(60)]
    for _ in range(3):
        assert door.seconds("honest") < NEVER and door.seconds("nameless") < NEVER
    for client in waiting:
        client.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.socket.recv(1)
        client.close()
    assert door.is_let_in("honest")


def test_answers_are_remembered(guarded, world):
    door = guarded(cache_time="1h")
    door.rules("safetpd: .client.example\n")
    assert door.is_let_in("honest")
    with name_server_stopped(world):
        assert door.is_let_in("honest")


def test_nothing_is_remembered_when_told_so(guarded, world):
    door = guarded(cache_time=0, lookup_time="1s")
    door.rules("safetpd: .client.example\n")
    assert door.is_let_in("honest")
    with name_server_stopped(world):
        assert not door.is_let_in("honest")
    assert door.is_let_in("honest")


def test_the_resolver_is_confined_and_replaced(guarded):
    door = guarded(cache_time=0)
    door.rules("safetpd: .client.example\n")
    assert door.is_let_in("honest")
    (resolver,) = door.resolvers()
    status = Path(f"/proc/{resolver}/status").read_text()
    assert "Uid:\t65534\t65534\t65534\t65534\n" in status and "CapEff:\t0000000000000000\n" in status
    assert "NoNewPrivs:\t1\n" in status
    os.kill(resolver, signal.SIGKILL)
    door.gateway.wait_for_log("resolver-crash")
    assert door.is_let_in("honest")
    assert door.resolvers() not in ([], [resolver])


def test_a_lookup_under_way_survives_the_resolver(guarded, world):
    """The client's question goes to the next process, within the same limit."""
    door = guarded("timeout:1 attempts:5")
    door.rules("safetpd: .client.example\n")

    def wait_for_lookup(*but: int) -> int:
        deadline = time.monotonic() + 20
        while True:
            at_work = [pid for pid in door.resolvers() if pid not in but and threads_of(pid) > 1]
            if at_work:
                return at_work[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    with name_server_stopped(world):
        client = door.connect("honest")
        first = wait_for_lookup()
        os.kill(first, signal.SIGKILL)
        wait_for_lookup(first)
    assert client.reply().code == 220


def test_a_client_that_leaves_ends_its_lookups(guarded):
    door = guarded(lookup_time="60s")
    door.rules("safetpd: .client.example\n")
    client = door.connect("slow")
    door.gateway.wait_for_log("resolver-start")
    client.close()
    door.gateway.wait_for_log("session ended: client closed")


def test_the_login_limit_covers_the_lookups(guarded):
    door = guarded(lookup_time="60s")
    door.gateway.change(timeouts={"login": "1s"})
    door.gateway.reload()
    door.rules("safetpd: .client.example\n")
    assert everything(door.connect("slow")).startswith(b"421 ")
    door.gateway.wait_for_log("session ended: login timed out")


def test_a_reload_lets_clients_under_way_finish(guarded):
    door = guarded(lookup_time="3s")
    door.rules("safetpd: UNKNOWN\n")
    client = door.connect("slow")
    door.gateway.wait_for_log("resolver-start")
    door.gateway.reload()
    assert client.reply().code == 220


def test_ipv6(guarded):
    door = guarded()
    door.rules("safetpd: six.client.example\n")
    with door.world.client.entered():
        honest = door.gateway.connect("fd77::1", CLIENTS["honest6"])
        forged = door.gateway.connect("fd77::1", CLIENTS["forged6"])
    assert honest.reply().code == 220
    assert everything(forged) == REFUSAL


def test_check_asks_this_machine_about_what_rules_name(guarded, world):
    """What tcpdchk finds: hosts that are not there, are called otherwise, or whose address leads elsewhere; netgroups; services of
    inetd.conf that have no wrapper or that nobody can start."""
    door = guarded()
    (world.etc / "inetd.conf").write_text(
        f"ftp stream tcp nowait root {safetp_tcpd()} /bin/sh\ntelnet stream tcp nowait root /usr/sbin/in.telnetd in.telnetd\n"
        "raw-ftp stream tcp nowait root /gone/tcpd gone.ftpd\n"
    )
    names = "good.client.example real.example alias.example gone.example @trusted @others"
    door.rules(f"safetpd sh in.telnetd wu.ftpd: {names}\n")

    def check(*options) -> list[str]:
        command = [*door.gateway.prefix, binary(), "check", "-c", door.gateway.config_path, *options]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        assert done.returncode == 78, done.stdout + done.stderr
        return [line for line in done.stdout.splitlines() if "warning: certificate " not in line]

    place = f"{door.gateway.allow_path}:1: "
    wanted = [
        (place, '"real.example" does not match clients from 10.77.0.21 (host name/name mismatch: alias.example != real.example)'),
        (place, '"alias.example" is an alias, which no client\'s address leads back to: write real.example'),
        (place, 'the name service knows no host "gone.example"'),
        (place, 'there is no netgroup "others"'),
        (place, 'inetd starts "in.telnetd" without tcpd'),
        (place, 'no service here asks as "wu.ftpd"'),
        ("/etc/inetd.conf:3: ", '"/gone/tcpd" cannot be started: No such file or directory'),
        ("/etc/inetd.conf:3: ", '"/usr/sbin/gone.ftpd" cannot be started: No such file or directory'),
    ]
    found = check()
    for where, words in wanted:
        assert any(line.startswith(where) and words in line for line in found), (words, found)
    assert len(found) == len(wanted), found
    assert any("the rule grants without saying so" in line for line in check("-a"))
