"""Debian's four FTP servers behind the gateway, over TCP and started for each session."""

import os
import random
import time

import pytest

from support import ftpds

SERVERS = ["vsftpd", "proftpd", "pure-ftpd", "inetutils-ftpd"]


def exercise(client, server: ftpds.FtpServer, modes=("EPSV", "PASV", "EPRT", "PORT")) -> None:
    """An everyday session: login, transfers in all modes, listing, resuming, renaming, refusals."""
    client.login(server.user, server.password).protect()
    place = f"place-{len(os.listdir(server.home))}"
    client.expect(f"MKD {place}", 257)
    client.expect(f"CWD {place}", 250)
    home = server.home / place
    client.expect("TYPE I", 200)
    client.expect("SYST", 215)
    client.expect("FEAT", 211)
    for mode in modes:
        content = random.Random(mode).randbytes(200_000)
        client.upload(f"STOR file-{mode}", content, mode)
        assert client.download(f"RETR file-{mode}", mode) == content
        assert (home / f"file-{mode}").read_bytes() == content
        assert f"file-{mode}".encode() in client.download("NLST", mode)
        assert f"file-{mode}".encode() in client.download("LIST", mode)
    client.expect("SIZE file-EPSV", 213)
    client.expect("RNFR file-EPSV", 350)
    client.expect("RNTO renamed", 250)
    client.expect("MKD directory", 257)
    client.expect("CWD directory", 250)
    client.expect("CDUP", 200, 250)
    data = client.connect_data(client.passive())
    client.expect("RETR missing", 550)
    data.close()
    client.upload("STOR empty", b"")
    assert client.download("RETR empty") == b""
    client.expect("DELE renamed", 250)
    client.expect("QUIT", 221)
    assert client.receive() == b""


@pytest.mark.parametrize("name", SERVERS)
def test_over_tcp(start_server, start_gateway, each_tls, name):
    """Guards against anything that only one of them does or needs."""
    server = start_server(name)
    exercise(start_gateway(server).secure(each_tls), server.server)


@pytest.mark.parametrize("name", SERVERS)
def test_started_for_each_session(directory, start_gateway, tls, name):
    """As inetd starts them: a connected socket as standard input and output. Nothing stays when the session has ended
    (Gateway.stop)."""
    try:
        server = ftpds.make(name, directory / "server")
    except ftpds.MissingTool as missing:
        pytest.fail(str(missing))
    gateway = start_gateway(server={"command": server.command})
    exercise(gateway.secure(tls), server)
    exercise(gateway.secure(tls), server)


@pytest.mark.parametrize("name", SERVERS)
def test_active_towards_the_server(start_server, start_gateway, tls, name):
    """data_mode = active: some raw ftpds sit where no passive port can be opened."""
    server = start_server(name)
    gateway = start_gateway(server, server={"data_mode": "active"})
    exercise(gateway.secure(tls), server.server, ("EPSV", "EPRT"))


def test_started_server_ends_with_its_session(directory, start_gateway, tls):
    """Guards against raw ftpds that pile up when clients vanish."""
    server = ftpds.make("proftpd", directory / "server")
    gateway = start_gateway(server={"command": server.command})
    clients = [gateway.secure(tls).login(server.user, server.password) for _ in range(5)]
    assert len(servers_of(gateway)) == 5
    for client in clients:
        client.rst()
    for _ in range(300):
        if not servers_of(gateway):
            return
        time.sleep(0.1)
    raise AssertionError(servers_of(gateway))


def servers_of(gateway) -> list[str]:
    return [line for line in gateway.leftovers() if "proftpd" in line]


def test_command_that_does_not_exist(start_gateway, directory):
    """Refused at the start with its name, not at the first client."""
    with pytest.raises(AssertionError, match="no-such-ftpd"):
        start_gateway(server={"command": ["/nonexistent/no-such-ftpd"]})


def test_command_that_fails(start_gateway):
    """It ends at once: 421, and again for the next client; no zombie stays."""
    gateway = start_gateway(server={"command": ["/bin/false"]})
    for _ in range(5):
        client = gateway.connect()
        client.expect_reply(421)
        assert client.receive() == b""


PRINT_SURROUNDINGS = """
import os, sys
fds = sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1]
blocked = [line for line in open('/proc/self/status') if line.startswith(('SigBlk', 'SigIgn', 'NoNewPrivs', 'Uid'))]
state = ' '.join(' '.join(line.split()) for line in blocked)
name = open('/proc/self/cmdline').read().split(chr(0))[0]
sys.stdout.write(f"220 fds={fds} cwd={os.getcwd()} argv0={name} {state}\\r\\n")
sys.stdout.flush()
sys.stdin.readline()
"""


def write_script(directory) -> str:
    path = directory / "surroundings.py"
    path.write_text(PRINT_SURROUNDINGS)
    return str(path)


def test_surroundings_of_a_started_server(start_gateway, directory):
    """What inetd gives, and no more: descriptors 0, 1, 2, a clean signal state, the directory and name configured. Guards
    against listening sockets or keys in the hands of the raw ftpd."""
    command = ["/usr/bin/python3", write_script(directory)]
    gateway = start_gateway(server={"command": command, "argv0": "in.ftpd", "directory": str(directory)})
    greeting = gateway.connect().greet().greeting.text
    assert "fds=[0, 1, 2]" in greeting
    assert f"cwd={directory}" in greeting and "argv0=in.ftpd" in greeting
    assert "SigBlk: 0000000000000000" in greeting
    assert "NoNewPrivs: 0" in greeting
    ignored = int(greeting.split("SigIgn: ")[1].split()[0], 16)
    assert ignored & ~(1 << 12 | 1 << 24) == 0, f"signals ignored: {ignored:x}"  # Python itself ignores SIGPIPE and SIGXFSZ


def test_user_of_a_started_server(start_gateway, directory):
    """server.user. As root only."""
    if os.getuid() != 0:
        pytest.skip("only root can start it as somebody else")
    gateway = start_gateway(server={"command": ["/usr/bin/python3", write_script(directory)], "user": "daemon"})
    assert "Uid: 1 1 1 1" in gateway.connect().greet().greeting.text
