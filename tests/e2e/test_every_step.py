"""A man in the middle between safetp and its server who lets a session pass up to some step and then resets, ends or truncates the
connection on which it is; at every step of a login, a download, an upload and a farewell, on control and data connections alike."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time

import pytest
from support import safetp, secure_script
from support.client import Truncated
from support.safetp import Safetp
from support.scripted_server import reset
from support.wire import assert_nothing_is_seen

HERE = "127.0.0.9"
HOW = ["reset", "end", "truncate"]
CONTENT = random.Random("steps").randbytes(150_000)
SECRETS = [b"geheim", b"secret-name", CONTENT[:64], CONTENT[-64:]]


class Middle:
    """Passes everything on to 127.0.0.1, piece by piece; `act(number, is_data)` is asked before each piece."""

    def __init__(self, server):
        self.lock, self.count, self.seen = threading.Lock(), 0, bytearray()
        self.act = lambda number, is_data: None
        self.listeners, self.threads = [], []
        self.server = server
        self.port = self.open(0, server.port)

    def open(self, port: int, to: int = 0) -> int:
        listener = socket.create_server((HERE, port))
        self.listeners.append(listener)
        self._start(self._accept, listener, to or port, bool(port))
        return listener.getsockname()[1]

    def _start(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, port: int, is_data: bool) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", port))
            except OSError:
                client.close()
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for one, other in ((client, server), (server, client)):
                self._start(self._pass_on, one, other, is_data)

    def _pass_on(self, one: socket.socket, other: socket.socket, is_data: bool) -> None:
        try:
            while piece := one.recv(65536):
                with self.lock:
                    number, self.count = self.count, self.count + 1
                    self.seen += piece
                what = self.act(number, is_data)
                if what == "reset":
                    reset_both(one, other)
                    return
                if what == "truncate":
                    other.sendall(piece[: len(piece) // 2])
                if what in ("end", "truncate"):
                    end_both(one, other)
                    return
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            end_both(one, other)

    def close(self) -> None:
        for listener in self.listeners:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        for thread in self.threads:
            thread.join(30)


def reset_both(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RD)  # wakes the other thread, which sits there and would keep it open
        reset(each)


def end_both(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):  # one may have ended meanwhile
            each.shutdown(socket.SHUT_RDWR)


def honest(session, context, middle: list, stored: list) -> None:
    """A server as it should be, whose data ports the man in the middle knows, too."""
    replies = {b"USER": "331 password?", b"PASS": "230 in", b"PWD": '257 "/"', b"SIZE": f"213 {len(CONTENT)}"}
    replies |= {b"MDTM": "213 20240101000000", b"QUIT": "221 bye"}
    try:
        session.say("220 scripted")
        session.expect("AUTH")
        session.say("234 go on")
        secure_script.begin_tls(session, context)
        while True:
            verb = session.read().split(b" ")[0]
            if verb == b"EPSV":
                port = session.listen()
                middle[0].open(port)
                session.say(f"229 ok (|||{port}|)")
            elif verb in (b"RETR", b"STOR"):
                session.say("150 go on")
                session.say(transfer(session, context, verb, stored))
            else:
                session.say(replies.get(verb, "200 ok"))
    except (OSError, EOFError, ssl.SSLError, Truncated):
        pass


def transfer(session, context, verb: bytes, stored: list) -> str:
    try:
        data = secure_script.secure_data(session, context)
        if verb == b"RETR":
            data.send(CONTENT)
            secure_script.end_data(data)
            return "226 all of it"
        stored.append(secure_script.read_upload(data))
        return "226 stored" if stored[-1][1] == "close_notify" else "426 cut"
    except (OSError, ssl.SSLError, Truncated):
        return "426 no more"


class Over(Exception):
    """The client has been told that something is wrong."""


class User:
    """An old client that goes on as long as it is told that all is well."""

    def __init__(self, client):
        self.client = client

    def expect(self, line: str, *codes: int):
        if line:
            self.client.send_line(line)
        reply = self.client.reply()
        if reply.code not in codes:
            assert reply.code >= 400, f"{line}: {reply}"
            raise Over
        return reply

    def open_data(self, command: str):
        port = int(self.expect("EPSV", 229).text.split("|")[3])
        data = self.client.connect_data((self.client.host, port))
        self.expect(command, 150)
        return data

    def download(self) -> None:
        data = self.open_data("RETR secret-name")
        received, is_clean = b"", True
        try:
            while part := data.socket.recv(65536):
                received += part
        except ConnectionResetError:
            is_clean = False
        data.close()
        assert not is_clean or received == CONTENT, f"a clean end after {len(received)} bytes"
        self.expect("", 226)
        assert is_clean, "226 for a part"

    def upload(self, stored: list) -> None:
        data = self.open_data("STOR secret-name")
        try:
            data.send(CONTENT)
            data.end()
        except OSError:
            data.close()
        self.expect("", 226)
        assert stored[-1] == (CONTENT, "close_notify"), "226 for a part"

    def session(self, stored: list) -> bool:
        """True: all went well."""
        try:
            self.expect("", 220)
            self.expect("USER anna", 331)
            self.expect("PASS geheim", 230)
            self.expect("TYPE I", 200)
            self.download()
            self.upload(stored)
            self.expect("QUIT", 221)
            return True
        except Over:
            return False
        finally:
            self.client.close()


@pytest.fixture
def stored() -> list:
    """What the server has got, and how it ended."""
    return []


@pytest.fixture
def middle(play, running, certificate, stored) -> Middle:
    context = secure_script.context_for(certificate)
    made = []
    made.append(running.add(Middle(play(lambda session: honest(session, context, made, stored)))))
    return made[0]


def assert_nothing_wrong(middle: Middle, stored: list) -> None:
    for content, end in stored:
        assert end == "cut" or content == CONTENT, "a part was given out for the whole"
    assert_nothing_is_seen(bytes(middle.seen), SECRETS)


@pytest.fixture
def attacked(middle, stored, start_proxy):
    """attacked(act) -> (whether all went well, how many pieces there were); checks what may never be wrong."""
    proxy = start_proxy(server=middle, name=HERE)

    def attack(act):
        middle.count, middle.act = 0, act
        is_well = User(proxy.connect()).session(stored)
        assert_nothing_wrong(middle, stored)
        return is_well, middle.count

    return attack


@pytest.mark.parametrize("how", HOW)
def test_cut_at_every_step(attacked, how):
    is_well, pieces = attacked(lambda number, is_data: None)
    assert is_well and pieces > 25
    ended_badly = 0
    for step in range(pieces):
        is_well, _ = attacked(lambda number, is_data: how if number == step else None)
        ended_badly += not is_well
    assert ended_badly > pieces // 2, "most steps matter"


@pytest.mark.parametrize("verb", ["get", "put"])
def test_get_and_put(middle, stored, directory, verb):
    """The same for these: a code that is not 0 for what did not go well, and no part that looks like the whole."""
    client = Safetp(directory / "user")
    url = f"ftp://anna@{HERE}:{middle.port}/secret-name"
    client.environment["SAFETP_PASSWORD"] = "geheim"
    here = client.directory / "secret-name"

    def attack(act) -> int:
        middle.count, middle.act = 0, act
        here.unlink(missing_ok=True)
        if verb == "put":
            here.write_bytes(CONTENT)
        code = client.run(verb, *([here] if verb == "put" else []), url).code
        assert (code == 0) <= (here.exists() and here.read_bytes() == CONTENT) and (verb == "put" or here.exists() == (code == 0))
        assert verb == "get" or code != 0 or stored[-1] == (CONTENT, "close_notify")
        assert_nothing_wrong(middle, stored)
        return code

    assert attack(lambda number, is_data: None) == 0
    pieces = middle.count
    codes = {attack(lambda number, is_data: HOW[step % 3] if number == step else None) for step in range(pieces)}
    assert {safetp.UNREACHABLE, safetp.NOT_TRUSTED, safetp.TRY_AGAIN} & codes and codes <= {0, 1, 69, 75, 76, 77}, codes


@pytest.mark.parametrize("what", ["control", "data", "both"])
def test_delays(attacked, what):
    """Whichever of the two connections lags behind, nothing is lost."""

    def act(number, is_data):
        if what == "both" or is_data == (what == "data"):
            time.sleep(0.02)

    assert attacked(act)[0]
