"""Raw ftpds that are odd, slow, broken or hostile: the client gets one clear answer, the gateway lives
on."""

import re
import ssl
import time

import pytest

from support.client import Truncated
from support.scripted_server import reset


@pytest.fixture
def before(play, start_gateway, tls):
    """before(script, **settings) -> (client under TLS and logged in, gateway, server)."""

    def start(script, **settings):
        server = play(script)
        gateway = start_gateway(server, **settings)
        return gateway.secure(tls).login("u", "p").protect(), gateway, server

    return start


def answering(replies: dict):
    return lambda session: (session.login(), session.serve_rest(replies))


@pytest.mark.parametrize(
    "lines",
    [
        ("211-Status", "211 over"),
        ("211-Status", " 211 not the end", "220 not either", "211- nor this", "", "2", "211 over"),
        ("200-", "200 "),
        ("213-" + "x" * 2000, "213 " + "y" * 2000),
        ("250-one", "350 two", "250-three", "250 four"),
    ],
)
def test_multi_line_replies_pass_as_they_are(before, lines):
    """RFC 959 section 4.2: only the same code and a space end a reply. Guards against ending at anything that looks like
    one."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.say(*lines)
        session.serve_rest()

    client, _, _ = before(script)
    assert client.command("SITE X").lines == [line.encode() for line in lines]
    client.expect("NOOP", 200)


def test_a_reply_that_is_only_a_code(before):
    """`200` with nothing behind it comes from real servers. The client gets a line with the same code."""
    client, _, _ = before(answering({"SITE": "200"}))
    client.send_line("SITE X")
    assert client.read_line().rstrip() == b"200"
    client.expect("NOOP", 200)


def test_bare_lf_from_the_server(before):
    """Accepted from the raw ftpd, CR LF towards the client."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.raw(b"211-one\n two\n211 three\n")
        session.serve_rest()

    client, _, _ = before(script)
    assert client.command("SITE X").lines == [b"211-one", b" two", b"211 three"]


def test_reply_in_pieces(before):
    """One byte per segment. Guards against taking a segment for a line."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        for byte in b"211-one\r\n211 two\r\n":
            session.raw(bytes([byte]))
        session.serve_rest()

    client, _, _ = before(script)
    client.expect("SITE X", 211)


def test_preliminary_replies(before):
    """1yz is not the final one; there may be several."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.say("120 wait", "120-wait", " more", "120 still", "200 done")
        session.serve_rest()

    client, _, _ = before(script)
    client.send_line("SITE X")
    assert [client.reply().code for _ in range(3)] == [120, 120, 200]
    client.expect("NOOP", 200)


def test_delayed_greeting_120(play, start_gateway, tls):
    """120, then 220: the 120 is not the greeting (RFC 959 section 5.4)."""

    def script(session):
        session.say("120 ready in a minute")
        session.say("220 now")
        session.serve_rest()

    client = start_gateway(play(script)).connect()
    codes = [client.reply().code]
    if codes[-1] == 120:
        codes.append(client.reply().code)
    assert codes[-1] == 220
    client.auth(tls)


@pytest.mark.parametrize(
    "greeting",
    [
        "421 too many users",
        "500 OOPS: cannot change directory",
        "530 go away",
        "230 you are in already",
        "SSH-2.0-OpenSSH_9",
        "HTTP/1.1 400",
        "",
    ],
)
def test_bad_greetings(play, start_gateway, greeting):
    """Every one of them becomes a 421 with a sentence (seen: a proxy closes silently), and the log has the raw ftpd's own words, without
    which nobody finds out what is wrong with it. A 230 before any login is no welcome."""
    gateway = start_gateway(play(lambda session: session.say(greeting)))
    client = gateway.connect()
    client.expect_reply(421)
    assert client.receive() == b""
    gateway.wait_for_log("says: " + re.escape(greeting))


def test_no_greeting_at_all(play, start_gateway):
    """server_greeting runs out: 421."""
    gateway = start_gateway(play(lambda session: session.read()), timeouts={"server_greeting": "1s"})
    client = gateway.connect()
    client.expect_reply(421)
    assert client.receive() == b""


