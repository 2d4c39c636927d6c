"""Every program through every way to every server: old clients on one host, a network in between that is listened to, servers on
another host. safetpd there has an old server behind it, so that with it both ends are as they were and only the wire is new."""

from __future__ import annotations

import ftplib
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support import ftpds, tls_ftpds
from support.capture import Capture
from support.gateway import Gateway
from support.namespaces import Network, join
from support.proxy import Proxy, binary
from support.wire import assert_nothing_is_seen

pytestmark = pytest.mark.unsanitized  # what goes on inside is in the other tests of each way

IPV6 = "fd78:2::11"  # vsftpd's
SERVERS = {"vsftpd": "10.78.2.11", "proftpd": "10.78.2.12", "pure-ftpd": "10.78.2.13", "safetpd": "10.78.2.14"}
MARK = b"a content that nobody on the way may read\n"
CONTENT = MARK + random.Random("every").randbytes(60_000) + MARK
SECRETS = [ftpds.USER, ftpds.PASSWORD, "secret-orders", "secret-sent", MARK.decode()]

FTPLIB = """
import ftplib, sys
host, user, password, got, here = sys.argv[1:6]
ftp = ftplib.FTP()
ftp.connect(host, int(sys.argv[6]), 30)
ftp.login(user, password)
with open(got, "wb") as file:
    ftp.retrbinary("RETR secret-orders", file.write)
with open(here, "rb") as file:
    ftp.storbinary("STOR secret-sent", file)
ftp.quit()
"""


class Way:
    """How a program reaches its server: what it is given as host, port and user, and what stands before its command."""

    def __init__(self, network: Network, host: str, port: int = 21, user: str = ftpds.USER, prefix: list = ()):
        self.network, self.host, self.port, self.user, self.prefix = network, host, port, user, list(prefix)

    def start(self, *words, **options) -> None:
        command = ["nsenter", f"--net={self.network.path}", "--", *map(str, [*self.prefix, *words])]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, **options)
        assert done.returncode == 0, f"{words}\n{done.stdout.decode()[-3000:]}\n{done.stderr.decode()[-3000:]}"


def use_ftplib(way: Way, tools: dict, got: Path, here: Path) -> None:
    way.start(sys.executable, "-c", FTPLIB, way.host, way.user, ftpds.PASSWORD, got, here, way.port)


def use_ftp(way: Way, program: Path, got: Path, here: Path, *options: str) -> None:
    lines = [f"open {way.host} {way.port}", f"user {way.user} {ftpds.PASSWORD}", "binary"]
    lines += [f"get secret-orders {got}", f"put {here} secret-sent", "bye"]
    way.start(program, "-n", *options, input="\n".join(lines).encode() + b"\n")


def use_tnftp(way: Way, tools: dict, got: Path, here: Path) -> None:
    """It dials the address that it has dialled before."""
    use_ftp(way, tools["bin"] / "tnftp", got, here, "-p")


def use_tnftp_actively(way: Way, tools: dict, got: Path, here: Path) -> None:
    use_ftp(way, tools["bin"] / "tnftp", got, here, "-A")


def use_inetutils_ftp(way: Way, tools: dict, got: Path, here: Path) -> None:
    """Actively."""
    use_ftp(way, tools["bin"] / "inetutils-ftp", got, here)


def use_inetutils_ftp_passively(way: Way, tools: dict, got: Path, here: Path) -> None:
    """It insists that the address in the reply is the one that it has dialled."""
    use_ftp(way, tools["bin"] / "inetutils-ftp", got, here, "-p")


def use_ncftp(way: Way, tools: dict, got: Path, here: Path) -> None:
    login = ("-V", "-F", "-u", way.user, "-p", ftpds.PASSWORD, "-P", way.port)
    way.start(tools["bin"] / "ncftpget", *login, "-C", way.host, "secret-orders", got)
    way.start(tools["bin"] / "ncftpput", *login, "-C", way.host, here, "secret-sent")


