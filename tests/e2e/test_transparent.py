"""safetp proxy --transparent: programs that do not know of it, on the machine itself and behind a gateway, with the very rules that
--print-rules prints. The server speaks TLS or nothing: a login in clear is refused, so what arrives has gone through the proxy."""

from __future__ import annotations

import contextlib
import ftplib
import io
import random
import re
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from support import ftpds, tls_ftpds
from support.client import FtpClient
from support.namespaces import Network, join
from support.proxy import Proxy, binary
from support.wire import assert_nothing_is_seen

CONTENT = random.Random(11).randbytes(300_000)
NEIGHBOUR = {4: "10.77.1.3", 6: "fd77:1::3"}  # the client's other address
GATEWAY = {4: "10.77.1.1", 6: "fd77:1::1"}
SERVER = {4: "10.77.2.2", 6: "fd77:2::2"}
DATA_PORTS = "50000-50020"


def in_network(network: Network, *words) -> list[str]:
    """Without a process between the test and the program."""
    return ["nsenter", f"--net={network.path}", "--", *map(str, words)]


def run(network: Network, *words, **options) -> subprocess.CompletedProcess:
    result = subprocess.run(in_network(network, *words), capture_output=True, timeout=60, **options)
    assert result.returncode == 0, f"{words}\n{result.stdout.decode()[-3000:]}\n{result.stderr.decode()[-3000:]}"
    return result


def wire_up(client: Network, gateway: Network, server: Network) -> None:
    join(client, gateway, "lan")
    join(gateway, server, "wan")
    for network, wire, third, last in ((client, "lan", 1, 2), (gateway, "lan", 1, 1), (gateway, "wan", 2, 1), (server, "wan", 2, 2)):
        network.add_address(f"10.77.{third}.{last}/24", wire)
        network.add_address(f"fd77:{third}::{last}/64", wire)
    client.add_address(f"{NEIGHBOUR[4]}/24", "lan")
    # Deprecated, so that it is used by nobody who does not ask for it (RFC 6724 section 5, rule 3).
    client.run("ip", "address", "add", f"{NEIGHBOUR[6]}/64", "dev", "lan", "nodad", "preferred_lft", 0)
    gateway.set("net/ipv4/ip_forward", 1)
    gateway.set("net/ipv6/conf/all/forwarding", 1)
    for network, third in ((client, 1), (server, 2)):
        network.run("ip", "route", "add", "default", "via", f"10.77.{third}.1")
        network.run("ip", "-6", "route", "add", "default", "via", f"fd77:{third}::1")


def load_rules(network: Network, *arguments: str) -> str:
    """As a person does who reads what is printed: nft's part to nft, and the lines for ip typed."""
    rules = subprocess.run([binary(), "proxy", *arguments, "--print-rules"], capture_output=True, text=True, check=True).stdout
    run(network, "nft", "-f", "-", input=rules.encode())
    run(network, "nft", "-f", "-", input=rules.encode())  # a second time replaces the first
    for line in re.findall(r"^#   (ip .* add .*)$", rules, re.MULTILINE):
        run(network, *line.split())
    return rules


class World:
    """A client, a gateway with the proxy, a server; or, without an interface, the proxy on the client's machine."""

    def __init__(self, place: Path, certificate, how: str, interface: str = "lan"):
        self.things = []
        place.chmod(0o755)
        self.client, self.gateway, self.server_host = (self.add(Network()) for _ in range(3))
        wire_up(self.client, self.gateway, self.server_host)
        self.server = tls_ftpds.make("vsftpd", place / "vsftpd", certificate)
        with self.server_host.entered():
            self.inetds = {family: self.add(ftpds.Inetd(self.server, SERVER[family], 21)) for family in (4, 6)}
        self.server.put("there", CONTENT)
        self.here = place / "here"
        self.here.write_bytes(CONTENT)
        self.proxy_host = self.gateway if interface else self.client
        arguments = [f"--transparent={how}", "--data-ports", DATA_PORTS, "--user", "nobody"]
        arguments += ["--interface", interface] if interface else []
        self.rules = load_rules(self.proxy_host, *arguments)
        self.proxy = self.add(Proxy(place / "proxy"))
        pins = ("--pins", self.proxy.pins, "--debug")
        self.proxy.command = in_network(self.proxy_host, binary(), "proxy", *arguments, *pins)
        self.proxy.start()

    def add(self, thing):
        self.things.append(thing)
        return thing

    def close(self) -> None:
        for thing in reversed(self.things):
            thing.close()

    def check(self, got: Path) -> None:
        assert got.exists() and got.read_bytes() == CONTENT
        got.unlink()
        sent = self.server.home / "sent"
        assert sent.read_bytes() == CONTENT
        sent.unlink()


