"""Limits and timers. Timers are set to seconds and waited for generously: how fast the machine is decides nothing."""

import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from support import ftpds
from support.client import Truncated
from support.gateway import binary


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


# -- who is let in --------------------------------------------------------------------------------------------------------------


def test_sessions_without_a_login_have_a_limit_of_their_own(start_server, start_gateway, tls):
    """Guards against strangers taking every place: who logs in has left theirs, and further strangers hear why they are refused."""
    server = start_server("pure-ftpd")
    gateway = start_gateway(server, limits={"sessions": 20, "startups": "3:100:3"})
    users = [gateway.secure(tls).login(server.server.user, server.server.password) for _ in range(5)]
    strangers = [gateway.connect(source=f"127.0.0.{number}").greet() for number in (2, 3, 4)]
    assert "logging in" in ends_with_421(gateway.connect(source="127.0.0.5"))
    for user in users:
        user.expect("NOOP", 200)
    assert any(event["message"] == "refused: too many sessions without a login" for event in gateway.events("refused"))
    strangers[0].rst()
    eventually_served(gateway)


def test_connections_that_lead_to_no_login_have_a_rate(start_server, start_gateway, tls):
    """Guards against one address that connects and hangs up without end; others, and whoever logs in, are not hurt."""
    server = start_server("pure-ftpd")
    gateway = start_gateway(server, limits={"connection_rate": "5/1h"})
    for _ in range(5):
        gateway.connect().greet().quit()
    assert "Too many connections" in ends_with_421(gateway.connect())
    gateway.connect(source="127.0.0.2").greet()
    for _ in range(12):
        client = gateway.secure(tls, source="127.0.0.3").login(server.server.user, server.server.password)
        client.expect("QUIT", 221)


def test_the_defaults_let_a_client_log_in_again_and_again(start_server, start_gateway):
    """One connection for each file, as scripts do it, more of them than connection_rate has: logins do not count."""
    server = start_server("pure-ftpd")
    gateway = start_gateway(
        server, listener={"security": "optional"}, limits={"connection_rate": None, "sessions_per_client": None}
    )
    for _ in range(150):
        client = gateway.connect().greet().login(server.server.user, server.server.password)
        client.expect("QUIT", 221)
        client.close()


# -- what they may cost ---------------------------------------------------------------------------------------------------------


def raw_ftpds(gateway) -> list[int]:
    """The processes that the supervisor has started for sessions."""
    found = []
    for child in map(int, Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()):
        try:
            if not Path(f"/proc/{child}/comm").read_text().startswith("safetpd"):
                found.append(child)
        except OSError:
            pass  # gone meanwhile
    return found


@pytest.mark.parametrize("name", ["vsftpd", "inetutils-ftpd"])
def test_who_hangs_up_at_once_has_no_more_raw_ftpds_than_sessions(name, start_gateway, directory):
    """Guards against a fork a connection (seen: 116 ftpds after 0.3 s): each counts until it has ended."""
    server = ftpds.make(name, directory / name)
    gateway = start_gateway(None, server={"command": server.command, "line_bytes": 500}, limits={"sessions_per_client": 4})
    most = 0
    for _ in range(30):
        clients = [gateway.connect() for _ in range(6)]
        codes = [client.reply().code for client in clients]
        most = max(most, len(raw_ftpds(gateway)))
        assert set(codes) <= {220, 421}
        for client in clients:
            client.close()
    assert 0 < most <= 4
    gateway.connect(source="127.0.0.2").greet()
    eventually_served(gateway)


def stubborn_ftpd(directory: Path) -> Path:
    """A raw ftpd that minds neither the end of its connection nor SIGTERM, and has a child that does not either."""
    program = directory / "stubborn"
    program.write_text("#!/bin/sh\ntrap '' TERM HUP\necho 220 ready\nsleep 10000 & sleep 10000; wait\n")
    program.chmod(0o755)
    return program


def test_a_raw_ftpd_that_ignores_its_end_counts_until_it_is_killed(start_gateway, directory):
    """Guards against processes that pile up, and against a client's places being free while they do."""
    gateway = start_gateway(
        None,
        server={"command": [str(stubborn_ftpd(directory))], "line_bytes": 500},
        limits={"sessions_per_client": 3},
        timeouts={"server_end": "1s"},
    )
    for _ in range(3):
        gateway.connect().greet().rst()
    for _ in range(20):
        assert gateway.connect().reply().code == 421
    started = raw_ftpds(gateway)
    assert len(started) == 3
    gateway.connect(source="127.0.0.2").greet()
    gateway.wait_for_log("does not end on SIGTERM either and is killed")
    deadline = time.monotonic() + 60
    while set(started) & set(raw_ftpds(gateway)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    eventually_served(gateway)


def test_sessions_without_a_login_count_until_their_raw_ftpds_have_ended(start_gateway, directory):
    """Guards against many addresses that each hang up at once: together they start no more than startups allows."""
    gateway = start_gateway(
        None,
        server={"command": [str(stubborn_ftpd(directory))], "line_bytes": 500},
        limits={"sessions": 100, "startups": "4:100:4"},
    )
    for number in range(2, 6):
        gateway.connect(source=f"127.0.0.{number}").greet().rst()
    for number in range(6, 30):
        assert gateway.connect(source=f"127.0.0.{number}").reply().code == 421
    assert len(raw_ftpds(gateway)) == 4


def test_a_raw_ftpd_that_ignores_its_end_goes_with_the_service(start_gateway, directory):
    """Guards against processes that outlive their starter: Gateway.stop() looks for them."""
    gateway = start_gateway(None, server={"command": [str(stubborn_ftpd(directory))], "line_bytes": 500})
    gateway.connect().greet()
    gateway.stop()


def test_a_raw_ftpd_that_ignores_its_end_is_killed_under_inetd_too(start_gateway, directory, running):
    """-s: what one process alone can hold."""
    gateway = start_gateway(
        None, start=False, server={"command": [str(stubborn_ftpd(directory))], "line_bytes": 500}, timeouts={"server_end": "1s"}
    )
    command = [str(binary()), "-s", "-c", str(gateway.config_path)]
    inetd = running.add(ftpds.Inetd(ftpds.FtpServer("safetpd", command, directory)))
    gateway.connect(port=inetd.port).greet().rst()
    assert inetd.sessions[-1].wait(60) == 0


# -- timers ---------------------------------------------------------------------------------------------------------------------


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
    gateway = start_gateway(server, timeouts={"data_stall": "4s", "handshake": "4s"})
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
    gateway = start_gateway(server, timeouts={"data_stall": "4s", "handshake": "4s"})
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
