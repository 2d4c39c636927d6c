"""Peers that want to use the gateway up, or to keep it waiting: memory, the worker's one thread, descriptors, time."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support import ports
from support.gateway import Gateway, binary


def polite(session):
    """A raw ftpd that greets and answers; nobody logs in."""
    session.say("220 hi")
    session.serve_rest()


def logged_in(session):
    session.login()
    session.serve_rest()


def resident_kib(pids) -> int:
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.unsanitized
def test_unread_replies_of_our_own_take_no_memory(play, start_gateway):
    """A client that asks and never reads, before it has logged in, for replies that the gateway gives itself."""
    gateway = start_gateway(play(polite), process={"workers": 1}, log={"level": "info"})
    client = gateway.connect().greet()
    before = resident_kib(gateway.workers())
    client.socket.settimeout(2)
    with pytest.raises(TimeoutError):  # it is not read from any more
        for _ in range(1000):
            client.socket.sendall(b"REIN\r\n" * 10000)
    assert resident_kib(gateway.workers()) - before < 20_000


def test_replies_held_back_are_given_when_the_client_reads(play, start_gateway):
    gateway = start_gateway(play(polite), process={"workers": 1}, log={"level": "info"})
    client = gateway.connect().greet()
    count = 200_000
    sender = threading.Thread(target=lambda: client.socket.sendall(b"REIN\r\n" * count + b"NOOP\r\n"))
    sender.start()
    sender.join(1)  # the sockets are full by now
    for _ in range(count):
        assert client.reply().code == 502
    client.expect_reply(200)
    sender.join()


@pytest.mark.unsanitized
def test_unread_replies_of_the_raw_ftpd_take_no_memory(play, start_gateway):
    """A client that asks for long replies and does not read them: the raw ftpd has to wait. Nothing is lost when it reads on."""
    asked, last = 12, b"213 end\r\n"
    reply = b"213-status\r\n" + b" a line of a listing\r\n" * 100_000 + last

    def script(session):
        session.login()
        session.serve_rest({"STAT": reply.removesuffix(b"\r\n")})

    server = play(script)
    gateway = start_gateway(server, process={"workers": 1}, listener={"security": "optional"}, log={"level": "info"})
    client = gateway.connect().greet().login("u", "p")
    before = resident_kib(gateway.workers())
    client.socket.sendall(b"STAT /x\r\n" * asked)
    deadline = time.monotonic() + 2
    while server.seen.count(b"STAT /x") < asked and time.monotonic() < deadline:
        time.sleep(0.05)  # a gateway that took all would soon have it
    assert resident_kib(gateway.workers()) - before < 8_000
    received, left = b"", asked * len(reply)
    while left > 0 and (part := client.socket.recv(1 << 20)):
        left -= len(part)
        received = (received + part)[-len(last) :]
    assert left == 0 and received == last


def test_login_limit_while_the_client_does_not_read(play, start_gateway):
    """A reply of the raw ftpd waits for the client's socket when the session's time is over."""
    limits = {"login": "4s", "data_close": "1s"}
    gateway = start_gateway(play(polite), process={"workers": 1}, timeouts=limits, log={"level": "info"})
    client = gateway.connect().greet()
    client.socket.settimeout(2)
    try:
        client.socket.sendall(b"HELP\r\n" + b"REIN\r\n" * 150_000 + b"NOOP\r\n" * 2)
    except TimeoutError:
        pass
    gateway.wait_for_log('"event":"end"', 20)


def worst_reply_time(victim) -> float:
    worst = 0.0
    for _ in range(10):
        began = time.monotonic()
        victim.expect("NOOP", 200)
        worst = max(worst, time.monotonic() - began)
    return worst


class Flood:
    """Processes that send as fast as they can: threads of this one would slow the victim themselves."""

    def __init__(self, count: int, send):
        self.children = []
        for _ in range(count):
            child = os.fork()
            if child == 0:
                try:
                    send()
                finally:
                    os._exit(0)
            self.children.append(child)

    def __enter__(self):
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        for child in self.children:
            os.kill(child, 9)
            os.waitpid(child, 0)


def test_a_flood_of_lines_does_not_starve_other_sessions(play, start_gateway):
    gateway = start_gateway(play(polite), process={"workers": 1}, log={"level": "info"})
    victim = gateway.connect().greet()

    def send():
        flooder = gateway.connect().greet()
        threading.Thread(target=lambda: [flooder.socket.recv(1 << 20) for _ in iter(int, 1)], daemon=True).start()
        while True:
            flooder.socket.sendall(b"REIN\r\n" * 50_000)

    with Flood(1, send):
        assert worst_reply_time(victim) < 2


def test_a_flood_after_quit_does_not_starve_other_sessions(play, start_gateway):
    """Its session is over, the gateway only waits for its end."""
    gateway = start_gateway(play(polite), process={"workers": 1}, log={"level": "info"})
    victim = gateway.connect().greet()

    def send():
        flooder = gateway.connect().greet()
        flooder.send_line("QUIT")
        while True:
            flooder.socket.sendall(b"x" * (1 << 20))

    with Flood(2, send):
        assert worst_reply_time(victim) < 2


def unanswering_port() -> tuple[socket.socket, list[socket.socket]]:
    """A listener whose queue is full: further SYNs are dropped, as by a firewall. What fills it must be kept."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    filling = [socket.socket() for _ in range(3)]
    for one in filling:
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
    return listener, filling


class Place:
    def __init__(self, listener: socket.socket):
        self.address, self.port = listener.getsockname()


