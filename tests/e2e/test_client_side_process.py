"""The process of a safe client side: how it ends, and that one client cannot take it from all others."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from support.client import SAFETY_NET
from support.safetp import Safetp
from support.slow_names import slow_names


def states_of(process: subprocess.Popen, samples: int = 100) -> str:
    """What the kernel says of it again and again: S sleeps, R runs or would like to. Says nothing of how fast the machine is."""
    seen = ""
    for _ in range(samples):
        seen += Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        time.sleep(0.01)
    return seen


# ---- the end


def test_sleeps_while_a_client_has_its_own_tls(start_tls_server, start_proxy, tls):
    """After SIGTERM such a session goes on, because nobody can see whether a transfer is under way; with its client safetp ends."""
    inetd = start_tls_server("vsftpd")
    proxy = start_proxy(server=inetd)
    client = proxy.connect().greet().auth(tls)
    client.login(inetd.server.user, inetd.server.password).protect()
    client.expect("TYPE I", 200)
    data = client.connect_data(client.passive("PASV"))
    client.expect("STOR file", 150)
    proxy.process.terminate()
    proxy.wait_for_log("stopping")
    states = states_of(proxy.process)
    assert states.count("S") > len(states) / 2, states
    client.protect_data(data)
    data.send(b"content")
    data.end()
    client.expect_reply(226)
    assert (inetd.server.home / "file").read_bytes() == b"content"
    client.close()
    assert proxy.process.wait(SAFETY_NET) == 0


def with_drain(directory: Path, time: str) -> tuple[str, str]:
    config = directory / "safetp.toml"
    config.write_text(f'[timeouts]\ndrain = "{time}"\n')
    config.chmod(0o644)
    return "-c", str(config)


def test_says_so_when_the_time_to_drain_is_over(start_tls_server, start_proxy, directory, tls):
    """A transfer that lasts longer is cut off with a word; a client with its own TLS is reset, and the process ends."""
    inetd = start_tls_server("vsftpd")
    proxy = start_proxy(*with_drain(directory, "1s"), server=inetd)
    busy, alone = proxy.login(inetd.server), proxy.connect().greet().auth(tls)
    alone.login(inetd.server.user, inetd.server.password)
    data = busy.open_data("STOR file")
    data.send(b"first half, ")
    proxy.process.terminate()
    assert "was aborted" in busy.expect_reply(421).text
    with pytest.raises(ConnectionResetError):
        while alone.socket.recv(1000):
            pass
    assert proxy.process.wait(SAFETY_NET) == 0
    data.close()


CLIENT_WITH_TLS = """
import socket, ssl, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.recv(1000)
s.sendall(b"AUTH TLS\\r\\n")
assert s.recv(1000).startswith(b"234")
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
tls = context.wrap_socket(s)
much = b"." * 200_000_000  # that takes the kernel a while to give back, before it closes the connection
print("ready", flush=True)
time.sleep(600)
"""


def test_run_ends_with_its_command(start_tls_server, directory):
    """Whose connection is under its own TLS when a signal ends it, as timeout(1) sends one."""
    inetd = start_tls_server("proftpd")
    run = Safetp(directory / "run")
    options = ("--port", inetd.port, *with_drain(directory, "1h"))
    process = run.start("run", *options, "--", "/usr/bin/python3", "-c", CLIENT_WITH_TLS, inetd.port)
    assert process.stdout.readline() == b"ready\n", process.communicate()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SAFETY_NET)
    assert process.returncode == 128 + signal.SIGTERM


# ---- one client and all others


class Flood:
    """Clients that send without pause, before they have named a server, until `stop()`."""

    def __init__(self, port: int, clients: int):
        self.ended = threading.Event()
        self.sent = 0
        self.threads = []
        for _ in range(clients):
            connection = socket.create_connection(("127.0.0.1", port))
            for work in (self.send, self.read):
                thread = threading.Thread(target=work, args=(connection,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def send(self, connection: socket.socket) -> None:
        lines = b"NOOP\r\n" * 10_000
        try:
            while not self.ended.is_set():
                connection.sendall(lines)
                self.sent += len(lines)
        except OSError:
            pass
        connection.close()

    def read(self, connection: socket.socket) -> None:
        try:
            while connection.recv(1 << 20):
                pass
        except OSError:
            pass

    def stop(self) -> None:
        self.ended.set()


def test_a_client_that_never_pauses(start_proxy):
    """Others are served meanwhile."""
    proxy = start_proxy()
    flood = Flood(proxy.port, 3)
    try:
        while flood.sent < 500_000:
            time.sleep(0.01)
        for _ in range(5):
            client = proxy.connect().greet()
            for _ in range(20):
                client.expect("NOOP", 200)
            client.quit()
    finally:
        flood.stop()


def test_names_that_nobody_answers_for(start_tls_server, start_proxy, directory, monkeypatch):
    """One client's many lookups are a few processes, and another's name is found meanwhile."""
    for name, value in slow_names(directory).items():
        monkeypatch.setenv(name, value)
    inetd = start_tls_server("proftpd")
    proxy = start_proxy()
    greedy = [proxy.connect().greet() for _ in range(40)]
    for number, client in enumerate(greedy):
        client.send_line(f"USER anna@number-{number}.slow.example")
    for client in greedy:
        while f"number-{greedy.index(client)}.slow" not in proxy.log():
            time.sleep(0.01)
    other = proxy.connect(source="127.0.0.2").greet()
    other.login(f"{inetd.server.user}@localhost:{inetd.port}", inetd.server.password).quit()
    assert len(psutil.Process(proxy.process.pid).children(recursive=True)) <= 1 + 8
    proxy.process.kill()  # not for the lookups' own limit
    proxy.process.wait(SAFETY_NET)
    proxy.process = None


def test_sessions_of_one_client(start_proxy, directory):
    """A client has its share, in words; others have theirs."""
    config = directory / "safetp.toml"
    config.write_text("[limits]\nsessions_per_client = 3\n")
    config.chmod(0o644)
    proxy = start_proxy("-c", str(config))
    clients = [proxy.connect().greet() for _ in range(3)]
    refused = proxy.connect().reply()
    assert refused.code == 421 and "from your address" in refused.text
    proxy.connect(source="127.0.0.2").greet()
    clients.pop().quit()
    while proxy.log().count("session ended") < 1:
        time.sleep(0.01)
    proxy.connect().greet()
