"""safetp get, put and ls with real servers: those with TLS of their own, and safetpd before one that has none."""

import fcntl
import os
import random
import signal
import subprocess

import pytest

from support import ftpds, safetp
from support.client import SAFETY_NET
from support.safetp import Safetp

SERVERS = ["vsftpd", "proftpd", "pure-ftpd", "safetpd"]


@pytest.fixture
def client(directory) -> Safetp:
    return Safetp(directory / "user")


@pytest.fixture
def start_secure(directory, running, certificate, start_server, start_gateway):
    """start_secure("vsftpd") -> (URL's beginning, the served server)."""

    def start(name: str, implicit: bool = False, certificate=certificate):
        if name == "safetpd":
            inetd = start_server()
            gateway = start_gateway(inetd, listener={"implicit_tls": True} if implicit else {})
            server, port = inetd.server, gateway.port
        else:
            server = safetp.make_with_tls(name, directory / f"secure-{len(running.things)}", certificate, implicit)
            port = running.add(ftpds.Inetd(server)).port
        return f"{'ftps' if implicit else 'ftp'}://{server.user}@127.0.0.1:{port}", server

    return start


@pytest.fixture(params=SERVERS)
def secure(request, start_secure):
    return start_secure(request.param)


def test_everything(secure, client):
    """Up, down, a listing: with each server's own rules for the data connection's session."""
    url, server = secure
    content = random.Random(1).randbytes(700_000)
    (client.directory / "up.bin").write_bytes(content)
    client.run("put", "up.bin", url + "/").expect(safetp.OK, "first time", "SHA256:")
    assert (server.home / "up.bin").read_bytes() == content
    finished = client.run("get", url + "/up.bin", "-o", "down.bin").expect(safetp.OK)
    assert finished.err == "", "the key is known: nothing to say"
    assert (client.directory / "down.bin").read_bytes() == content
    assert sorted(os.listdir(client.directory)) == ["down.bin", "known_servers", "known_servers.lock", "up.bin"]
    assert b"up.bin" in client.run("ls", url + "/").expect(safetp.OK).out
    assert set(client.run("ls", "-1", url).expect(safetp.OK).out.split()) - {b".", b".."} == {b"up.bin"}
    assert client.run("get", url + "/up.bin", "-o", "-").expect(safetp.OK).out == content
    client.run("put", "-", url + "/piped", input=b"from a pipe").expect(safetp.OK)
    assert (server.home / "piped").read_bytes() == b"from a pipe"
    client.run("put", "-", url + "/empty", input=b"").expect(safetp.OK)
    client.run("get", url + "/empty").expect(safetp.OK)
    assert (client.directory / "empty").read_bytes() == b""


def test_resume(secure, client):
    url, server = secure
    content = random.Random(2).randbytes(300_000)
    path = server.put("file", content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    part = client.directory / "file.part"
    part.write_bytes(content[:123_456])
    os.utime(part, (1_700_000_000, 1_700_000_000))
    finished = client.run("get", "-v", "-c", url + "/file").expect(safetp.OK, "> REST 123456")
    assert "anew" not in finished.err
    assert (client.directory / "file").read_bytes() == content
    (server.home / "file").write_bytes(content[:100_000])
    client.run("put", "-c", "file", url + "/").expect(safetp.OK)
    assert (server.home / "file").read_bytes() == content


@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "safetpd"])
def test_implicit(start_secure, client, name):
    url, server = start_secure(name, implicit=True)
    server.put("file", b"content")
    client.run("get", url + "/file").expect(safetp.OK)
    assert (client.directory / "file").read_bytes() == b"content"


def test_exit_codes(start_secure, client):
    """A script can tell what went wrong, and each is one sentence."""
    url, server = start_secure("proftpd")
    client.run("get", url + "/missing").expect(safetp.FAILURE, "refused", "550")
    assert not [name for name in os.listdir(client.directory) if name.startswith("missing")]
    client.run("put", "nothing-here", url + "/").expect(safetp.NO_INPUT, "nothing-here")
    client.run("put", ".", url + "/x").expect(safetp.NO_INPUT, "directory")
    client.run("put", "-", url + "/no/such/place/x", input=b"x").expect(safetp.FAILURE, "refused")
    client.run("get", url + "/").expect(safetp.USAGE, "directory")
    client.run("get", url + "/file", "-o", "no/such/place").expect(safetp.CANNOT_CREATE, "no/such/place")
    client.run("get", "http://localhost/file").expect(safetp.USAGE, "ftp://")
    client.run("get", url + "/a%0d%0aDELE%20b").expect(safetp.USAGE, "URL")
    client.run("get", url).expect(safetp.USAGE)
    client.run("get", url + "/file", "--policy", "any").expect(safetp.USAGE)
    client.run("ls", "ftp://127.0.0.1:1/").expect(safetp.UNREACHABLE, "127.0.0.1:1 cannot be reached")
    client.run("ls", "ftp://no-such-host.invalid/").expect(safetp.UNREACHABLE, "no-such-host.invalid:21")
    wrong = Safetp(client.directory, SAFETP_PASSWORD="wrong")
    wrong.run("ls", url).expect(safetp.LOGIN_FAILED, "does not accept")
    nobody = Safetp(client.directory)
    del nobody.environment["SAFETP_PASSWORD"]
    nobody.run("ls", url).expect(safetp.LOGIN_FAILED, "SAFETP_PASSWORD")


