"""safetp run and ports that nobody has named: FTP is recognised by what both ends say first, and all else goes through as it is."""

import http.server
import random
import socket
import threading

import pytest

from support import ftpds, secure_script
from support.client import SAFETY_NET
from support.safetp import Safetp
from support.scripted_server import reset
from support.watched import python

CONTENT = random.Random("unknown").randbytes(3_000_000)
LOGIN = f"{ftpds.USER}:{ftpds.PASSWORD}"


@pytest.fixture
def inetd(start_tls_server):
    """A vsftpd that lets nobody log in without TLS."""
    inetd = start_tls_server("vsftpd")
    inetd.server.put("orders", CONTENT)
    return inetd


@pytest.fixture
def run(directory):
    return Safetp(directory / "run")


# ---- FTP


@pytest.mark.parametrize("way", ["words", "typed", "script"])
def test_ftp(inetd, run, way):
    """The port as a word of its own, typed, or in a script: the server's log saw TLS, or no login."""
    words = ["tnftp", "-n", "127.0.0.1", str(inetd.port)] if way == "words" else ["tnftp", "-n"]
    lines = [f"user {ftpds.USER} {ftpds.PASSWORD}", "binary", "get orders", "put orders sent", "bye"]
    if way == "typed":
        lines.insert(0, f"open 127.0.0.1 {inetd.port}")
    if way == "script":
        script = run.directory / "script"
        script.write_text(f"tnftp -n 127.0.0.1 {inetd.port} <<END\n" + "\n".join(lines) + "\nEND\n")
        words = ["sh", str(script)]
    done = run.run("run", "--", *words, input="\n".join(lines).encode() + b"\n").expect(0)
    assert (run.directory / "orders").read_bytes() == CONTENT, done
    assert (inetd.server.home / "sent").read_bytes() == CONTENT
    assert [line[0] for line in run.lines()] == [f"127.0.0.1:{inetd.port}"]
    assert "none of the command's connections" not in done.err


@pytest.mark.parametrize("words", [["curl", "-sS", "-u", LOGIN, "-o", "orders"], ["wget", "-q", "-O", "orders"]])
def test_programs_that_do_not_wait(inetd, run, words):
    """Sockets that do not block; the port is hidden from us in a script."""
    secret = f"{LOGIN}@" if words[0] == "wget" else ""
    script = f"host=127.0.0.1:$PORT; {' '.join(words)} ftp://{secret}$host/orders"
    done = run.run("run", "--", "sh", "-c", script, env=run.environment | {"PORT": str(inetd.port)})
    assert done.code == 0 and (run.directory / "orders").read_bytes() == CONTENT, done


def test_own_tls(inetd, run):
    """AUTH is FTP's word, too: the program talks to the server itself, under TLS."""
    open_it = f"open -u {LOGIN.replace(':', ',')} -p {inetd.port} 127.0.0.1"
    settings = "set net:max-retries 1; set ssl:verify-certificate no"
    run.run_lftp("run", "--", "lftp", "--norc", "-e", f"{settings}; {open_it}; get orders; bye").expect(0)
    assert (run.directory / "orders").read_bytes() == CONTENT


BEFORE_THE_GREETING = """
    import socket, sys, time
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(b"USER anna\\r\\nPASS geheim\\r\\n")
    s.settimeout(30)
    print(s.recv(1000))
    s.close()
"""

AFTER_IT = """
    import socket, sys
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    print(s.recv(1000))
    for line in sys.argv[2:]:
        s.sendall(line.encode() + b"\\r\\n")
        print(s.recv(1000), flush=True)
    s.close()
"""


@pytest.mark.parametrize("greeting, command", [
    ("220 ftp", ["USER anna"]),
    ("220-ftp\r\n220 ftp", ["user anna"]),
    ("220 mail ESMTP ready", ["FEAT"]),
    ("230 you are in", ["NOOP", "USER anna"]),
    ("220", ["OPTS UTF8 ON"]),
    ("200 go on", ["PASS geheim"]),
])
def test_no_login_in_clear(play, run, greeting, command):
    """Whoever sits on the way may say what he likes in front of it. The client hears that the server offers no encryption."""

    def script(session):
        session.say(*greeting.split("\r\n"))
        session.serve_rest({"AUTH": "500 ?"})

    server = play(script)
    done = run.run("run", "--", *python(AFTER_IT, server.port, *command)).expect(0)
    assert b"421 " in done.out, done
    assert not [line for line in server.seen if line.upper().startswith((b"USER", b"PASS", b"FEAT", b"OPTS"))], server.seen


def test_no_login_before_the_greeting(play, run):
    """Of a client that does not wait for it."""
    may_greet = threading.Event()

    def script(session):
        may_greet.wait(1 if not session.seen else 0)
        session.say("220 scripted")
        session.serve_rest({"AUTH": "500 ?"})

    server = play(script)
    run.run("run", "--", *python(BEFORE_THE_GREETING, server.port)).expect(0)
    assert not [line for line in server.seen if line.startswith((b"USER", b"PASS"))], server.seen


# ---- all else


