"""The file of known servers with many processes at once, processes that are killed, and full disks."""

import base64
import hashlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from support import ftpds, safetp
from support.client import SAFETY_NET
from support.namespaces import Holder
from support.proxy import Proxy
from support.safetp import Safetp
from support.scripted_tls import fingerprint, server_context, serving, url_of

LINE = re.compile(r"host-\d+\.example:21 SHA256:[A-Za-z0-9+/]{43} \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ by-hand - not-yet")


@pytest.fixture
def client(directory) -> Safetp:
    return Safetp(directory / "user")


def key(number: int) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(str(number).encode()).digest()).decode().rstrip("=")


def check_file(client: Safetp) -> set[str]:
    """Each line is whole, at every moment; gives the servers."""
    text = client.pins.read_text()
    assert text.endswith("\n")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in lines:
        assert LINE.fullmatch(line), f"not a whole line: {line!r}"
    servers = [line.split(":")[0] for line in lines]
    assert len(set(servers)) == len(servers)
    return set(servers)


def test_hundred_writers_and_some_killed(client):
    """Every one that said it was done is in the file, and the file is whole whenever it is read."""
    chance = random.Random(5)
    started = [client.start("pin", "add", f"host-{number}.example", key(number)) for number in range(100)]
    victims = chance.sample(started, 20)
    for victim in victims:
        if client.pins.exists():
            check_file(client)
        victim.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + SAFETY_NET
    while any(process.poll() is None for process in started) and time.monotonic() < deadline:
        if client.pins.exists():
            check_file(client)
    done = set()
    for number, process in enumerate(started):
        _, said = process.communicate(timeout=SAFETY_NET)
        assert process.returncode == 0 or (process in victims and process.returncode == -signal.SIGKILL), said
        if process.returncode == 0:
            done.add(f"host-{number}.example")
    assert len(done) >= 80
    assert check_file(client) >= done
    client.run("pin", "add", "host-100.example", key(100)).expect(safetp.OK)
    assert sorted(os.listdir(client.directory)) == ["known_servers", "known_servers.lock"]


def test_killed_in_the_middle_of_a_change(client):
    """At random moments of its life, some of which fall between two steps of the change."""
    client.run("pin", "add", "host-0.example", key(0)).expect(safetp.OK)
    chance = random.Random(6)
    started = time.monotonic()
    client.run("pin", "list").expect(safetp.OK)
    usual = time.monotonic() - started
    for number in range(1, 60):
        process = client.start("pin", "add", f"host-{number}.example", key(number), stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, 2 * usual))  # where it is then does not matter: the file is whole at every moment
        process.kill()
        process.communicate()
        assert "host-0.example" in check_file(client)
        if process.returncode == 0:
            assert f"host-{number}.example" in check_file(client)
    client.run("pin", "add", "host-99.example", key(99)).expect(safetp.OK)
    assert {"host-0.example", "host-99.example"} <= check_file(client)


def test_one_first_use_wins(client, play, certificate):
    """Processes that meet a server at the same time remember one key, and all of them accept it."""
    server = play(serving(server_context(certificate)))
    processes = [client.start("get", url_of(server) + "/file", "-o", f"file-{number}") for number in range(20)]
    for process in processes:
        out, said = process.communicate(timeout=SAFETY_NET)
        assert process.returncode == 0, said
    assert len(client.lines()) == 1


def test_full_disk_refuses_a_first_use(client, play, certificate):
    """A key that cannot be remembered cannot be checked the next time: nothing is sent, and the old file stays."""
    client.run("pin", "add", "host-0.example", key(0)).expect(safetp.OK)
    before = client.pins.read_bytes()
    server = play(serving(server_context(certificate)))
    limit = len(before) + 10
    finished = client.run(
        "get", url_of(server) + "/file", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    finished.expect(safetp.NOT_TRUSTED, "cannot be used", "File too large", "nothing was sent")
    assert finished.err.count("\n") == 1
    assert server.seen == [b"AUTH TLS"]
    assert client.pins.read_bytes() == before
    assert sorted(os.listdir(client.directory)) == ["known_servers", "known_servers.lock"]


def test_full_file_system(client, directory):
    """The same with a file system that is really full, and what was there is still there afterwards."""
    small = directory / "small"
    small.mkdir()
    script = (
        'mount -t tmpfs -o size=64k,mode=700 none "$1" && '
        '"$2" pin add --pins "$1/known" host-0.example "$3" && cp "$1/known" "$4" && '
        '{ cat /dev/zero >"$1/full" 2>/dev/null; "$2" pin add --pins "$1/known" host-1.example "$3"; code=$?; '
        'cmp "$1/known" "$4" && ls "$1" && exit $code; }'
    )
    finished = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", small, safetp.binary(), key(0), directory / "copy"],
        capture_output=True,
        text=True,
        timeout=SAFETY_NET,
    )
    assert finished.returncode == safetp.CANNOT_CREATE, finished.stderr + finished.stdout
    assert "No space left on device" in finished.stderr
    assert finished.stdout.split()[-3:] == ["full", "known", "known.lock"]


def test_files_of_others_are_refused(client, play, certificate):
    client.run("pin", "add", "host-0.example", key(0)).expect(safetp.OK)
    server = play(serving(server_context(certificate)))
    client.pins.chmod(0o666)
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "can be written by others", "chmod go-w")
    client.run("pin", "list").expect(safetp.CANNOT_CREATE, "chmod go-w")
    client.pins.chmod(0o600)
    if os.getuid() == 0:
        os.chown(client.pins, 12345, 12345)
        client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "belongs to another user")
        os.chown(client.pins, 0, 0)
    assert server.seen == [b"AUTH TLS"] * (2 if os.getuid() == 0 else 1)
    client.run("get", url_of(server) + "/file").expect(safetp.OK)


