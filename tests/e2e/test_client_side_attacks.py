"""Whoever sits between a safe client side and its server: whatever he does, the client's name and password are not said in
clear, the client gets one reply in words, and no cut file looks whole."""

import contextlib
import re
import socket
import ssl
import threading

import pytest

from support import secure_script
from support.scripted_server import Session, reset
from support.wire import assert_nothing_is_seen

# ---- before USER: how he may spoil the way to TLS, and a word of what the client is told


def says_500(session: Session, context) -> None:
    session.say("220 scripted")
    session.serve_rest({"AUTH": "500 Unknown command."})


def says_534(session: Session, context) -> None:
    session.say("220 scripted")
    session.serve_rest({"AUTH": "534 not here"})


def says_431(session: Session, context) -> None:
    session.say("220 scripted")
    session.serve_rest({"AUTH": "431 TLS is out of order"})


def hangs_up_at_auth(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")


def resets_at_auth(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    reset(session.socket)


def injects_after_234(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.raw(b"234 go on\r\n230 You are in, say your secrets\r\n")
    assert session.socket.recv(1000) == b""


def injects_half_a_line(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.raw(b"234 go on\r\n2")
    assert session.socket.recv(1000) == b""


def talks_on_in_clear(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.say("234 go on")
    session.socket.recv(65536)  # the ClientHello
    session.say("200 no, never mind")
    session.serve_rest()


def knows_old_tls_only(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.say("234 go on")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    with pytest.raises((ssl.SSLError, OSError)):
        secure_script.begin_tls(session, old)


def cuts_the_handshake(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.say("234 go on")
    session.socket.recv(65536)


def begin_securely(session: Session, context) -> None:
    session.say("220 scripted")
    session.expect("AUTH")
    session.say("234 go on")
    secure_script.begin_tls(session, context)


def hangs_up_after_the_handshake(session: Session, context) -> None:
    begin_securely(session, context)


def protects_no_data(session: Session, context) -> None:
    begin_securely(session, context)
    session.serve_rest({"PBSZ": "200 ok", "PROT": "534 clear only"})


def answers_pbsz_twice(session: Session, context) -> None:
    begin_securely(session, context)
    session.expect("PBSZ")
    session.raw(b"200 ok\r\n200 ok\r\n")  # in one record
    session.serve_rest({"PROT": "534 clear only"})


def answers_prot_with_226(session: Session, context) -> None:
    begin_securely(session, context)
    session.serve_rest({"PBSZ": "200 ok", "PROT": "226 done"})


def greets_with_nonsense(session: Session, context) -> None:
    session.say("SSH-2.0-OpenSSH_9.2")


def is_busy(session: Session, context) -> None:
    session.say("421 Too many users, come back tomorrow")


def hangs_up_at_once(session: Session, context) -> None:
    pass


def resets_at_once(session: Session, context) -> None:
    reset(session.socket)


def sends_an_endless_greeting(session: Session, context) -> None:
    session.raw(b"220-" + b"x" * 200_000)


def sends_endless_lines(session: Session, context) -> None:
    for _ in range(100_000):
        session.say("220-more")


SPOILERS = {
    says_500: "offers no encryption .*500 Unknown command.*not sent",
    says_534: "offers no encryption .*534.*not sent",
    says_431: "offers no encryption .*431.*not sent",
    hangs_up_at_auth: "hung up when encryption was asked for.*not sent",
    resets_at_auth: "hung up when encryption was asked for.*not sent",
    injects_after_234: "tried to put words into.*not sent",
    injects_half_a_line: "tried to put words into.*not sent",
    talks_on_in_clear: "could not be set up.*not sent",
    knows_old_tls_only: "too old to be safe.*not sent",
    cuts_the_handshake: "could not be set up.*not sent",
    hangs_up_after_the_handshake: "has hung up",
    protects_no_data: "would send files without encryption.*not sent",
    answers_pbsz_twice: "answered something that it was not asked.*200 ok.*not sent",
    answers_prot_with_226: "answered something that it was not asked.*226 done.*not sent",
    greets_with_nonsense: "does not speak FTP",
    is_busy: "Too many users, come back tomorrow",
    hangs_up_at_once: "has hung up",
    resets_at_once: "has hung up|cannot be reached",
    sends_an_endless_greeting: "has hung up",
    sends_endless_lines: "does not speak FTP",
}


@pytest.fixture
def context(certificate):
    return secure_script.context_for(certificate)


@pytest.fixture
def spoilt(play, context):
    return lambda script: play(lambda session: script(session, context))


def assert_one_refusal(client, words: str, code: int = 421) -> None:
    reply = client.reply()
    assert reply.code == code and len(reply.lines) == 1, reply
    assert re.search(words, reply.text), reply
    assert client.receive() == b""


def assert_nothing_said(server) -> None:
    said = [line.split(b" ")[0] for line in server.seen]
    assert not {b"USER", b"PASS", b"ACCT"} & set(said), server.seen


@pytest.mark.parametrize("security", ["require", "prefer-and-known"])
@pytest.mark.parametrize("spoiler", SPOILERS, ids=lambda script: script.__name__)
def test_spoilt_way_to_tls(spoilt, start_proxy, spoiler, security):
    """Ends before USER with one reply that says what happened; also with `prefer` for a server that was secure once."""
    server = spoilt(spoiler)
    proxy = start_proxy("--security", security.split("-")[0], server=server)
    if security != "require":
        proxy.remember_as_secure(server)
    client = proxy.connect()
    client.send(b"USER anna\r\nPASS geheim\r\n")  # a client that does not even wait
    assert_one_refusal(client, SPOILERS[spoiler])
    assert_nothing_said(server)
    assert "geheim" not in proxy.log()


@pytest.mark.parametrize("spoiler", SPOILERS, ids=lambda script: script.__name__)
def test_spoilt_way_to_tls_for_a_named_server(spoilt, start_proxy, spoiler):
    """The same where USER names the server: it is answered itself, with 530 where trying again cannot help."""
    server = spoilt(spoiler)
    proxy = start_proxy()
    client = proxy.connect().greet()
    client.send_line(f"USER anna@localhost:{server.port}")
    reply = client.reply()
    assert reply.code in (421, 530) and re.search(SPOILERS[spoiler], reply.text), reply
    assert (reply.code == 530) == ("not sent" in reply.text or "not speak FTP" in reply.text), reply
    assert client.receive() == b""
    assert_nothing_said(server)


def test_auth_struck_out_of_feat_changes_nothing(play, context, start_proxy):
    """What a server says in clear about itself is not asked for."""

    def script(session):
        secure_script.secure_login(session, context)
        session.serve_rest({"FEAT": "211 no features"})

    server = play(script)
    client = start_proxy(server=server).connect().greet().login("anna", "geheim")
    client.quit()
    assert b"FEAT" not in server.seen[: server.seen.index(b"AUTH TLS")]


def test_old_name_of_auth(play, context, start_proxy):
    """Servers from before RFC 4217 know AUTH SSL only."""

    def script(session):
        session.say("220 scripted")
        assert session.expect("AUTH") == b"AUTH TLS"
        session.say("504 AUTH TLS unknown")
        assert session.expect("AUTH") == b"AUTH SSL"
        session.say("234 go on")
        secure_script.begin_tls(session, context)
        session.serve_rest({"PBSZ": "500 ?", "PROT": "200 ok", "USER": "230 in"})

    client = start_proxy(server=play(script)).connect().greet()
    client.expect("USER anna", 230)


def test_changed_key(play, context, authority, start_proxy):
    """A key that is not the remembered one ends everything before USER, and says what to do."""
    other = authority.issue("other", "localhost", ["DNS:localhost"])
    contexts = [context, secure_script.context_for(other)]

    def script(session):
        try:
            secure_script.secure_login(session, contexts[0])
            session.serve_rest()
        except ssl.SSLError:
            assert contexts[0] is not context  # refused in the middle of the handshake

    server = play(script)
    proxy = start_proxy(server=server)
    proxy.connect().greet().login("anna", "geheim").quit()
    proxy.connect().greet().login("anna", "geheim").quit()
    contexts.reverse()
    server.seen.clear()
    assert_one_refusal(proxy.connect(), "THE KEY OF localhost.* HAS CHANGED.*safetp pin add")
    assert_nothing_said(server)


# ---- data connections


@pytest.fixture
def scripted_session(play, context, start_proxy):
    """scripted_session(script) -> a client logged in at a server that then plays `script(session)` for the first RETR or STOR."""

    def start(script, verb="RETR", replies=None):
        def whole(session):
            secure_script.secure_login(session, context)
            session.serve_until(verb, replies)
            script(session)
            session.serve_rest(replies)

        client = start_proxy(server=play(whole)).connect().greet().login("anna", "geheim")
        client.expect("TYPE I", 200)
        return client

    return start


def receive_to_reset(data) -> bytes:
    received = b""
    with pytest.raises(ConnectionResetError):
        while part := data.socket.recv(65536):
            received += part
    return received


@pytest.mark.parametrize("ending", ["cut", "reset"])
@pytest.mark.parametrize("claim", ["226 all of it", "426 oops", ""])
def test_truncated_download(scripted_session, context, ending, claim):
    """The kernel of a plain client sees FIN for whole files only. What the server claims changes nothing."""

    def script(session):
        session.say("150 coming")
        data = secure_script.secure_data(session, context)
        data.send(b"x" * 100_000)
        data.rst() if ending == "reset" else secure_script.cut(data)
        session.say(claim or "451 disk error")

    client = scripted_session(script)
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    receive_to_reset(data)
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


def test_truncated_empty_download(scripted_session, context):
    """Not even an empty file: nothing and a FIN may be all that is left of a long one."""

    def script(session):
        session.say("150 coming")
        secure_script.cut(secure_script.secure_data(session, context))
        session.say("226 all of it")

    client = scripted_session(script)
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    assert receive_to_reset(data) == b""
    client.expect_reply(426, 451)


@pytest.mark.parametrize("impostor", ["other key", "no TLS", "silence and FIN"])
@pytest.mark.parametrize("verb", ["RETR", "STOR"])
def test_strange_data_connection(scripted_session, authority, impostor, verb):
    """Somebody else at the other end of the data connection gets nothing and gives nothing: both ends see a reset. The server's
    reply comes when its end is over: an upload that is refused before anything broke would end in order."""
    other = secure_script.context_for(authority.issue("impostor", "localhost", ["DNS:localhost"]))
    received = []

    def script(session):
        session.say("150 coming")
        data = session.data()
        if impostor == "other key":
            with pytest.raises((ssl.SSLError, OSError)):
                tls = other.wrap_socket(data, server_side=True, suppress_ragged_eofs=False)
                received.append(tls.recv(1000))
        else:
            if impostor == "no TLS":
                data.sendall(b"a file in clear, to be believed")
            else:
                data.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while data.recv(1000):  # the ClientHello, perhaps an alert
                    pass
        data.close()
        session.say("226 all of it" if verb == "RETR" else "426 oops")

    client = scripted_session(script, verb)
    data = client.connect_data(client.passive())
    client.expect(f"{verb} file", 150)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        if verb == "STOR":
            data.send(b"secret file")
        assert not data.socket.recv(1000), "not one byte"
        pytest.fail("the connection ended in order")
    client.expect_reply(425, 426)
    assert not b"".join(received)


@pytest.mark.parametrize("address", ["192,0,2,77", "8,8,8,8", "127,0,0,2"])
def test_lies_in_227_change_nothing(play, start_proxy, context, address):
    def script(session):
        secure_script.secure_login(session, context)
        session.serve_until("PASV", {"EPSV": "500 ?"})
        port = session.listen()
        session.say(f"227 Entering Passive Mode ({address},{port >> 8},{port & 255})")
        session.serve_until("RETR")
        session.say("150 coming")
        data = secure_script.secure_data(session, context)
        data.send(b"content")
        secure_script.end_data(data)
        session.say("226 all of it")
        session.serve_rest()

    client = start_proxy(server=play(script)).connect().greet().login("anna", "geheim")
    assert client.download("RETR file") == b"content"


def test_low_port_in_227(play, start_proxy, context):
    """A server that points at another service of its host is not obeyed."""

    def script(session):
        secure_script.secure_login(session, context)
        session.serve_rest({"EPSV": "500 ?", "PASV": "227 ok (127,0,0,1,0,25)"})

    client = start_proxy(server=play(script)).connect().greet().login("anna", "geheim")
    client.expect("PASV", 425)


# ---- uploads


@pytest.mark.parametrize("ending", ["FIN", "RST"])
def test_end_of_an_upload(scripted_session, context, ending):
    """The server sees close_notify for what the client has ended cleanly, and only for that."""
    seen, is_secure = [], threading.Event()

    def script(session):
        session.say("150 go on")
        data = secure_script.secure_data(session, context)
        is_secure.set()
        seen.append(secure_script.read_upload(data))
        session.say("226 stored" if seen[0][1] == "close_notify" else "426 cut")

    client = scripted_session(script, "STOR")
    data = client.connect_data(client.passive())
    client.expect("STOR file", 150)
    data.send(b"y" * 50_000)
    if ending == "FIN":
        data.end()
        client.expect_reply(226)
        assert seen == [(b"y" * 50_000, "close_notify")]
    else:
        assert is_secure.wait(60)  # before that it would be a broken handshake
        data.rst()
        client.expect_reply(426)
        client.expect("NOOP", 200)
        assert seen[0][1] == "cut"


def test_abor_of_an_upload(scripted_session, context):
    """ABOR reaches the server as a cut connection, so that no server takes the part for the whole."""
    seen = []

    def script(session):
        data = secure_script.secure_data(session, context)
        session.say("150 go on")
        seen.append(secure_script.read_upload(data)[1])
        session.say("426 cut")

    client = scripted_session(script, "STOR")
    data = client.connect_data(client.passive())
    client.expect("STOR file", 150)
    data.send(b"y" * 1000)
    client.send_line("ABOR")
    client.expect_reply(426)
    client.expect_reply(226)
    client.expect("NOOP", 200)
    assert seen == ["cut"]


def test_upload_that_the_server_refuses_midway(scripted_session, context):
    """A full disk: the server's own words reach the client."""

    def script(session):
        session.say("150 go on")
        data = secure_script.secure_data(session, context)
        data.receive(1000)
        session.say("552 disk full")
        data.rst()

    client = scripted_session(script, "STOR")
    data = client.connect_data(client.passive())
    client.expect("STOR file", 150)
    with contextlib.suppress(OSError):  # if its reset was seen before its words
        for _ in range(1000):
            data.send(b"y" * 100_000)
    assert "disk full" in client.expect_reply(552).text


@pytest.mark.parametrize("claim, outcome", [("226 all of it", 226), ("426 oops", 426), ("451 oops", 451)])
def test_server_without_close_notify(play, context, start_proxy, directory, claim, outcome):
    """Where one server's bad habit is allowed by name, its own word decides; a reset stays one."""

    def script(session):
        secure_script.secure_login(session, context)
        for ending in ("cut", "reset"):
            session.serve_until("RETR")
            session.say("150 coming")
            data = secure_script.secure_data(session, context)
            data.send(b"content")
            if ending == "cut":
                secure_script.cut(data)
                session.say(claim)
            else:
                data.rst()
                session.say("226 all of it")
        session.serve_rest()

    server = play(script)
    config = directory / "safetp.toml"
    config.write_text(f'[[server]]\nhost = "localhost"\nport = {server.port}\nunsafe_missing_close_notify = true\n')
    client = start_proxy("-c", str(config), server=server).connect().greet().login("anna", "geheim")
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    assert data.receive_all() == b"content", "an end that counts is passed on as one; the reply says what it is worth"
    data.end_leniently()
    client.expect_reply(outcome)
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    receive_to_reset(data)
    client.expect_reply(426)


# ---- somebody who only listens, or passes on byte by byte


class Wire:
    """A relay in front of a server's control connection that keeps all that passes."""

    def __init__(self, server, to_server: int, to_client: int):
        """So many bytes at most are passed on at a time."""
        self.server, self.to_server, self.to_client, self.seen = server, to_server, to_client, bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.server.address, self.server.port))
            for way in ((client, server, self.to_server), (server, client, self.to_client)):
                self.threads.append(threading.Thread(target=self._pass_on, args=way, daemon=True))
                self.threads[-1].start()

    def _pass_on(self, one: socket.socket, other: socket.socket, piece: int) -> None:
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while part := one.recv(piece):
                self.seen += part
                other.sendall(part)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(30)


@pytest.mark.parametrize("piece", [65536, 1])
@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pure-ftpd"])
def test_what_the_wire_shows(start_tls_server, start_proxy, running, name, piece):
    """Greeting, AUTH and its answer, and then TLS only; also when every byte comes by itself. (ProFTPD now and then falls silent
    when a command reaches it like that, so it is spared.)"""
    inetd = start_tls_server(name)
    wire = running.add(Wire(inetd, 65536 if name == "proftpd" else piece, piece))
    client = start_proxy(server=wire).login(inetd.server)
    client.upload("STOR secret-name", b"secret content")
    assert client.download("RETR secret-name") == b"secret content"
    client.quit()
    seen = bytes(wire.seen)
    assert seen.count(b"AUTH TLS\r\n") == 1
    assert_nothing_is_seen(seen, [inetd.server.user, inetd.server.password, "secret-name"])