def test_a_client_that_leaves_before_the_greeting(play, start_gateway):
    """While the raw ftpd thinks about its greeting: the session must end with the client, or scans fill the places."""
    gateway = start_gateway(play(lambda session: session.read()))
    gateway.connect().close()
    gateway.connect().rst()
    gateway.wait_for_log(r'(?s)"event": ?"end".*"event": ?"end"', 10)


def test_closes_before_the_greeting(play, start_gateway):
    """As inetd does when the program is missing."""
    client = start_gateway(play(lambda session: None)).connect()
    client.expect_reply(421)


def test_nobody_listens(start_gateway, play):
    """Connection refused: 421, at once, and again for the next client; when the raw ftpd is back, all is well."""
    server = play(lambda session: (session.say("220 back"), session.serve_rest()))
    gateway = start_gateway(server)
    gateway.change(server={"port": gateway.ports[-1]})
    gateway.reload()
    for _ in range(3):
        client = gateway.connect()
        client.expect_reply(421)
        assert client.receive() == b""
    gateway.change(server={"port": server.port})
    gateway.reload()
    gateway.connect().greet()


def test_the_raw_ftpd_goes_away_in_mid_session(before):
    """421 and an orderly end, not silence."""

    def script(session):
        session.login()
        session.serve_until("SITE")

    client, _, _ = before(script)
    client.expect("SITE X", 421)
    assert client.receive() == b""


def test_unsolicited_421(before):
    """The raw ftpd's idle timer. Must reach the client, and not as the answer to its next command."""

    def script(session):
        session.login()
        session.serve_until("NOOP")
        session.say("200 ok", "421 idle for too long")

    client, _, _ = before(script)
    client.expect("NOOP", 200)
    assert "idle" in client.expect_reply(421).text
    assert client.receive() == b""


def test_a_second_final_reply_ends_the_session(before):
    """Nobody knows any more what is a reply to what: 421, and the log has its words."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.raw(b"200 one\r\n200 two\r\n")  # in one piece, so that both are there before the next command is
        session.serve_rest({"SIZE": "213 7"})

    client, gateway, server = before(script)
    client.send(b"SITE X\r\nSIZE x\r\n")
    client.expect_reply(200)
    client.expect_reply(421)
    gateway.wait_for_log("unexpected-reply.*200 two")
    assert b"SIZE x" not in server.seen


def test_endless_preliminary_replies(before):
    """Guards against being kept busy, and against memory filling up: 421, and the session ends."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        while True:
            session.say("150 and so on")

    client, gateway, _ = before(script)
    client.send_line("SITE X")
    while (reply := client.reply()).code == 150:
        pass
    assert reply.code == 421
    gateway.connect().greet()


@pytest.mark.parametrize("line", [b"200 " + b"x" * (10 << 20) + b"\r\n", b"x" * (10 << 20)], ids=["ended", "endless"])
def test_endless_line(before, line):
    """10 MB, with an end or without one: bounded, 421."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.raw(line)
        session.serve_rest()

    client, _, _ = before(script, timeouts={"server_reply": "2s"})
    client.expect("SITE X", 421)
    assert client.receive() == b""


def test_endless_multi_line_reply(before):
    """reply_bytes bounds a whole reply."""

    def script(session):
        session.login()
        session.serve_until("STAT")
        session.say("213-listing")
        while True:
            session.say(*[" " + "entry" * 20] * 100)

    client, _, _ = before(script, limits={"reply_bytes": 100_000})
    client.send_line("STAT /")
    received = 0
    with pytest.raises((EOFError, ConnectionError, Truncated)):
        while True:
            received += len(client.read_line()) + 2
    assert received < 200_000


def test_a_long_reply_within_the_bounds(before):
    """STAT of a large directory: megabytes are fine."""
    listing = [f" entry {number:05} " + "x" * 60 for number in range(30_000)]

    def script(session):
        session.login()
        session.serve_until("STAT")
        session.say("213-listing", *listing, "213 end")
        session.serve_rest()

    client, _, _ = before(script)
    assert len(client.expect("STAT /", 213).lines) == 30_002


def test_a_cr_inside_a_reply(before):
    """Guards against a client that takes CR for the end of a line: response splitting."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.raw(b"200 one\r230 two\r\n")
        session.serve_rest()

    client, _, _ = before(script)
    client.send_line("SITE X")
    line = client.read_line()
    assert b"\r" not in line
    assert client.command("NOOP").code in (200, 421)


# -- data ---------------------------------------------------------------------------------------------------------------------