@pytest.fixture(scope="module", params=["redirect", "tproxy"])
def gateway(request, base_directory, certificate):
    world = World(Path(tempfile.mkdtemp(dir=base_directory)), certificate, request.param)
    world.how = request.param
    yield world
    world.close()


@pytest.fixture(scope="module")
def local(base_directory, certificate):
    world = World(Path(tempfile.mkdtemp(dir=base_directory)), certificate, "redirect", interface="")
    yield world
    world.close()


@pytest.fixture(scope="module")
def programs():
    root = Path(__file__).resolve().parents[2]
    directory = ftpds.ftpds_directory()
    subprocess.run([root / "scripts" / "fetch-ftpds", directory, "inetutils-ftp", "tnftp", "ncftp", "busybox-static"], check=True)
    return directory / "bin"


def use_ftplib(world: World, family: int, is_passive: bool) -> None:
    with world.client.entered(), ftplib.FTP() as ftp:
        ftp.connect(SERVER[family], 21, 30)
        ftp.login(world.server.user, world.server.password)
        ftp.set_pasv(is_passive)
        received = []
        ftp.retrbinary("RETR there", received.append)
        assert b"".join(received) == CONTENT
        ftp.storbinary("STOR sent", io.BytesIO(CONTENT))
        assert "there" in ftp.nlst()
        ftp.quit()
    sent = world.server.home / "sent"
    assert sent.read_bytes() == CONTENT
    sent.unlink()


def use_ftp(world: World, program: Path, directory: Path, options: list[str], family: int, commands=()) -> None:
    got = directory / "got"
    lines = [f"open {SERVER[family]}", f"user {world.server.user} {world.server.password}", *commands, "binary"]
    lines += [f"get there {got}", f"put {world.here} sent", "bye"]
    result = run(world.client, program, "-n", *options, input="\n".join(lines).encode() + b"\n")
    assert got.exists(), result.stdout.decode() + result.stderr.decode()
    world.check(got)


MODES = pytest.mark.parametrize("mode", ["passive", "active"])
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@MODES
@FAMILIES
def test_ftplib(gateway, family, mode):
    use_ftplib(gateway, family, mode == "passive")


@MODES
@FAMILIES
def test_tnftp(gateway, programs, directory, family, mode):
    use_ftp(gateway, programs / "tnftp", directory, ["-p" if mode == "passive" else "-A"], family)


def test_tnftp_with_pasv(gateway, programs, directory):
    use_ftp(gateway, programs / "tnftp", directory, ["-p"], 4, commands=["epsv4"])


@MODES
@FAMILIES
def test_inetutils_ftp(gateway, programs, directory, family, mode):
    use_ftp(gateway, programs / "inetutils-ftp", directory, ["-p"] if mode == "passive" else [], family)


def test_ncftp(gateway, programs, directory):
    """It knows IPv4 only; -F is PASV and -E is PORT, where it wants to be called from the server's own address."""
    sent = directory / "sent"
    sent.write_bytes(CONTENT)
    for mode in ("-F", "-E") if gateway.how == "tproxy" else ("-F",):
        login = (mode, "-V", "-u", gateway.server.user, "-p", gateway.server.password)
        run(gateway.client, programs / "ncftpget", *login, SERVER[4], directory, "there")
        run(gateway.client, programs / "ncftpput", *login, SERVER[4], "/", sent)
        gateway.check(directory / "there")