def test_damaged_line(client, play, certificate):
    """About this server: refused, with its place. About others: said by `pin list`, and kept."""
    server = play(serving(server_context(certificate)))
    client.pins.write_text(f"other.example SHA256:damaged\n127.0.0.1:{server.port} SHA256:damaged\n")
    client.pins.chmod(0o600)
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "known_servers:2", "cannot be understood")
    client.run("pin", "list").expect(safetp.OK, "known_servers:1: this line", "known_servers:2: this line")
    client.run("pin", "remove", f"127.0.0.1:{server.port}").expect(safetp.OK)
    client.run("get", url_of(server) + "/file").expect(safetp.OK)
    assert "other.example SHA256:damaged\n" in client.pins.read_text()


GARBAGE = {"zeros": bytes(4096), "words": b"lorem ipsum dolor sit amet\n", "program": b"\x7fELF\x02\x01\x01\n", "cut": b"ftp.exam"}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_file_that_was_replaced_by_garbage(client, play, certificate, garbage):
    """Guards against its servers counting as new, and the next key being believed."""
    server = play(serving(server_context(certificate)))
    name = f"127.0.0.1:{server.port}"
    client.run("get", url_of(server) + "/file").expect(safetp.OK)
    client.pins.write_bytes(garbage)
    seen = len(server.seen)
    refused = client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "known_servers:1", "names no server")
    command = f"safetp pin add --pins {client.pins} {name} {fingerprint(certificate)}"
    assert command in refused.err and server.seen[seen:] == [b"AUTH TLS"]
    assert client.pins.read_bytes() == garbage
    client.run("pin", "list").expect(safetp.OK, "known_servers:1: this line", "no unknown server is accepted")
    client.run("pin", "add", name, fingerprint(certificate)).expect(safetp.OK)
    client.run("get", url_of(server) + "/file").expect(safetp.OK)


def test_default_places(directory):
    """XDG_CONFIG_HOME, else ~/.config; for root one for the whole machine, which this test leaves alone by being nobody."""
    home = directory / "home"
    home.mkdir()
    program = shutil.copy(safetp.binary(), directory / "safetp")  # where everybody may start it
    somebody = []
    if os.getuid() == 0:
        os.chown(home, *ftpds.identity())
        uid, gid = ftpds.identity()
        somebody = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]

    def add(**environment):
        command = somebody + [program, "pin", "add", "host-0.example", key(0)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)} | environment
        subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)

    add()
    assert (home / ".config/safetp/known_servers").stat().st_mode & 0o777 == 0o600
    assert (home / ".config/safetp").stat().st_mode & 0o777 == 0o700
    add(XDG_CONFIG_HOME=str(home / "xdg"))
    assert (home / "xdg/safetp/known_servers").exists()
    add(XDG_CONFIG_HOME="relative")
    assert not (home / "relative").exists()
    (home / ".config/safetp/safetp.toml").write_text(f'known_servers = "{home}/elsewhere"\n')
    add()
    assert (home / "elsewhere").exists(), "where the configuration says"


def test_proxy_of_the_machine(start_tls_server, certificate, running, directory):
    """Its keys can be noted before it was ever started and while it serves, by root, with the very command that a refusal names."""
    if os.getuid() != 0:
        return  # it is root's
    server = start_tls_server("proftpd")
    known = "/var/lib/safetp-proxy/known_servers"
    holder = running.add(Holder(["--mount"], "mount -t tmpfs -o mode=755 none /var/lib"))
    here = ["nsenter", "-t", str(holder.pid), "--mount", f"--wd={directory}", "--"]
    program = shutil.copy(safetp.binary(), directory / "safetp")

    def pin(*words) -> None:
        subprocess.run([*here, program, "pin", *words], check=True, capture_output=True, timeout=SAFETY_NET)

    pin("add", "--pins", known, f"localhost:{server.port}", fingerprint(certificate))
    proxy = Proxy(directory / "proxy", "--strict", server=server)
    at = proxy.command.index("--pins")
    proxy.command = [*here, program, *proxy.command[1:at], *proxy.command[at + 2 :]]
    running.add(proxy).start().login(server.server).quit()
    pin("remove", "--pins", known, f"localhost:{server.port}")
    advice = re.search(r"run: safetp pin (add .*?)\.?$", proxy.connect().reply().text)[1]
    assert known in advice and fingerprint(certificate) in advice
    pin(*advice.split())
    proxy.login(server.server).quit()


def test_full_file_system_under_a_proxy(start_tls_server, running, directory):
    """The old client is told, and so is the log; nothing was sent, and all is well again when there is room again."""
    server = start_tls_server("proftpd")
    small = directory / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=16k,mode=755 none {small}; cat /dev/zero >{small}/full 2>&- || chown -R nobody {small}"
    holder = running.add(Holder(["--mount"], mount))
    here = ["nsenter", "-t", str(holder.pid), "--mount", f"--wd={directory}", "--"]
    proxy = Proxy(directory / "proxy", server=server)
    proxy.command = [*here, *proxy.command]
    proxy.command[proxy.command.index("--pins") + 1] = f"{small}/known_servers"
    running.add(proxy).start()
    refused = proxy.connect().reply()
    assert refused.code == 421 and len(refused.lines) == 1, refused
    for told in (refused.text, proxy.log()):
        assert re.search("list of known servers cannot be used.*nothing was sent.*No space left on device", told), told
    subprocess.run([*here, "rm", f"{small}/full"], check=True)
    proxy.login(server.server).quit()