def use_busybox(way: Way, tools: dict, got: Path, here: Path) -> None:
    """A static binary. It takes the address that it has dialled."""
    login = ("-u", way.user, "-p", ftpds.PASSWORD, "-P", way.port)
    busybox = tools["root"] / "bin" / "busybox"
    way.start(busybox, "ftpget", *login, way.host, got, "secret-orders")
    way.start(busybox, "ftpput", *login, way.host, "secret-sent", here)


def use_rclone(way: Way, tools: dict, got: Path, here: Path) -> None:
    """Go's runtime, which makes its system calls itself."""
    options = ("--config", "/dev/null", "--retries", 1, "--low-level-retries", 1, "--ignore-times", "--no-traverse")
    login = ("--ftp-host", way.host, "--ftp-port", way.port, "--ftp-user", way.user, "--ftp-pass", tools["hidden"])
    way.start("rclone", "copyto", *options, *login, ":ftp:secret-orders", got)
    way.start("rclone", "copyto", *options, *login, here, ":ftp:secret-sent")


PROGRAMS = [use_ftplib, use_tnftp, use_inetutils_ftp, use_ncftp, use_busybox, use_rclone]


def wire_up(world: World) -> None:
    for host, wire, net in ((world.client, "lan", 1), (world.led_client, "led", 3), (world.server_host, "wan", 2)):
        join(host, world.network, wire)
        host.add_address(f"10.78.{net}.2/24", wire)
        world.network.add_address(f"10.78.{net}.1/24", wire)
        host.run("ip", "route", "add", "10.78.0.0/16", "via", f"10.78.{net}.1")  # no way to a name server, so nobody waits for one
        host.add_address(f"fd78:{net}::2/64", wire)
        world.network.add_address(f"fd78:{net}::1/64", wire)
        host.run("ip", "route", "add", "fd78::/16", "via", f"fd78:{net}::1")
    world.network.set("net/ipv4/ip_forward", 1)
    world.network.set("net/ipv6/conf/all/forwarding", 1)
    for address in SERVERS.values():
        world.server_host.add_address(f"{address}/24", "wan")
    world.server_host.add_address(f"{IPV6}/64", "wan")


class World:
    def __init__(self, place: Path, certificate):
        self.things = []
        self.place = place
        place.chmod(0o755)
        # `led_client` has the rules of the transparent proxy, which would catch what the others do.
        self.client, self.led_client, self.network, self.server_host = (self.add(Network()) for _ in range(4))
        wire_up(self)
        with self.server_host.entered():
            self.servers = {name: self.start_server(name, certificate) for name in SERVERS}
            self.add(ftpds.Inetd(self.servers["vsftpd"], IPV6, 21))
        self.pins = place / "known_servers"
        self.proxies = {name: self.start_proxy(self.client, name, f"0.0.0.0:{2100 + number}", "--server", address)
                        for number, (name, address) in enumerate(SERVERS.items())}
        self.asking = self.start_proxy(self.client, "asking", "0.0.0.0:2121")
        rules = subprocess.run([binary(), "proxy", "--transparent", "--user", "nobody", "--print-rules"], capture_output=True, check=True)
        subprocess.run(["nsenter", f"--net={self.led_client.path}", "--", "nft", "-f", "-"], input=rules.stdout, check=True)
        self.start_proxy(self.led_client, "transparent", "2121", "--transparent")

    def add(self, thing):
        self.things.append(thing)
        return thing

    def start_server(self, name: str, certificate) -> ftpds.FtpServer:
        if name != "safetpd":
            server = tls_ftpds.make(name, self.place / name, certificate)
            self.add(ftpds.Inetd(server, SERVERS[name], 21))
            return server
        inetd = self.add(ftpds.Inetd(ftpds.make("vsftpd", self.place / "old")))
        gateway = Gateway(self.place / "gateway", certificate)
        gateway.change(server={"address": inetd.address, "port": inetd.port}, listener={"address": SERVERS[name], "port": 21})
        self.add(gateway).start()
        return inetd.server

    def start_proxy(self, network: Network, name: str, listen: str, *arguments: str) -> Proxy:
        proxy = self.add(Proxy(self.place / f"proxy-{name}", *arguments))
        at = proxy.command.index("--listen")
        proxy.command[at + 1] = listen
        with network.entered():
            return proxy.start()

    def way(self, way: str, name: str) -> Way:
        address = SERVERS[name]
        if way == "run":
            return self.run(address)
        if way == "proxy for one server":
            return Way(self.client, "127.0.0.1", self.proxies[name].port)
        if way == "proxy for many":
            return Way(self.client, "127.0.0.1", 2121, f"{ftpds.USER}@{address}")
        return Way(self.led_client, address)

    def run(self, address: str) -> Way:
        return Way(self.client, address, prefix=[binary(), "run", "--pins", self.pins, "--"])

    def close(self) -> None:
        for thing in reversed(self.things):
            thing.stop() if isinstance(thing, Gateway) else thing.close()


