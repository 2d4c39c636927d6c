"""Limits and timers. Timers are set to seconds and waited for generously: how fast the machine is decides nothing."""

import re
import subprocess
import time

import pytest

from support.client import Truncated


def ends_with_421(client) -> str:
    """The text of the 421 that comes unasked, and the orderly end behind it."""
    reply = client.expect_reply(421)
    assert client.receive() == b""
    return reply.text


def test_sessions_per_client(start_server, start_gateway):
    """421 with a sentence for the third; another address is not hurt; a free place is given out again."""
    server = start_server()
    gateway = start_gateway(server, limits={"sessions_per_client": 2})
    clients = [gateway.connect().greet() for _ in range(2)]
    assert ends_with_421(gateway.connect())
    gateway.connect(source="127.0.0.2").greet()
    clients[0].quit()
    eventually_served(gateway)


def eventually_served(gateway) -> None:
    """The place is free a moment after the client has seen the end."""
    for _ in range(200):
        if gateway.connect().reply().code == 220:
            return
        time.sleep(0.05)
    raise AssertionError("the place was not given out again")


def test_all_sessions(start_server, start_gateway):
    """`sessions` counts over all clients and workers."""
    gateway = start_gateway(start_server(), limits={"sessions": 3})
    clients = [gateway.connect(source=f"127.0.0.{number}").greet() for number in (2, 3, 4)]
    assert ends_with_421(gateway.connect(source="127.0.0.5"))
    clients[0].rst()
    eventually_served(gateway)


def test_handshake_timer(start_server, start_gateway):
    """A client that asks for TLS and then says nothing (seen: vsftpd and pyftpdlib wait for ever)."""
    gateway = start_gateway(start_server(), timeouts={"handshake": "1s"})
    client = gateway.connect().greet()
    client.expect("AUTH TLS", 234)
    try:
        assert client.receive() == b""
    except ConnectionError:
        pass


def test_handshake_timer_against_dripping_bytes(start_server, start_gateway, tls):
    """Slowloris: a byte now and then must not push the deadline back."""
    gateway = start_gateway(start_server(), timeouts={"handshake": "2s"})
    client = gateway.connect().greet()
    client.expect("AUTH TLS", 234)
    client.prepare_tls(tls)
    try:
        client.tls.do_handshake()
    except Exception:
        pass
    hello = client.outgoing.read()
    started = time.monotonic()
    try:
        for byte in hello:
            client.socket.sendall(bytes([byte]))
            time.sleep(0.3)
    except ConnectionError:
        pass
    assert time.monotonic() - started < 0.3 * len(hello)


def test_login_timer(start_server, start_gateway, tls):
    """Guards against holding a place without a login; commands do not push it back."""
    gateway = start_gateway(start_server(), timeouts={"login": "2s"})
    client = gateway.secure(tls)
    codes = []
    while 421 not in codes:
        codes.append(client.command("NOOP").code if len(codes) < 1000 else 421)
        time.sleep(0.1)
    assert len(codes) < 1000
    assert client.receive() == b""


def test_login_timer_begins_anew_with_another_user(start_server, start_gateway, tls):
    """Guards against counting the time of the whole session: a second login late in it had none left."""
    server = start_server("pure-ftpd")
    gateway = start_gateway(server, timeouts={"login": "5s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    time.sleep(6)
    client.send_line(f"USER {server.server.user}")
    assert client.reply().code != 421
    client.expect("NOOP", 200, 530)


def test_idle_timer(start_server, start_gateway, tls):
    """421 and an orderly end, as RFC 959 has it."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"idle": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    ends_with_421(client)


def test_idle_timer_rests_during_a_transfer(start_server, start_gateway, tls):
    """Guards against a long transfer being cut because the control connection is quiet."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"idle": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR slow")
    for _ in range(12):
        data.send(b"x" * 1000)
        time.sleep(0.25)  # three times the idle time in all
    data.end()
    client.expect_reply(226)


def test_keepalive_on_both_control_connections(start_server, start_gateway, tls):
    """Guards against NATs that forget a control connection during a transfer of hours, and against peers that are gone for good."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"keepalive": "3h"})
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    source = client.socket.getsockname()[1]
    for connection in (f"sport = :{gateway.port} and dport = :{source}", f"dport = :{server.port}"):
        deadline = time.monotonic() + 30
        shown = ""
        while not re.search(r"timer:\(keepalive,1(79|80)min", shown):  # not as long as something is unacknowledged
            assert time.monotonic() < deadline, shown
            command = ["ss", "-Htno", "state", "established", connection]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_data_stall_of_an_upload(start_server, start_gateway, tls):
    """A client that stops sending: 426, and the session goes on."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"data_stall": "1s", "handshake": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR stalled")
    data.send(b"x" * 1000)
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


def test_data_stall_of_a_download(start_server, start_gateway, tls):
    """A client that does not read: 426, no close_notify."""
    server = start_server()
    path = server.server.put("long", b"")
    with open(path, "r+b") as file:
        file.truncate(256 << 20)
    gateway = start_gateway(server, timeouts={"data_stall": "1s", "handshake": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.expect("TYPE I", 200)
    data = client.open_data("RETR long")
    client.expect_reply(426, 451)
    with pytest.raises((Truncated, ConnectionError)):
        data.receive_all()
    client.expect("NOOP", 200)


def test_data_handshake_timer(start_server, start_gateway, tls):
    """Connected, but no ClientHello: 522, long before data_connection would end it, and the session goes on."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"handshake": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.protected = False
    silent = client.open_data("STOR silent")  # stays open as long as it has a name
    client.expect_reply(522)
    silent.close()
    client.protected = True
    client.upload("STOR loud", b"x")


def test_a_client_that_never_answers_close_notify(start_server, start_gateway, tls):
    """data_close bounds the wait for the client's close_notify and FIN: 226 all the same, since all was sent."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(server, timeouts={"data_close": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("RETR file")
    assert data.receive_all() == b"content"
    client.expect_reply(226)
    client.upload("STOR next", b"x")
    data.close()


@pytest.mark.unsanitized
def test_a_client_that_does_not_read_its_replies(start_server, start_gateway, tls):
    """Guards against replies piling up in memory: the gateway stops reading instead, and others are served."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    client.socket.settimeout(2)
    with pytest.raises(TimeoutError):
        while True:
            client.send(b"NOOP\r\n" * 1000)
    for worker in gateway.workers():
        with open(f"/proc/{worker}/statm") as file:
            assert int(file.read().split()[1]) * 4096 < 100 << 20
    gateway.secure(tls).login(server.server.user, server.server.password).expect("NOOP", 200)
