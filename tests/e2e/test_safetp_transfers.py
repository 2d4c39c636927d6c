"""safetp get, put and ls with real servers: those with TLS of their own, and safetpd before one that has none."""

import os
import random
import signal
import subprocess
import time

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
            gateway = start_gateway(inetd, listener={"security": "implicit"} if implicit else {})
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
