"""A raw FTP server that plays a script: for what no real one does on command, as odd, broken and hostile replies.

A script is a function of one `Session`; each control connection runs it in a thread of its own. An exception in it fails
the test at `close()`. `normal_login` and friends are the usual parts between the odd ones.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from typing import Callable

from .client import SAFETY_NET


class Session:
    """The server's end of a control connection."""

    def __init__(self, connection: socket.socket, seen: list[bytes]):
        self.socket = connection
        self.socket.settimeout(SAFETY_NET)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.seen = seen
        self.listener: socket.socket | None = None
        self.active_peer: tuple[str, int] | None = None

    def say(self, *lines: str | bytes) -> None:
        for line in lines:
            self.raw((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> bytes:
        """The next command line; EOFError when the gateway has hung up."""
        while b"\n" not in self.buffer:
            try:
                part = self.socket.recv(65536)
            except ssl.SSLError as error:
                if error.reason != "UNEXPECTED_EOF_WHILE_READING":
                    raise
                part = b""  # no close_notify: whether that is right is not what is read for here
            if not part:
                raise EOFError("the gateway closed the control connection")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), f"the gateway sent a line without CR LF: {line!r}"
        self.seen.append(line[:-1])
        return line[:-1]

    def expect(self, verb: str) -> bytes:
        """Reads a command; anything but the verb is a mistake of the gateway or of the test."""
        line = self.read()
        assert line.split(b" ")[0].upper() == verb.encode(), f"expected {verb}, the gateway sent {line!r}"
        return line

    def login(self) -> None:
        self.say("220 scripted")
        self.serve_until("PASS", {"USER": "331 password?", "FEAT": "500 ?"})
        self.say("230 in")

    def serve_until(self, verb: str, replies: dict[str, str] | None = None) -> bytes:
        """Answers what comes with the usual replies until the verb comes, which is left unanswered."""
        known = {
            "TYPE": "200 ok",
            "NOOP": "200 ok",
            "OPTS": "200 ok",
            "SYST": "215 UNIX Type: L8",
            "PWD": '257 "/"',
            "FEAT": "502 no",
        }
        known |= replies or {}
        while True:
            line = self.read()
            name = line.split(b" ")[0].decode("latin-1").upper()
            if name == verb:
                return line
            if name in ("EPSV", "PASV", "PORT", "EPRT") and name not in known:
                self.prepare_data(name, line)
            else:
                self.say(known.get(name, "502 not in the script"))

    def serve_rest(self, replies: dict[str, str] | None = None) -> None:
        """Answers until QUIT or the end of the connection."""
        try:
            self.serve_until("QUIT", replies)
            self.say("221 bye")
        except (EOFError, ConnectionResetError):
            pass

    # -- data -----------------------------------------------------------------------------------------------------------------
    def listen(self) -> int:
        if self.listener is not None:
            self.listener.close()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(SAFETY_NET)
        return self.listener.getsockname()[1]

    def prepare_data(self, name: str, line: bytes) -> None:
        if name == "EPSV":
            self.say(f"229 Extended passive mode OK (|||{self.listen()}|)")
        elif name == "PASV":
            port = self.listen()
            self.say(f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})")
        elif name == "PORT":
            numbers = [int(number) for number in line.split(b" ")[1].split(b",")]
            self.active_peer = (".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5])
            self.say("200 PORT ok")
        else:
            _, _, address, port, _ = line.split(b" ")[1].decode().split("|")
            self.active_peer = (address, int(port))
            self.say("200 EPRT ok")

    def data(self) -> socket.socket:
        """The data connection that was prepared last."""
        if self.listener is not None:
            connection, _ = self.listener.accept()
        else:
            connection = socket.create_connection(self.active_peer, SAFETY_NET)
        connection.settimeout(SAFETY_NET)
        return connection


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class ScriptedServer:
    def __init__(self, script: Callable[[Session], None], address: str = "127.0.0.1"):
        self.script = script
        self.seen: list[bytes] = []  # every command line of every session
        self.failures: list[BaseException] = []
        self.listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.address, self.port = self.listener.getsockname()[:2]
        self.threads: list[threading.Thread] = []
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        session = Session(connection, self.seen)
        try:
            self.script(session)
        except (EOFError, ConnectionError):
            pass  # the gateway hung up: whether it may is for the test to say, at the client's end
        except BaseException as error:
            self.failures.append(error)
        finally:
            connection.close()
            if session.listener is not None:
                session.listener.close()

    def close(self) -> None:
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.accepting.join(10)
        for thread in self.threads:
            thread.join(SAFETY_NET)
        if self.failures:
            raise self.failures[0]
