"""A server with wrapped services under inetd, and clients with honest, forged, missing and slow names and ident servers, on a network
of their own. See namespaces.py."""

from __future__ import annotations

import ipaddress
import os
import selectors
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .ftpds import ftpds_directory
from .gateway import binary
from .namespaces import SAFETY_NET, Machine, Network, die_with_us, join, make_etc

SERVER = "10.77.0.1"
SERVER_TOO = "10.77.0.2"  # not the address that its own connections come from unless somebody says so
SERVER6 = "fd77::1"

# What each client is called after. The names are those of the zone below.
CLIENTS = {
    "honest": "10.77.0.10",       # good.client.example, with an ident server
    "silent": "10.77.0.11",       # silent.client.example; its ident port takes connections and never answers
    "forged": "10.77.0.20",       # claims to be bank.example, which is another
    "alias": "10.77.0.21",        # its name is an alias of another
    "numeric": "10.77.0.22",      # claims to be the address 10.9.9.9
    "gone": "10.77.0.23",         # its name has no address
    "stuck": "10.77.0.24",        # nobody answers for its name
    "nameless": "10.77.0.30",
    "slow": "10.77.9.40",         # nobody answers for its address
    "honest6": "fd77::10",        # six.client.example
    "forged6": "fd77::20",        # claims to be bank.example
}
NAMED = ["honest", "silent", "honest6"]

# Addresses whose name is not what it should be.
FORGED = {
    "10.77.0.20": "bank.example",
    "fd77::20": "bank.example",
    "10.77.0.21": "alias.example",
    "10.77.0.22": "10.9.9.9",
    "10.77.0.23": "gone.example",
    "10.77.0.24": "stuck.slow.example",
}
ZONE = """
host-record=good.client.example,10.77.0.10
host-record=silent.client.example,10.77.0.11
host-record=six.client.example,fd77::10
host-record=bank.example,10.77.0.200,fd77::200
host-record=real.example,10.77.0.21
cname=alias.example,real.example
host-record=server.example,10.77.0.1
local=/example/
local=/10.in-addr.arpa/
local=/ip6.arpa/
server=/slow.example/127.0.0.1#5300
server=/9.77.10.in-addr.arpa/127.0.0.1#5300
""" + "".join(f"ptr-record={ipaddress.ip_address(address).reverse_pointer},{name}\n" for address, name in FORGED.items())

# What the daemon behind tcpd says of itself. Programs by their paths: the environment is part of what it tells.
REPORT = r"""
echo "argv $(/usr/bin/tr '\0' '|' </proc/$$/cmdline)"
echo "identity $(/usr/bin/id -u) $(/usr/bin/id -g) $(/usr/bin/id -G)"
echo "umask $(umask)"
echo "nice $(/usr/bin/nice)"
for fd in 0 1 2; do
    case $(/usr/bin/readlink /proc/$$/fd/$fd) in socket:*) echo "fd $fd connection" ;; *) echo "fd $fd other" ;; esac
done
/usr/bin/env | /usr/bin/sort | /usr/bin/sed 's/^/env /'
echo "pid $$"
echo END
"""


@dataclass
class Visit:
    """One connection of a client's, and what came of it."""

    client: str
    connection: socket.socket
    began: float = field(default_factory=time.monotonic)
    text: str = ""
    seconds: float = 0

    def wait(self) -> Visit:
        """Reads to the end of the connection."""
        return wait_for_all([self])[0]

    def take(self) -> bool:
        """What is there to read. False: that was all."""
        try:
            piece = self.connection.recv(65536)
        except ConnectionResetError:
            piece = b""  # how a connection ends whose other end has not read all
        self.text += piece.decode()
        return bool(piece)

    @property
    def is_granted(self) -> bool:
        return self.text.endswith("END\n")

    def lines(self, word: str) -> list[str]:
        return [line.removeprefix(word + " ") for line in self.text.splitlines() if line.startswith(word + " ")]

    @property
    def report(self) -> str:
        """Without what differs from run to run."""
        return "\n".join(line for line in self.text.splitlines() if not line.startswith("pid "))


def wait_for_all(visits: list[Visit]) -> list[Visit]:
    """Each one's seconds are its own, whoever else is waited for."""
    with selectors.DefaultSelector() as selector:
        for visit in visits:
            selector.register(visit.connection, selectors.EVENT_READ, visit)
        while selector.get_map():
            ready = selector.select(SAFETY_NET)
            assert ready, "connections stay open"
            for key, _ in ready:
                if not key.data.take():
                    key.data.seconds = time.monotonic() - key.data.began
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    return visits