def test_netrc(start_secure, client):
    url, server = start_secure("proftpd")
    del client.environment["SAFETP_PASSWORD"]
    netrc = client.directory / ".netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin {server.user}\npassword {server.password}\n")
    netrc.chmod(0o600)
    client.run("ls", url).expect(safetp.OK)
    client.run("ls", url.replace(f"{server.user}@", "")).expect(safetp.OK)
    netrc.chmod(0o644)
    client.run("ls", url).expect(safetp.LOGIN_FAILED, "chmod 600")


def test_environments_proxy_is_not_used(start_secure, client):
    """libcurl would speak plain HTTP with it, password included."""
    url, _ = start_secure("proftpd")
    client.environment |= {"ftp_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"}
    client.run("ls", url).expect(safetp.OK)


def test_special_file_is_written_not_replaced(start_secure, client):
    """-o /dev/null as root must not put a file in the device's place."""
    url, server = start_secure("proftpd")
    server.put("file", b"content")
    fifo = client.directory / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    client.run("get", url + "/file", "-o", fifo).expect(safetp.OK)
    assert reader.communicate(timeout=SAFETY_NET)[0] == b"content"
    assert fifo.is_fifo()


def test_full_disk(start_secure, client):
    """The part stays for another try, and nothing has the file's name."""
    url, server = start_secure("proftpd")
    server.put("file", bytes(400_000))
    limited = ["sh", "-c", 'ulimit -f 200; exec "$@"', "sh"]  # 102,400 bytes
    command = client.command("get", url + "/file")
    process = subprocess.run(limited + command, cwd=client.directory, env=client.environment, capture_output=True, text=True)
    assert process.returncode == safetp.CANNOT_CREATE, process.stderr
    assert "File too large" in process.stderr
    assert not (client.directory / "file").exists()
    client.run("get", "-c", url + "/file").expect(safetp.OK)
    assert (client.directory / "file").read_bytes() == bytes(400_000)


def test_two_downloads_of_one_file(start_secure, client):
    url, server = start_secure("proftpd")
    server.put("file", b"content")
    with open(client.directory / "file.part", "wb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        client.run("get", url + "/file").expect(safetp.CANNOT_CREATE, "another process")
    client.run("get", url + "/file").expect(safetp.OK)


def test_interrupted_upload(start_secure, client):
    """On a signal safetp ends in order and says so; the server must not take what came for the whole file."""
    url, server = start_secure("safetpd")
    process = client.start("put", "-v", "-", url + "/half", stdin=subprocess.PIPE)
    process.stdin.write(bytes(100_000))
    process.stdin.flush()
    said = b""
    while b"< 150" not in said:
        said += os.read(process.stderr.fileno(), 65536)
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=SAFETY_NET)  # closes its input too, which must not look like the end
    assert process.returncode == safetp.TRY_AGAIN, said + rest
    assert b"broke off" in rest and b"226" not in rest


def test_part_of_another_version_is_not_continued(start_secure, client):
    url, server = start_secure("proftpd")
    new = random.Random(4).randbytes(50_000)
    for old_size in (10_000, 50_000, 60_000):
        server.put("file", new)
        part = client.directory / "file.part"
        part.write_bytes(bytes(old_size))
        os.utime(part, (1_600_000_000, 1_600_000_000))
        client.run("get", "-c", url + "/file").expect(safetp.OK, "anew")
        assert (client.directory / "file").read_bytes() == new


def test_upload_is_not_continued_behind_its_own_end(start_secure, client):
    url, server = start_secure("proftpd")
    server.put("file", b"longer than ours")
    (client.directory / "file").write_bytes(b"short")
    client.run("put", "-c", "file", url + "/").expect(safetp.NO_INPUT, "longer")
    assert (server.home / "file").read_bytes() == b"longer than ours"
    (client.directory / "file").write_bytes(b"longer than ours")
    client.run("put", "-c", "file", url + "/").expect(safetp.OK)
    assert (server.home / "file").read_bytes() == b"longer than ours"