def serving(content: bytes, replies: dict | None = None):
    def script(session):
        session.login()
        session.serve_until("RETR", replies)
        session.say("150 here")
        with session.data() as data:
            data.sendall(content)
        session.say("226 done")
        session.serve_rest(replies)

    return script


@pytest.mark.parametrize("code", ["500 ?", "501 what", "502 no", "522 only PORT"])
def test_a_server_without_epsv(before, code):
    """Old daemons: EPSV from the client becomes PASV behind."""
    client, _, server = before(serving(b"content", {"EPSV": code}))
    assert client.download("RETR x") == b"content"
    assert b"PASV" in server.seen


def test_a_server_with_port_only(before):
    """Neither EPSV nor PASV: the gateway listens, the client still uses EPSV."""
    client, _, server = before(serving(b"content", {"EPSV": "500 ?", "PASV": "502 behind a firewall"}))
    assert client.download("RETR x") == b"content"
    assert any(line.startswith(b"PORT 127,0,0,1,") for line in server.seen)


def test_epsv_is_not_asked_again_of_a_server_without(before):
    """Guards against a refused command before each file."""

    def script(session):
        session.login()
        for _ in range(3):
            session.serve_until("RETR", {"EPSV": "500 ?"})
            session.say("150 here")
            with session.data() as data:
                data.sendall(b"x")
            session.say("226 done")
        session.serve_rest()

    client, _, server = before(script)
    for _ in range(3):
        client.download("RETR x")
    assert server.seen.count(b"EPSV") == 1


@pytest.mark.parametrize(
    "form",
    ["227 Entering Passive Mode (%s)", "227 Entering Passive Mode %s", "227 =%s", "227 ok (%s).", "227-first line\r\n227 (%s)"],
)
def test_forms_of_227(before, form):
    """RFC 1123: no fixed syntax. Six numbers, wherever they are."""

    def script(session):
        session.login()
        session.serve_until("PASV", {"EPSV": "500 ?"})
        port = session.listen()
        session.say(form % f"127,0,0,1,{port >> 8},{port & 255}")
        session.serve_until("RETR")
        session.say("150 here")
        with session.data() as data:
            data.sendall(b"content")
        session.say("226 done")
        session.serve_rest()

    client, _, _ = before(script)
    assert client.download("RETR x") == b"content"


@pytest.mark.parametrize("form", ["229 ok (|||%d|)", "229 ok (!!!%d!)", "229 (|1|127.0.0.1|%d|)", "229 ok (|||%d|)."])
def test_forms_of_229(before, form):
    """RFC 2428, and what servers make of it."""

    def script(session):
        session.login()
        session.serve_until("EPSV")
        session.say(form % session.listen())
        session.serve_until("RETR")
        session.say("150 here")
        with session.data() as data:
            data.sendall(b"content")
        session.say("226 done")
        session.serve_rest()

    client, _, _ = before(script)
    assert client.download("RETR x") == b"content"


@pytest.mark.parametrize(
    "reply",
    [
        "227 (127,0,0,1,0,80)",
        "227 (127,0,0,1,256,1)",
        "227 ready",
        "227 (1,2,3)",
        "229 (|||0|)",
        "229 (|||70000|)",
        "229 ok",
        "227 (127,0,0,1,0,0)",
    ],
)
def test_bad_data_addresses(before, reply):
    """Privileged, impossible or missing ports: 425, nothing is dialled, the session goes on."""
    refusal = {"EPSV": reply} if reply.startswith("229") else {"EPSV": "500 ?", "PASV": reply}
    client, _, _ = before(answering(refusal))
    client.expect("EPSV", 425, 451, 500, 502)
    client.expect("NOOP", 200)


def test_a_foreign_address_in_227_is_not_dialled(before):
    """Only the port counts; the address is the raw ftpd's own. A listener at the foreign address must see nothing."""
    import socket

    foreign = socket.create_server(("127.0.0.2", 0))
    foreign.settimeout(0.5)

    def script(session):
        session.login()
        session.serve_until("PASV", {"EPSV": "500 ?"})
        port = foreign.getsockname()[1]
        session.listener = socket.create_server(("127.0.0.1", port))
        session.say(f"227 (127,0,0,2,{port >> 8},{port & 255})")
        session.serve_until("RETR")
        session.say("150 here")
        with session.data() as data:
            data.sendall(b"content")
        session.say("226 done")
        session.serve_rest()

    client, _, _ = before(script)
    assert client.download("RETR x") == b"content"
    with pytest.raises(TimeoutError):
        foreign.accept()
    foreign.close()