@FAMILIES
def test_busybox(gateway, programs, directory, family):
    login = ("-u", gateway.server.user, "-p", gateway.server.password)
    busybox = programs.parent / "root" / "bin" / "busybox"
    run(gateway.client, busybox, "ftpget", *login, SERVER[family], directory / "there", "there")
    run(gateway.client, busybox, "ftpput", *login, SERVER[family], "sent", gateway.here)
    gateway.check(directory / "there")


@FAMILIES
def test_addresses(gateway, family):
    """The client sees only the server; with tproxy also in active mode. The server sees only the gateway, and remembered is the
    address that was dialled."""
    with gateway.client.entered():
        client = FtpClient(21, host=SERVER[family]).greet().login(gateway.server.user, gateway.server.password)
        if family == 4:
            assert client.passive("PASV")[0] == SERVER[4]
        listener = client.active("EPRT")
        client.expect("LIST", 150)
        listener.settimeout(30)
        data, peer = listener.accept()
        data.close()
        listener.close()
        client.reply()
        client.close()
    assert peer[0] == (SERVER if gateway.how == "tproxy" else GATEWAY)[family]
    with gateway.inetds[family].lock:
        seen = {address for address, _ in gateway.inetds[family].peers}
    assert seen == {{4: "10.77.2.1", 6: "fd77:2::1"}[family]}
    name = f"[{SERVER[6]}]" if family == 6 else SERVER[4]
    assert f"{name}:21 SHA256:" in gateway.proxy.pins.read_text()


def drain(capture: socket.socket) -> bytes:
    capture.setblocking(False)
    frames = []
    with contextlib.suppress(BlockingIOError):
        while True:
            frames.append(capture.recv(65536))
    return b"\n".join(frames)


@MODES
@FAMILIES
def test_on_the_wire(gateway, family, mode):
    """What arrives at the server, packet by packet, names nobody and nothing."""
    secret = b"a-content-that-nobody-may-read"
    gateway.server.put("a-telling-name", secret)
    with gateway.server_host.entered():
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    capture.bind(("wan", 0))
    with capture, gateway.client.entered(), ftplib.FTP() as ftp:
        ftp.connect(SERVER[family], 21, 30)
        ftp.login(gateway.server.user, gateway.server.password)
        ftp.set_pasv(mode == "passive")
        received = []
        ftp.retrbinary("RETR a-telling-name", received.append)
        ftp.quit()
        seen = drain(capture)
    assert b"".join(received) == secret
    assert b"AUTH TLS" in seen
    assert_nothing_is_seen(seen, [gateway.server.user, gateway.server.password, "a-telling-name", secret])


@FAMILIES
def test_called_by_its_own_name(gateway, family):
    """No loop, and no server to go to."""
    with gateway.client.entered():
        client = FtpClient(2121, host=GATEWAY[family])
    reply = client.reply()
    assert reply.code == 421 and "redirected" in str(reply)
    client.close()


@FAMILIES
def test_own_ftp_server_of_the_gateway(gateway, family):
    """Nobody listens on its port 21: refused by the kernel, and not answered by the proxy."""
    with gateway.client.entered(), pytest.raises(ConnectionRefusedError):
        FtpClient(21, host=GATEWAY[family])


@FAMILIES
def test_other_connections_are_left_alone(gateway, family):
    """In the range of data ports, but between two that have not spoken FTP with each other: nobody redirects that."""
    with gateway.server_host.entered():
        address_family = socket.AF_INET6 if family == 6 else socket.AF_INET
        listener = socket.create_server((SERVER[family], 50001), family=address_family)
    with listener, gateway.client.entered():
        with socket.create_connection((SERVER[family], 50001), 30, source_address=(NEIGHBOUR[family], 0)):
            listener.settimeout(30)
            accepted, peer = listener.accept()
            accepted.close()
    assert peer[0] == NEIGHBOUR[family]