@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pure-ftpd"])
def test_many_uploads(start_secure, client, name):
    """An end that is too hasty loses the last bytes, or makes the server say 426, now and then."""
    url, server = start_secure(name)
    for size in [0, 1, 16384, 700_000] * 5:
        content = random.Random(size).randbytes(size)
        (client.directory / "file").write_bytes(content)
        client.run("put", "file", url + "/").expect(safetp.OK)
        assert (server.home / "file").read_bytes() == content


def test_names_that_urls_have_signs_for(start_secure, client):
    """RFC 1738 lets a path hold "?", so it is a part of the name; "#" must be written %23, and nothing is left away silently."""
    url, server = start_secure("proftpd")
    server.put("report", b"the old report")
    (client.directory / "x").write_bytes(b"content")
    client.run("put", "x", url + "/report?v=2").expect(safetp.OK)
    assert (server.home / "report?v=2").read_bytes() == b"content"
    client.run("get", url + "/report?v=2").expect(safetp.OK)
    assert (client.directory / "report?v=2").read_bytes() == b"content"
    client.run("put", "x", url + "/report#2").expect(safetp.USAGE, "%23")
    client.run("get", url + "/report#2").expect(safetp.USAGE, "%23")
    client.run("put", "x", url + "/a;type=i").expect(safetp.OK)
    client.run("put", "x", url + "/b;type=a").expect(safetp.USAGE, "type=i")
    client.run("put", "x", url + "/c%3Btype=a").expect(safetp.OK)
    (server.home / "d;type=a").mkdir()
    os.chmod(server.home / "d;type=a", 0o777)
    client.run("put", "x", url + "/d;type=a/e").expect(safetp.OK)
    assert server.home.joinpath("d;type=a", "e").read_bytes() == b"content"
    assert (server.home / "report").read_bytes() == b"the old report"
    assert sorted(os.listdir(server.home)) == ["a", "c;type=a", "d;type=a", "report", "report?v=2"]


def test_netrc_that_is_not_understood(start_secure, client):
    """A password that begins with "#" is sent; one that is missing is not sent as an empty one."""
    url, server = start_secure("proftpd")
    del client.environment["SAFETP_PASSWORD"]
    netrc = client.directory / ".netrc"

    def ls(text: str):
        netrc.write_text(text)
        netrc.chmod(0o600)
        return client.run("ls", "-v", url)

    for text in (f"machine 127.0.0.1 login {server.user} password", f"machine 127.0.0.1 login {server.user} password\nmachine x"):
        assert "> USER" not in ls(text).expect(safetp.LOGIN_FAILED, ".netrc, line 1", "password has no value").err
    assert "> USER" not in ls(f"machine 127.0.0.1 login {server.user}").expect(safetp.LOGIN_FAILED, "no password").err
    ls(f"machine 127.0.0.1 login {server.user} # he\npassword {server.password} # secret").expect(safetp.OK)


def test_part_with_another_name(start_secure, client):
    """Guards against writing through a link that somebody has put there."""
    url, server = start_secure("proftpd")
    server.put("file", b"content")
    (client.directory / "precious").write_bytes(b"precious")
    os.link(client.directory / "precious", client.directory / "file.part")
    client.run("get", url + "/file").expect(safetp.CANNOT_CREATE, "hard link", "remove it")
    client.run("get", "-c", url + "/file").expect(safetp.CANNOT_CREATE, "hard link")
    assert (client.directory / "precious").read_bytes() == b"precious"
    os.unlink(client.directory / "file.part")
    if os.getuid() == 0:
        (client.directory / "file.part").write_bytes(b"")
        os.chown(client.directory / "file.part", 12345, 12345)
        client.run("get", url + "/file").expect(safetp.CANNOT_CREATE, "another user")


def test_words_too_many(client):
    """Each says what it takes, and nothing is sent."""
    client.run("get", "ftp://127.0.0.1:1/a", "ftp://127.0.0.1:1/b").expect(safetp.USAGE, "get fetches one file", "127.0.0.1:1/b")
    client.run("put", "a", "b", "ftp://127.0.0.1:1/").expect(safetp.USAGE, "put sends one file")
    client.run("ls", "ftp://127.0.0.1:1/a", "ftp://127.0.0.1:1/b").expect(safetp.USAGE, "ls shows one directory")
    said = client.run("put", ".", "ftp://127.0.0.1:1/x").expect(safetp.NO_INPUT, "is a directory: put sends one file").err
    assert "file cannot be used" not in said