class Peer:
    """A server of one connection; `talk(connection)` runs in a thread of its own."""

    def __init__(self, talk, address: str = "127.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, 0), family=family)
        self.port = self.listener.getsockname()[1]
        self.failure = None
        self.thread = threading.Thread(target=self.serve, args=(talk,), daemon=True)
        self.thread.start()

    def serve(self, talk) -> None:
        try:
            self.listener.settimeout(SAFETY_NET)
            connection, _ = self.listener.accept()
            connection.settimeout(SAFETY_NET)
            with connection:
                talk(connection)
        except Exception as failure:  # for the test's own thread
            self.failure = failure

    def close(self) -> None:
        self.thread.join(SAFETY_NET)
        self.listener.close()
        assert self.failure is None, self.failure


@pytest.fixture
def serve(running):
    return lambda talk, **options: running.add(Peer(talk, **options))


def test_web(run, running, directory):
    """An HTTP server on any port, and much data."""
    (directory / "page").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=directory)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/page"
    done = run.run("run", "--", "curl", "-sS", "-o", "one", url, "-o", "two", url).expect(0)
    assert (run.directory / "one").read_bytes() == (run.directory / "two").read_bytes() == CONTENT
    assert "none of the command's connections was FTP" in done.err
    server.shutdown()


def test_tls(run, serve, certificate, authority):
    """Which is the client's to begin."""
    context = secure_script.context_for(certificate)

    def talk(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(secure.recv(100).upper())

    code = """
        import socket, ssl, sys
        context = ssl.create_default_context(cafile=sys.argv[2])
        s = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost")
        s.sendall(b"words")
        assert s.recv(100) == b"WORDS"
    """
    run.run("run", "--", *python(code, serve(talk).port, authority.root.certificate)).expect(0)


@pytest.mark.parametrize("greeting, answer", [
    (b"220 mail.example.com ESMTP\r\n", b"EHLO anna\r\n"),
    (b"220 mail\r\n", b"HELP\r\nHELO anna\r\n"),
    (b"220 dict 1.0\r\n", b"CLIENT x\r\n"),
    (b"200 news\r\n", b"\x00\x01"),
    (b"SSH-2.0-x\r\n", b"SSH-2.0-y\r\n"),
    (b"+OK POP3\r\n", b"USER anna\r\n"),
    (b"\x4a\x00\x00\x00\x0a8.0", b"\x00\x01"),
])
def test_other_protocols(run, serve, greeting, answer):
    """Whatever greets first, and also if it greets as FTP does: the answer is not FTP's."""

    def talk(connection):
        connection.sendall(greeting)
        got = b""
        while len(got) < len(answer):
            got += connection.recv(100)
        assert got == answer
        connection.sendall(b"250 " + CONTENT[:100_000])

    code = """
        import socket, sys
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        got = b""
        while len(got) < len(bytes.fromhex(sys.argv[2])):
            got += s.recv(100)
        assert got == bytes.fromhex(sys.argv[2])
        s.sendall(bytes.fromhex(sys.argv[3]))
        got = b""
        while part := s.recv(100000):
            got += part
        assert len(got) == 100_004
    """
    run.run("run", "--", *python(code, serve(talk).port, greeting.hex(), answer.hex())).expect(0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_half_closed(run, serve, address):
    """An end's FIN is a FIN at the other end, and the answer still comes."""

    def talk(connection):
        got = b""
        while part := connection.recv(100_000):
            got += part
        connection.sendall(str(len(got)).encode())

    code = """
        import socket, sys
        s = socket.create_connection((sys.argv[2], int(sys.argv[1])))
        s.sendall(b"." * 1_000_000)
        s.shutdown(socket.SHUT_WR)
        assert s.recv(100) == b"1000000" and s.recv(100) == b""
    """
    run.run("run", "--", *python(code, serve(talk, address=address).port, address)).expect(0)


def test_reset(run, serve):
    """A reset is a reset."""

    def talk(connection):
        connection.recv(5)
        reset(connection)

    code = """
        import socket, sys
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        s.sendall(b"words")
        try:
            s.recv(100)
        except ConnectionResetError:
            sys.exit(0)
        sys.exit(1)
    """
    run.run("run", "--", *python(code, serve(talk).port)).expect(0)


@pytest.mark.parametrize("blocks", ["blocks", "does not block"])
def test_nobody_there(run, blocks):
    """The kernel's own error, from connect(2)."""
    code = """
        import errno, select, socket, sys
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        s = socket.socket()
        s.setblocking(sys.argv[1] == "blocks")
        error = s.connect_ex(free.getsockname())
        if error == errno.EINPROGRESS:
            select.select([], [s], [], 30)
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert error == errno.ECONNREFUSED, error
    """
    run.run("run", "--", *python(code, blocks)).expect(0)


def test_other_port(run, play):
    """What the user says to be something else is left alone: also the two ends of the connection are as they would be."""

    def script(session):
        session.say("220 scripted")
        session.serve_rest()

    server = play(script)
    code = """
        import socket, sys
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        assert s.getpeername() == ("127.0.0.1", int(sys.argv[1])) and s.recv(100).startswith(b"220")
        s.sendall(b"FEAT\\r\\n")
        assert s.recv(100).startswith(b"502")
    """
    run.run("run", "--other-port", server.port, "--", *python(code, server.port)).expect(0)


def test_quiet_where_nothing_connects(run):
    assert run.run("run", "--", "true").expect(0).err == ""
