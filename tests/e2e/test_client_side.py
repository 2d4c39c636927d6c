"""safetp proxy between plain clients and real servers that insist on TLS."""

import os
import random

import pytest

from support.client import FtpClient

SERVERS = ["vsftpd", "proftpd", "pure-ftpd"]
VERSIONS = ["1.2", "1.3"]
MODES = ("EPSV", "PASV", "EPRT", "PORT")


def exercise(client: FtpClient, server, modes=MODES) -> None:
    """An everyday session of an old client: all modes, listing, an empty file, refusals, and more transfers than a TLS 1.3
    server gives tickets."""
    for mode in modes:
        content = random.Random(mode).randbytes(300_000)
        client.upload(f"STOR file-{mode}", content, mode)
        assert (server.home / f"file-{mode}").read_bytes() == content
        assert client.download(f"RETR file-{mode}", mode) == content
        assert f"file-{mode}".encode() in client.download("NLST", mode)
    client.upload("STOR empty", b"")
    assert client.download("RETR empty") == b""
    data = client.connect_data(client.passive())
    client.expect("RETR missing", 550)
    data.close()
    for number in range(6):
        client.upload(f"STOR small-{number}", b"x" * number)
        assert client.download(f"RETR small-{number}") == b"x" * number
    client.expect("QUIT", 221)
    assert client.receive() == b""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SERVERS)
def test_old_client_and_secure_server(start_tls_server, start_proxy, name, version):
    """The whole purpose: a client that knows no TLS, a server that refuses everything else, defaults on both ends."""
    inetd = start_tls_server(name, version=version)
    proxy = start_proxy(server=inetd)
    exercise(proxy.login(inetd.server), inetd.server)
    assert "TLSv" in proxy.log()
