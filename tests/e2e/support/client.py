"""An FTP client that does exactly what the test says, right or wrong, byte by byte.

TLS runs over memory buffers (`ssl.MemoryBIO`), so the test owns the socket: it can hold back a ClientHello, send plain
bytes where TLS is expected, or cut the connection with FIN or RST and no close_notify. Whether the other side's end was
orderly is told apart by the exceptions below, never guessed from an empty read.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from dataclasses import dataclass

SAFETY_NET = 30  # seconds; a test that waits this long has failed


class Truncated(Exception):
    """FIN without close_notify: the sender never said that this was all."""


@dataclass
class Reply:
    code: int
    lines: list[bytes]

    @property
    def text(self) -> str:
        return b"\n".join(self.lines).decode("utf-8", "replace")

    def __str__(self) -> str:
        return self.text


class Channel:
    """A TCP connection, plain or TLS as the test decides."""

    def __init__(self, connection: socket.socket):
        self.socket = connection
        self.socket.settimeout(SAFETY_NET)
        self.tls: ssl.SSLObject | None = None
        self.buffer = b""

    # -- TLS ------------------------------------------------------------------------------------------------------------------
    def prepare_tls(self, context: ssl.SSLContext, session=None, server_name: str | None = None, server_side=False) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming, self.outgoing, server_side, server_hostname=server_name, session=session
        )

    def client_hello(self) -> None:
        """Sends the first flight and does not wait for the answer."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self.flush()

    def handshake(self) -> None:
        self._tls_step(self.tls.do_handshake)

    def start_tls(self, context: ssl.SSLContext, session=None, server_name: str | None = None) -> None:
        self.prepare_tls(context, session, server_name)
        self.handshake()

    def flush(self) -> None:
        if pending := self.outgoing.read():
            self.socket.sendall(pending)

    def _tls_step(self, step, *arguments):
        while True:
            try:
                result = step(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                received = self.socket.recv(65536)
                if received:
                    self.incoming.write(received)
                else:
                    self.incoming.write_eof()
            except ssl.SSLError:
                try:
                    self.flush()  # our alert
                except OSError:
                    pass
                raise

    def close_notify(self) -> None:
        """Sends ours; does not wait for theirs."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLError):
            pass
        self.flush()

    def await_close_notify(self) -> None:
        """Reads to the other side's orderly end, throwing away what comes before it."""
        while self.receive():
            pass

    def end_tls(self) -> None:
        """CCC: close_notify both ways, then plain text on the same connection."""
        self._tls_step(self.tls.unwrap)
        self.tls = None

    # -- bytes ----------------------------------------------------------------------------------------------------------------
    def send(self, data: bytes) -> None:
        if self.tls is None:
            self.socket.sendall(data)
            return
        view = memoryview(data)
        while view:
            view = view[self._tls_step(self.tls.write, view) :]

    def receive(self, most: int = 65536) -> bytes:
        """Some bytes; b"" at an orderly end (FIN on a plain connection, close_notify under TLS)."""
        if self.tls is None:
            return self.socket.recv(most)
        try:
            return self._tls_step(self.tls.read, most)
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLEOFError as error:
            raise Truncated() from error

    def receive_all(self) -> bytes:
        parts = []
        while part := self.receive():
            parts.append(part)
        return b"".join(parts)

    def read_line(self) -> bytes:
        while b"\n" not in self.buffer:
            part = self.receive()
            if not part:
                raise EOFError(f"connection closed; unfinished line: {self.buffer!r}")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise AssertionError(f"a reply line that does not end in CR LF: {line!r}")
        return line[:-1]

    def has_more(self, seconds: float) -> bool:
        """Whether anything comes within the time: only for asserting that nothing does."""
        if self.buffer or (self.tls is not None and self.tls.pending()):
            return True
        self.socket.settimeout(seconds)
        try:
            self.buffer += self.receive()
            return bool(self.buffer)
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(SAFETY_NET)

    # -- endings --------------------------------------------------------------------------------------------------------------
    def fin(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def rst(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def end(self) -> None:
        """As a good client does it: close_notify under TLS, then FIN, then read to the other side's end."""
        if self.tls is not None:
            self.close_notify()
        self.fin()
        while self.receive():
            pass
        self.close()

    def end_leniently(self) -> None:
        """The same after a download, when the other side may have closed already: not what the test is about."""
        try:
            self.end()
        except OSError:
            self.close()


class FtpClient(Channel):
    """The control connection."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str | None = None, timeout: float = SAFETY_NET):
        connection = socket.create_connection((host, port), timeout, (source, 0) if source else None)
        super().__init__(connection)
        self.host = host
        self.source = source
        self.context: ssl.SSLContext | None = None
        self.server_name: str | None = None
        self.protected = False
        self.greeting: Reply | None = None

    def greet(self) -> FtpClient:
        self.greeting = self.reply()
        assert self.greeting.code == 220, self.greeting
        return self

    def reply(self) -> Reply:
        first = self.read_line()
        if not re.match(rb"\d\d\d[ -]", first):
            raise AssertionError(f"not a reply: {first!r}")
        lines = [first]
        end = first[:3] + b" "
        while first[3:4] == b"-" and not (len(lines) > 1 and lines[-1].startswith(end)):
            lines.append(self.read_line())
        return Reply(int(first[:3]), lines)

    def command(self, line: str | bytes) -> Reply:
        self.send_line(line)
        return self.reply()

    def send_line(self, line: str | bytes) -> None:
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def expect(self, line: str | bytes, *codes: int) -> Reply:
        reply = self.command(line)
        assert reply.code in codes, f"{line!r} was answered {reply}, expected {codes}"
        return reply

    def expect_reply(self, *codes: int) -> Reply:
        reply = self.reply()
        assert reply.code in codes, f"got {reply}, expected {codes}"
        return reply

    def auth(self, context: ssl.SSLContext, mechanism: str = "TLS", session=None, server_name: str | None = None) -> FtpClient:
        self.expect(f"AUTH {mechanism}", 234)
        self.context, self.server_name = context, server_name
        self.start_tls(context, session, server_name)
        return self

    def login(self, user: str, password: str) -> FtpClient:
        self.expect(f"USER {user}", 331)
        self.expect(f"PASS {password}", 230)
        return self

    def quit(self) -> None:
        self.expect("QUIT", 221)
        assert self.receive() == b""
        self.end_leniently()

    def protect(self, level: str = "P") -> FtpClient:
        self.expect("PBSZ 0", 200)
        self.expect(f"PROT {level}", 200)
        self.protected = level == "P"
        return self

    # -- data connections -----------------------------------------------------------------------------------------------------
    def passive(self, command: str = "EPSV") -> tuple[str, int]:
        reply = self.expect(command, 229 if command.startswith("EPSV") else 227)
        if reply.code == 229:
            match = re.search(r"\(\|\|\|(\d+)\|\)", reply.text)
            assert match, f"not the form of RFC 2428: {reply}"
            return self.host, int(match[1])
        match = re.search(r"\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)", reply.text)
        assert match, f"not the form of RFC 959: {reply}"
        numbers = [int(number) for number in match.groups()]
        return ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]

    def connect_data(self, address: tuple[str, int]) -> Channel:
        return Channel(socket.create_connection(address, SAFETY_NET, (self.source, 0) if self.source else None))

    def active(self, command: str = "EPRT") -> socket.socket:
        """Listens where our control connection ends, and says so."""
        own = self.socket.getsockname()[0]
        family = socket.AF_INET6 if ":" in own else socket.AF_INET
        listener = socket.create_server((own, 0), family=family)
        listener.settimeout(SAFETY_NET)
        port = listener.getsockname()[1]
        if command == "PORT":
            self.expect(f"PORT {own.replace('.', ',')},{port >> 8},{port & 255}", 200)
        else:
            self.expect(f"EPRT |{2 if ':' in own else 1}|{own}|{port}|", 200)
        return listener

    def protect_data(self, data: Channel, session="control") -> Channel:
        """The TLS handshake on a data connection, resuming the control connection's session unless told otherwise."""
        if self.protected:
            data.start_tls(self.context, self.tls.session if session == "control" else session, self.server_name)
        return data

    def open_data(self, verb: str | bytes, mode: str = "EPSV", session="control") -> Channel:
        """Prepares a data connection in the mode named, sends the verb, and returns the data channel after the 150."""
        if mode in ("EPSV", "PASV"):
            data = self.connect_data(self.passive(mode))
            self.expect(verb, 150, 125)
        else:
            with self.active(mode) as listener:
                self.send_line(verb)
                connection, _ = listener.accept()
                data = Channel(connection)
                self.expect_reply(150, 125)
        return self.protect_data(data, session)

    def download(self, verb: str | bytes, mode: str = "EPSV", session="control") -> bytes:
        data = self.open_data(verb, mode, session)
        content = data.receive_all()
        data.end_leniently()
        self.expect_reply(226, 250)
        return content

    def upload(self, verb: str | bytes, content: bytes, mode: str = "EPSV", session="control") -> Reply:
        data = self.open_data(verb, mode, session)
        data.send(content)
        data.end()
        return self.expect_reply(226, 250)