def test_connect_limit(start_gateway):
    """The raw ftpd's own time limit counts, not the client's for its login."""
    listener, filling = unanswering_port()
    gateway = start_gateway(Place(listener), timeouts={"server_connect": "2s", "login": "20s"})
    assert "cannot be reached" in gateway.connect().expect_reply(421).text
    for one in [listener, *filling]:
        one.close()


def test_client_resets_while_the_last_bytes_are_on_their_way(play, start_gateway, tls):
    """426 at once, not after data_stall: an unacknowledged byte of a dead connection stays unacknowledged."""
    has_confirmed = threading.Event()

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 go")
        data = session.data()
        data.sendall(b"z" * 3_000_000)
        data.close()
        session.say("226 done")
        has_confirmed.set()
        session.serve_rest()

    gateway = start_gateway(play(script), timeouts={"data_stall": "20s"})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.open_data("RETR x")
    assert has_confirmed.wait(10)
    time.sleep(1)  # all is in the gateway's socket
    began = time.monotonic()
    data.rst()
    assert "broke off" in client.expect_reply(426).text
    assert time.monotonic() - began < 10


def test_data_connections_that_a_client_leaves_open_are_few(play, start_gateway, tls):
    """Otherwise a client could use up the worker's descriptors with listings."""

    def script(session):
        session.login()
        while True:
            session.serve_until("LIST")
            session.say("150 go")
            session.data().close()
            session.say("226 done")

    gateway = start_gateway(play(script), process={"workers": 1}, listener={"data_security": "optional"})
    client = gateway.secure(tls).login("u", "p").protect("C")
    descriptors = Path(f"/proc/{gateway.workers()[0]}/fd")
    before = len(list(descriptors.iterdir()))
    kept = []
    for _ in range(30):
        kept.append(client.connect_data(client.passive()))
        client.expect("LIST", 150)
        client.expect_reply(226)
    assert len(list(descriptors.iterdir())) - before < 15
    for connection in kept:
        connection.close()


def test_data_port_of_the_raw_ftpd_that_does_not_answer(play, start_gateway, tls):
    """The client has come; it must not be told that it has not."""
    listener, filling = unanswering_port()

    def script(session):
        session.login()
        session.serve_rest({"EPSV": f"229 ok (|||{Place(listener).port}|)", "RETR": "150 go"})

    gateway = start_gateway(play(script), timeouts={"data_connection": "2s"})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.connect_data(client.passive())
    client.expect("RETR x", 150)
    assert "behind" in client.expect_reply(425).text
    for one in [data, listener, *filling]:
        one.close()


def test_status_does_not_hold_the_reply_limit_off(play, start_gateway, tls):
    """What the client says is no sign of life of the raw ftpd."""

    def script(session):
        session.login()
        session.serve_until("STOR")
        session.say("150 go")
        data = session.data()
        while data.recv(65536):
            pass
        session.read()  # to the end: it never confirms

    gateway = start_gateway(play(script), timeouts={"server_reply": "2s"})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.open_data("STOR x")
    data.send(b"x")
    data.end()
    for _ in range(60):
        client.send_line("STAT")
        if client.reply().code == 421:
            return
        time.sleep(0.5)
    raise AssertionError("the session goes on")


def test_refused_user_changes_nothing(play, start_gateway, tls, directory):
    """Who is logged in stays so: no second login limit, and no other name in the transfer log."""

    def script(session):
        session.login()
        session.serve_until("RETR", {"USER": "530 You are logged in."})
        session.say("150 go")
        data = session.data()
        data.sendall(b"x")
        data.close()
        session.say("226 ok")
        session.serve_rest()

    gateway = start_gateway(play(script), timeouts={"login": "3s"}, log={"xferlog": str(directory / "xferlog")})
    client = gateway.secure(tls).login("mallory", "p").protect()
    time.sleep(3.5)
    client.expect("USER victim", 530)
    client.expect("NOOP", 200)
    client.download("RETR x")
    client.expect("NOOP", 200)
    assert " mallory " in (directory / "xferlog").read_text()


def test_silent_stranger_does_not_keep_the_client_out(play, start_gateway, tls):
    """peer = "any": who comes first and says nothing must not cost the client, who can prove himself, the transfer."""

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 go")
        data = session.data()
        data.sendall(b"hello")
        data.close()
        session.say("226 ok")
        session.serve_rest()

    gateway = start_gateway(
        play(script), listener={"session_reuse": "require"}, data={"peer": "any"}, timeouts={"handshake": "3s"}
    )
    client = gateway.secure(tls).login("u", "p").protect()
    address = client.passive()
    stranger = socket.create_connection(address, source_address=("127.0.0.9", 0))
    data = client.connect_data(address)
    client.expect("RETR x", 150)
    client.protect_data(data)
    assert data.receive_all() == b"hello"
    data.end_leniently()
    client.expect_reply(226)
    stranger.close()


def test_a_log_that_nobody_reads_does_not_stop_the_service(play, certificate, directory):
    """stderr is a pipe whose reader has stopped."""
    server = play(polite)
    gateway = Gateway(directory / "gateway", certificate)
    gateway.change(server={"address": "127.0.0.1", "port": server.port}, process={"workers": 1})
    reader, writer = os.pipe()
    process = subprocess.Popen([binary(), "-c", gateway.config_path], stdin=subprocess.DEVNULL, stderr=writer)
    os.close(writer)
    try:
        for _ in range(200):
            try:
                gateway.connect().greet().rst()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        for _ in range(300):
            client = gateway.connect()
            client.socket.settimeout(5)
            client.greet().rst()
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        ports.release(gateway.ports)