@pytest.fixture(scope="module")
def world(base_directory, certificate):
    made = World(Path(tempfile.mkdtemp(dir=base_directory)), certificate)
    yield made
    made.close()


@pytest.fixture(scope="module")
def tools():
    directory = ftpds.ftpds_directory()
    fetch = Path(__file__).resolve().parents[2] / "scripts" / "fetch-ftpds"
    subprocess.run([fetch, directory, "inetutils-ftp", "tnftp", "ncftp", "busybox-static"], check=True)
    if not shutil.which("rclone"):
        pytest.fail("rclone is not installed")
    hidden = subprocess.run(["rclone", "obscure", ftpds.PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
    return {"bin": directory / "bin", "root": directory / "root", "hidden": hidden}


def check(world: World, name: str, uses: list, tools: dict, directory: Path, way: Way) -> list[bytes]:
    """Each of them fetches and sends; gives what passed on the wire."""
    server, here = world.servers[name], directory / "here"
    server.put("secret-orders", CONTENT)
    here.write_bytes(CONTENT)
    with Capture(world.network, "wan") as capture:
        for use in uses:
            got, sent = directory / "got", server.home / "secret-sent"
            use(way, tools, got, here)
            assert got.exists() and got.read_bytes() == CONTENT, (name, use)
            assert sent.read_bytes() == CONTENT, (name, use)
            got.unlink()
            sent.unlink()
    return capture.streams()


def assert_streams_say_nothing(streams: list[bytes], sessions: int) -> None:
    assert sum(b"AUTH TLS\r\n" in stream for stream in streams) >= sessions
    for stream in streams:
        assert_nothing_is_seen(stream, SECRETS)


@pytest.mark.parametrize("way", ["run", "proxy for one server", "proxy for many", "transparent"])
def test_every_program(world, tools, directory, way):
    for name in SERVERS:
        streams = check(world, name, PROGRAMS, tools, directory, world.way(way, name))
        assert_streams_say_nothing(streams, len(PROGRAMS))


def test_run_in_other_modes(world, tools, directory):
    """Wherever a program believes its data connection to go, or to come from."""
    streams = check(world, "vsftpd", [use_tnftp_actively, use_inetutils_ftp_passively], tools, directory, world.way("run", "vsftpd"))
    assert_streams_say_nothing(streams, 2)
    streams = check(world, "vsftpd", [use_ftplib, use_tnftp, use_tnftp_actively], tools, directory, world.run(IPV6))
    assert_streams_say_nothing(streams, 3)


def test_the_capture_sees(world):
    """What the others rest on: without us all of it is there to be read."""
    with Capture(world.network, "wan") as capture, world.client.entered(), ftplib.FTP() as ftp:
        ftp.connect(SERVERS["vsftpd"], 21, 30)
        with pytest.raises(ftplib.error_perm):
            ftp.login(ftpds.USER, ftpds.PASSWORD)
    assert any(f"USER {ftpds.USER}\r\n".encode() in stream for stream in capture.streams())
