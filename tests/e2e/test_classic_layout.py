"""The layouts that SafeTP had from the start: inetd starts the gateway, inetd and tcpd start the raw ftpd, options on the
command line."""

import os
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from support import ports
from support.client import FtpClient
from support.ftpds import FtpServer, Inetd, ftpds_directory, hand_over, identity
from support.gateway import Gateway, binary


@pytest.fixture
def configured(directory, certificate, start_server):
    """A gateway's configuration before a real server, and nothing started."""
    server = start_server()
    gateway = Gateway(directory / "gateway", certificate)
    gateway.change(server={"address": server.address, "port": server.port})
    return gateway, server


def test_started_by_inetd(configured, running, tls):
    """`safetpd -s`: the control connection is standard input. The session is served as by the daemon, and the process ends
    with it."""
    gateway, server = configured
    inetd = running.add(Inetd(FtpServer("safetpd", [str(binary()), "-s", "-c", str(gateway.config_path)], server.server.home)))
    client = FtpClient(inetd.port).greet().auth(tls).login(server.server.user, server.server.password).protect()
    content = bytes(range(256)) * 1000
    client.expect("TYPE I", 200)
    for mode in ("EPSV", "PORT"):
        client.upload("STOR inetd", content, mode)
        assert client.download("RETR inetd", mode) == content
    client.quit()
    inetd.sessions[-1].wait(30)
    assert inetd.sessions[-1].returncode == 0


def test_started_by_inetd_with_a_command(directory, certificate, running, tls, start_server):
    """-s, and the raw ftpd started for the session as well: two programs that inetd alone would start."""
    server = start_server()
    gateway = Gateway(directory / "gateway", certificate)
    gateway.change(server={"command": server.server.command})
    inetd = running.add(Inetd(FtpServer("safetpd", [str(binary()), "-s", "-c", str(gateway.config_path)], server.server.home)))
    client = FtpClient(inetd.port).greet().auth(tls).login(server.server.user, server.server.password).protect()
    client.upload("STOR both", b"content")
    client.quit()
    inetd.sessions[-1].wait(30)


def test_s_without_a_socket(configured):
    """By hand on a terminal -s makes no sense: a clear error."""
    gateway, _ = configured
    result = subprocess.run(
        [binary(), "-s", "-c", gateway.config_path], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert "standard input is not a TCP connection" in result.stderr


def test_options_on_the_command_line(directory, start_server, authority):
    """-p ADDR:PORT, -f ADDR:PORT, -y DIR, as the old sftpd had them: no configuration file needed. By an ordinary user, since
    root needs a user `safetp` for the workers."""
    server = start_server()
    port = ports.lease()[0]
    keys = directory / "keys"
    keys.mkdir(mode=0o700)
    hand_over(keys)
    environment = {"PATH": os.environ["PATH"]}
    command = [binary(), "-p", f"127.0.0.1:{port}", "-f", f"{server.address}:{server.port}", "-y", keys]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, user=identity()[0]
    ) as process:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            client = (
                connect_when_up(port, process).greet().auth(context).login(server.server.user, server.server.password).protect()
            )
            client.upload("STOR classic", b"content")
            client.quit()
            assert list(keys.iterdir())
        finally:
            process.terminate()
            process.wait(30)
    assert process.returncode == 0


def connect_when_up(port: int, process: subprocess.Popen) -> FtpClient:
    """The log line or the notification is not there for every way of starting: here the port itself tells."""
    for _ in range(300):
        assert process.poll() is None, process.stderr.read().decode() if process.stderr else f"ended with {process.returncode}"
        try:
            return FtpClient(port)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError("nobody listens")


def test_behind_inetd_and_tcpd(directory, start_server, start_gateway, running, tls):
    """raw-ftp stream tcp nowait root tcpd in.ftpd: the layout of SafeTP's old manual."""
    server = start_server()
    tools = ftpds_directory()
    tcpd = tools / "root" / "usr" / "sbin" / "tcpd"  # not its launcher: what inetd passes as argv[0] is the program to run
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = "root" if os.getuid() == 0 else os.environ["USER"]
    line = f"127.0.0.1:{port} stream tcp nowait {user} {tcpd} {' '.join(server.server.command)}\n"
    (directory / "inetd.conf").write_text(line)
    with open(directory / "inetd.log", "wb") as log:  # not a pipe: inetd -d dies of one that nobody reads any more
        process = subprocess.Popen(
            [tools / "bin" / "inetd", "-E", "-d", "-i", directory / "inetd.conf"], stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        connect_when_up(port, process).close()

        class Behind:
            address = "127.0.0.1"

        Behind.port = port
        client = start_gateway(Behind).secure(tls).login(server.server.user, server.server.password).protect()
        client.upload("STOR behind-tcpd", b"content")
        assert (server.server.home / "behind-tcpd").read_bytes() == b"content"
        client.expect("QUIT", 221)
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.big
def test_quickstart(directory):
    """The command of the README: ends with 0, shows what it promises, leaves nothing running."""
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([root / "quickstart"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=550)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "The file came back as it went" in result.stdout
    assert "Refused before it was asked for: 530" in result.stdout
    assert re.search(r"\n  ([0-9A-F]{2}:){31}[0-9A-F]{2}\n", result.stdout)
    left = subprocess.run(["pgrep", "-f", f"{root}/build/quickstart"], capture_output=True, text=True)
    assert left.stdout == ""