def test_226_before_the_data_ends(before):
    """The reply overtakes the data (another process sends it): the client gets all bytes first."""
    content = bytes(range(256)) * 4096

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 here", "226 done")
        with session.data() as data:
            data.sendall(content)
        session.serve_rest()

    client, _, _ = before(script)
    assert client.download("RETR x") == content


def test_226_without_150(before):
    """RFC 959 section 5.4 knows no transfer without a 1yz: it may be another command's reply, and the data another's."""

    def script(session):
        session.login()
        session.serve_until("RETR")
        with session.data() as data:
            data.sendall(b"short")
        session.say("226 done")
        session.serve_rest()

    client, _, _ = before(script)
    data = client.connect_data(client.passive())
    client.send_line("RETR x")
    with pytest.raises((ConnectionError, Truncated, ssl.SSLError)):  # when the server's 226 comes: in the handshake or after it
        client.protect_data(data).receive_all()
    client.expect_reply(451)
    client.expect("NOOP", 200)


def test_reset_after_150(before):
    """No byte, RST: 426 or 425, not an empty file."""

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 here")
        reset(session.data())
        session.say("426 lost")
        session.serve_rest()

    client, _, _ = before(script)
    data = client.connect_data(client.passive())
    client.expect("RETR x", 150)
    try:
        client.protect_data(data)
        data.receive_all()
        raise AssertionError("ended in order")
    except (Truncated, OSError):
        pass
    client.expect_reply(425, 426, 451)
    client.expect("NOOP", 200)


def test_refused_data_connection(before):
    """The port that the raw ftpd names is closed: 425, and the session goes on."""

    def script(session):
        session.login()
        session.serve_until("EPSV")
        port = session.listen()
        session.listener.close()
        session.listener = None
        session.say(f"229 (|||{port}|)")
        session.serve_rest({"RETR": "425 nobody came", "STOR": "425 nobody came"})

    client, _, _ = before(script)
    reply = client.command("EPSV")
    if reply.code == 229:
        reply = client.command("RETR x")
        if reply.code == 150:
            reply = client.reply()
    assert reply.code in (425, 426, 451)
    client.expect("NOOP", 200)


def test_data_that_never_come(before):
    """150, then nothing: data_stall ends it with 426, the session goes on."""

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 here")
        with session.data() as data:
            try:
                data.recv(1)
            except ConnectionError:
                pass
        session.say("426 aborted")
        session.serve_rest()

    client, _, _ = before(script, timeouts={"data_stall": "4s", "handshake": "4s"})
    data = client.open_data("RETR x")
    with pytest.raises((Truncated, ConnectionError)):
        data.receive_all()
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


def test_data_that_come_late(before):
    """A raw ftpd that thinks after its 150 (a tape, a large listing): data_stall counts, not the shorter time for the
    handshake."""

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 here")
        with session.data() as data:
            time.sleep(3)
            data.sendall(b"late")
        session.say("226 done")
        session.serve_rest()

    client, _, _ = before(script, timeouts={"data_stall": "20s", "handshake": "1s", "data_connection": "1s"})
    assert client.download("RETR x") == b"late"


def test_no_answer_at_all(before):
    """server_reply runs out: 421, and the session ends."""

    def script(session):
        session.login()
        session.serve_until("SITE")
        session.read()

    client, _, _ = before(script, timeouts={"server_reply": "1s"})
    client.expect("SITE X", 421)
    assert client.receive() == b""


def test_upload_refused_in_the_middle(before):
    """552 while the client still sends: it must learn of it, and the session goes on."""

    def script(session):
        session.login()
        session.serve_until("STOR")
        session.say("150 go")
        data = session.data()
        data.recv(1000)
        session.say("552 disk full")
        reset(data)
        session.serve_rest()

    client, _, _ = before(script)
    data = client.open_data("STOR x")
    try:
        for _ in range(200):
            data.send(b"x" * 65536)
    except (OSError, Truncated):
        pass
    client.expect_reply(552, 426, 451)
    client.expect("NOOP", 200)