def test_rights(gateway):
    """Of root nothing is left but, for tproxy, the right to stand in for other addresses."""
    status = Path(f"/proc/{gateway.proxy.process.pid}/status").read_text()
    kept = {"redirect": 0, "tproxy": 1 << 13}[gateway.how]
    assert int(re.search(r"CapPrm:\s*(\w+)", status)[1], 16) == kept
    assert int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) == kept
    assert re.search(r"Uid:\s*(\d+)", status)[1] != "0"


def test_too_many_pairs(base_directory, certificate):
    """When the sets of who speaks with whom are full, a session does not begin: its data connections would go out in clear."""
    world = World(Path(tempfile.mkdtemp(dir=base_directory)), certificate, "redirect")
    try:
        run(world.gateway, "nft", "-f", "-", input=world.rules.replace("size 65535", "size 1").encode())
        others = {4: "{ 10.9.9.9 . 10.9.9.9 }", 6: "{ fd99::1 . fd99::1 }"}
        for family, pair in others.items():
            run(world.gateway, "nft", "add", "element", "inet", "safetp", f"pairs{family}", pair)
            with world.client.entered(), pytest.raises(TimeoutError):
                FtpClient(21, host=SERVER[family], timeout=1)
            run(world.gateway, "nft", "delete", "element", "inet", "safetp", f"pairs{family}", pair)
            with world.client.entered():
                FtpClient(21, host=SERVER[family]).greet().close()
    finally:
        world.close()


@MODES
@FAMILIES
def test_this_machine(local, programs, directory, family, mode):
    use_ftplib(local, family, mode == "passive")
    use_ftp(local, programs / "tnftp", directory, ["-p" if mode == "passive" else "-A"], family)


def test_this_machine_with_pasv(local, programs, directory):
    use_ftp(local, programs / "tnftp", directory, ["-p"], 4, commands=["epsv4"])


def test_rules_know_the_data_ports():
    """Without them passive data connections would pass the proxy by."""
    for arguments, ports in (([], "50000-50999"), (["--data-ports", DATA_PORTS], DATA_PORTS)):
        for way in (["--transparent"], ["--transparent=tproxy", "--interface", "lan"]):
            command = [binary(), "proxy", *way, *arguments, "--user", "nobody", "--print-rules"]
            rules = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert set(re.findall(r"dport (\d+-\d+)", rules)) == {ports}, rules


def test_rules_are_undone_as_they_say(local, directory):
    assert "nft delete table inet safetp" in local.rules
    alone = Network()
    try:
        load_rules(alone, "--transparent", "--user", "nobody")
        run(alone, *"nft delete table inet safetp".split())
        assert run(alone, "nft", "list", "ruleset").stdout == b""
    finally:
        alone.close()


def test_the_server_wants_tls(local):
    """What all the others rest on."""
    with local.server_host.entered():
        client = FtpClient(21, host=SERVER[4]).greet()
    client.expect(f"USER {local.server.user}", 530)
    client.close()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--transparent", "--server", "ftp.example.com"], "exclude each other"),
        (["--transparent=tproxy"], "needs --interface"),
        (["--transparent=nat"], "redirect"),
        (["--transparent", "--interface", 'lan" drop'], "not the name"),
        (["--transparent=tproxy", "--interface", ""], "needs --interface"),
        (["--print-rules"], "--transparent"),
        (["--interface", "lan"], "--transparent"),
        (["--transparent", "--listen", "21", "--print-rules"], "another port"),
        (["--transparent", "--listen", "0", "--print-rules"], "not 0"),
        (["--transparent", "--data-ports", "50999-50000", "--print-rules"], "FIRST-LAST"),
        (["--transparent", "--data-ports", "80-90", "--print-rules"], "FIRST-LAST"),
        (["--transparent", "--port", "0", "--print-rules"], "--port"),
    ],
)
def test_mistakes(arguments, words):
    result = subprocess.run([binary(), "proxy", "--user", "nobody", *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode == 64 and words in result.stderr and result.stdout == ""