class World:
    """The network, its name server and its ident servers."""

    def __init__(self, place: Path):
        if os.getuid() != 0:
            pytest.skip("needs root: makes namespaces")
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        self.tools = ftpds_directory()
        self.server, self.client = Network(), Network()
        join(self.server, self.client)
        self.server.add_address(f"{SERVER}/16")
        self.server.add_address(f"{SERVER_TOO}/16")
        self.server.add_address(f"{SERVER6}/64")
        for address in CLIENTS.values():
            self.client.add_address(address + ("/64" if ":" in address else "/16"))
        self.etc = make_etc(place, SERVER)
        self.machines: list[Machine] = []
        self.processes: list[subprocess.Popen] = []
        self.sockets: list[socket.socket] = []
        try:
            self.open_silent_ports()
            self.start_name_server()
            self.start_ident_server()
        except BaseException:
            self.close()
            raise

    def open_silent_ports(self) -> None:
        with self.server.entered():
            hole = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            hole.bind(("127.0.0.1", 5300))
        with self.client.entered():
            ident = socket.create_server((CLIENTS["silent"], 113))
        self.sockets += [hole, ident]

    def start(self, network: Network, *words, **options) -> subprocess.Popen:
        log = open(self.place / f"{Path(words[0]).name}.log", "wb")
        with log:
            process = subprocess.Popen(
                network.command(*words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_us,
                **options,
            )
        self.processes.append(process)
        return process

    def start_name_server(self) -> None:
        config = self.place / "dnsmasq.conf"
        config.write_text(
            "no-resolv\nno-hosts\nno-negcache\ncache-size=0\nuser=root\npid-file=\nlog-facility=-\nbind-interfaces\n"
            f"listen-address={SERVER}\n{ZONE}"
        )
        process = self.start(self.server, self.tools / "bin" / "dnsmasq", "--keep-in-foreground", f"--conf-file={config}")
        question = bytes.fromhex("123401000001000000000000") + b"\6server\7example\0" + bytes.fromhex("00010001")
        with self.server.entered():
            probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with probe:
            probe.settimeout(0.2)
            deadline = time.monotonic() + SAFETY_NET
            while True:
                assert process.poll() is None, (self.place / "dnsmasq.log").read_text()
                assert time.monotonic() < deadline, "the name server does not answer"
                try:
                    probe.sendto(question, (SERVER, 53))
                    probe.recv(512)
                    return
                except OSError:
                    pass

    def start_ident_server(self) -> None:
        addresses = [word for name in ("honest", "honest6") for word in ("--address", CLIENTS[name])]
        config = self.place / "oidentd.conf"
        config.write_text("")
        process = self.start(
            self.client, self.tools / "bin" / "oidentd", "--foreground", "--nosyslog", "--config", config, "--user", "0", "--group",
            "0", *addresses,
        )
        deadline = time.monotonic() + SAFETY_NET
        for name in ("honest", "honest6"):
            while True:
                assert process.poll() is None, (self.place / "oidentd.log").read_text()
                assert time.monotonic() < deadline, "the ident server does not answer"
                try:
                    self.connect(self.client, CLIENTS[name], 113).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)

    def connect(self, network: Network, host: str, port: int, source: str | None = None) -> socket.socket:
        with network.entered():
            return socket.create_connection((host, port), SAFETY_NET, (source, 0) if source else None)

    def visit(self, client: str, port: int, server: str = SERVER) -> Visit:
        source = CLIENTS[client]
        began = time.monotonic()
        return Visit(client, self.connect(self.client, SERVER6 if ":" in source else server, port, source), began)

    def machine(self, name: str, tcpd: Path) -> Machine:
        """With that program as /usr/sbin/tcpd."""
        sbin = self.place / name / "sbin"
        sbin.mkdir(parents=True)
        put_program(tcpd, sbin / "tcpd")
        put_program(Path("/bin/dash"), sbin / "in.testd")
        machine = Machine(self.server, self.place / name, self.etc, sbin)
        self.machines.append(machine)
        return machine

    def write(self, **files: str | None) -> None:
        """Below /etc, hosts_allow for hosts.allow; None: no such file."""
        for name, text in files.items():
            path = self.etc / name.replace("_", ".")
            if text is None:
                path.unlink(missing_ok=True)
                continue
            fresh = path.with_suffix(".new")  # renamed into place, so that nobody reads half of it
            fresh.write_text(text)
            fresh.rename(path)

    def close(self) -> None:
        for machine in self.machines:
            machine.close()
        self.client.close()
        self.server.close()
        for process in self.processes:
            process.wait(SAFETY_NET)
        for each in self.sockets:
            each.close()


def put_program(source: Path, target: Path) -> None:
    shutil.copy(source, target)
    target.chmod(0o755)


def debian_tcpd() -> Path:
    return ftpds_directory() / "root" / "usr" / "sbin" / "tcpd"


def safetp_tcpd() -> Path:
    return binary().parent / "safetp-tcpd"


def start_inetd(machine: Machine, config: str, name: str = "inetd.conf") -> subprocess.Popen:
    """Returns when it listens on every port of the configuration."""
    (machine.etc / name).write_text(config)
    launcher = ftpds_directory() / "bin" / "inetd"
    environment = {"PATH": "/usr/bin:/bin"} | {key: os.environ[key] for key in ("ASAN_OPTIONS",) if key in os.environ}
    with open(machine.place / "inetd.log", "wb") as log:
        return machine.start(launcher, "-d", "-i", f"/etc/{name}", stdout=log, stderr=log, env=environment)


def wait_for_listener(network: Network, host: str, port: int) -> None:
    """By connecting would start a service: the kernel's table tells."""
    deadline = time.monotonic() + SAFETY_NET
    table = "/proc/net/tcp6" if ":" in host else "/proc/net/tcp"
    while True:
        listing = subprocess.run(network.command("cat", table), capture_output=True, text=True, check=True).stdout
        if any(f":{port:04X} " in line and " 0A " in line for line in listing.splitlines()):
            return
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        time.sleep(0.05)
