"""Client and raw ftpd must never be a word apart: no command that the gateway has not judged, no reply that counts for another
command, and whoever is logged in there is logged in here."""

import contextlib
import re
import socket
import time

import pytest

from support.client import Truncated

LOGIN = {"USER": "331 password?", "PASS": "230 in"}


def raw_session(server) -> socket.socket:
    connection = socket.create_connection((server.address, server.port), 10)
    connection.settimeout(10)
    return connection


def replies_to(server, line: bytes) -> int:
    """Of the raw ftpd itself, without a gateway: to the line and a QUIT behind it."""
    with raw_session(server) as connection:
        connection.sendall(line + b"\r\nQUIT\r\n")
        received = b""
        while part := connection.recv(65536):
            received += part
    return len(re.findall(rb"^[1-5]\d\d ", received, re.M)) - 2  # its greeting, and the 221


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_long_line_hides_no_command(start_server, start_gateway, tls, secured, end):
    """inetutils-ftpd cuts a line at 511 bytes and carries out the rest: a login without TLS, as root in the log, with a port of a third
    host behind it."""
    server = start_server("inetutils-ftpd")
    hidden = b"HELP " + b"A" * 506 + b"USER mallory"
    assert replies_to(server, hidden) > 1, "the attack is one"
    gateway = start_gateway(server)
    client = gateway.secure(tls) if secured else gateway.connect().greet()
    for length in (480, 493, 505, 506, 507, 508, 1000, 4000):
        client.send(b"HELP " + b"A" * length + b"USER mallory" + end)
        assert client.reply().code in (214, 500, 502), length
    client.expect("QUIT", 221)
    assert not gateway.events("login") and "331" not in gateway.log_text()


def test_nothing_reaches_the_raw_ftpd_in_clear(play, start_gateway, tls):
    """Somebody on the way can say OPTS UTF8 OFF or CLNT in the client's name, for the session that follows under TLS."""
    server = play(lambda session: (session.say("220 scripted"), session.serve_rest(LOGIN)))
    gateway = start_gateway(server)
    client = gateway.connect().greet()
    for line in ("OPTS UTF8 OFF", "CLNT x", "HELP", "SYST", "NOOP", "STAT", "FEAT", "ALLO 1", "XYZZY", "ACCT x", "ABOR"):
        assert client.command(line).code in (200, 202, 211, 214, 225, 530), line
    assert "AUTH TLS" in client.command("FEAT").text
    client.expect("AUTH TLS", 234)
    client.start_tls(tls)
    assert server.seen == []
    client.login("u", "p").expect("SYST", 215)
    assert server.seen == [b"USER u", b"PASS p", b"SYST"]


def test_a_directorys_name_is_no_data_port(play, start_gateway, tls):
    """A raw ftpd that answers twice: its second 257 must not be taken for the answer to the gateway's own EPSV, or the gateway
    dials what the client has named."""
    inside = socket.create_server(("127.0.0.1", 0))

    def script(session):
        session.login()
        session.serve_until("MKD")
        reply = f'257 "(|||{inside.getsockname()[1]}|)" created\r\n'.encode()
        session.raw(reply + reply)
        session.serve_rest()

    server = play(script)
    gateway = start_gateway(server)
    client = gateway.secure(tls).login("u", "p").protect()
    client.send(b"MKD (|||%d|)\r\nEPSV\r\n" % inside.getsockname()[1])
    client.expect_reply(257)
    client.expect_reply(421)
    gateway.wait_for_log("unexpected-reply")
    assert b"EPSV" not in server.seen
    inside.settimeout(0.5)
    with pytest.raises(TimeoutError):
        inside.accept()
    inside.close()


def test_a_late_reply_of_another_command_is_no_answer(play, start_gateway, tls):
    """The same, but the second reply comes after the next command has gone out: its code gives it away."""

    def script(session):
        session.login()
        session.serve_until("EPSV", {"MKD": "257 made"})
        session.say("257 (|||35079|)")
        session.serve_rest()

    gateway = start_gateway(play(script))
    client = gateway.secure(tls).login("u", "p").protect()
    client.expect("MKD x", 257)
    client.expect("EPSV", 421)
    gateway.wait_for_log("reply-out-of-step")


@pytest.mark.parametrize("command,reply", [("HELP", "230 in"), ("SITE x", "331 who?"), ("NOOP", "227 (127,0,0,1,200,1)")])
def test_login_follows_from_user_and_pass_only(play, start_gateway, tls, command, reply):
    """A hidden command's 230 must not put `logged in` into the log."""
    server = play(lambda session: (session.say("220 x"), session.serve_rest({command.split()[0]: reply})))
    gateway = start_gateway(server)
    client = gateway.secure(tls)
    client.expect(command, 421)
    gateway.wait_for_log("reply-out-of-step")
    assert not gateway.events("login")


@pytest.mark.parametrize("name", ["proftpd", "inetutils-ftpd", "vsftpd", "pure-ftpd"])
def test_a_second_pass_leaves_the_login_alone(start_server, start_gateway, tls, name):
    """Real ftpds answer it with 503, 230 or 530, and the login stands: no failed login for fail2ban, no end when the time for a login is over."""
    server = start_server(name)
    gateway = start_gateway(server, timeouts={"login": "2s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    codes = [client.command("PASS x").code for _ in range(6)]
    assert not set(codes) & {421}, codes
    time.sleep(2.5)
    client.expect("PWD", 257)
    assert "login-failed" not in gateway.log_text()


def test_user_without_password(play, start_gateway, tls):
    """USER answered 230: a PASS behind it, which many clients send all the same, is refused there with 503."""
    server = play(lambda session: (session.say("220 x"), session.serve_rest({"USER": "230 in", "PASS": "503 you are in"})))
    gateway = start_gateway(server, timeouts={"login": "1s"})
    client = gateway.secure(tls)
    client.expect("USER anna", 230)
    client.expect("PASS x", 503)
    time.sleep(1.5)
    client.expect("PWD", 257)
    assert "login-failed" not in gateway.log_text()


def test_auth_after_a_login_in_clear(start_server, start_gateway, tls):
    """RFC 2228 section 3: after AUTH nobody is logged in. What was said in clear must not go on under TLS."""
    server = start_server()
    gateway = start_gateway(server, listener={"security": "optional"})
    client = gateway.connect().greet()
    client.expect(f"USER {server.server.user}", 331)
    client.expect("AUTH TLS", 503)
    client.expect(f"PASS {server.server.password}", 230)
    client.expect("AUTH TLS", 503)
    client.expect("PWD", 257)


@pytest.mark.parametrize("behind", [b"", b"NOOP\r\n"])
def test_auth_behind_a_waiting_command(start_server, start_gateway, behind):
    """The handshake is not begun by a read of the client's: it must be awaited, and given up, all the same."""
    gateway = start_gateway(
        start_server(), listener={"security": "optional"}, timeouts={"handshake": "1s", "login": "10m", "data_close": "1s"}
    )
    client = gateway.connect().greet()
    client.send(b"NOOP\r\nAUTH TLS\r\n" + behind)
    client.expect_reply(200, 530)
    client.expect_reply(234)
    try:
        assert client.receive() == b""
    except (ConnectionError, Truncated):
        pass
    gateway.wait_for_log('"event": ?"end"')


def test_a_multi_line_reply_that_ends_with_its_code_alone(play, start_gateway, tls):
    """`214` without a space behind it."""

    def script(session):
        session.login()
        session.serve_until("HELP")
        session.say("214-Commands:", " USER PASS", "214")
        session.serve_rest()

    client = start_gateway(play(script)).secure(tls).login("u", "p")
    client.send_line("HELP")
    assert [client.read_line().rstrip() for _ in range(3)] == [b"214-Commands:", b" USER PASS", b"214"]
    client.expect("NOOP", 200)


def test_abor_is_heard_behind_an_hour_of_noops(front):
    """A client that sends one each half minute during a long upload has more than 64 of them waiting."""
    client = front.login()
    data = client.open_data("STOR long")
    data.send(b"x" * 1000)
    for _ in range(200):
        client.send_line("NOOP")
    client.send_line("STAT")
    assert client.reply().code == 211
    client.send_line("ABOR")
    client.expect_reply(426)
    assert [client.reply().code for _ in range(201)] == [200] * 200 + [226]
    client.expect("PWD", 257)


def take_upload_to_its_end(session) -> None:
    """In order or in a reset."""
    session.serve_until("STOR")
    session.say("150 go on")
    with session.data() as data, contextlib.suppress(ConnectionError):
        while data.recv(65536):
            pass


def test_abor_before_a_raw_ftpd_that_says_nothing(play, start_gateway, tls):
    """uftpd never speaks of an upload again that was reset: ABOR is answered without it, and the session goes on."""

    def script(session):
        session.login()
        take_upload_to_its_end(session)
        session.serve_rest({"CWD": "250 ok"})

    server = play(script)
    gateway = start_gateway(server, timeouts={"data_close": "1s"})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.open_data("STOR x")
    data.send(b"x" * 1000)
    client.send_line("ABOR")
    client.expect_reply(426)
    client.expect_reply(226)
    client.expect("CWD /", 250)
    assert server.seen[-2:] == [b"NOOP", b"CWD /"]


def test_abor_before_a_raw_ftpd_that_never_speaks_again(play, start_gateway, tls):
    """Not even to the NOOP that asks whether the upload is over: the client has its 426 and its 226, for ABORs, and NOOPs
    before them, need nothing of the raw ftpd. What does need it never goes out, so that no late reply can count for it."""

    def script(session):
        session.login()
        take_upload_to_its_end(session)
        while session.read():
            pass

    server = play(script)
    gateway = start_gateway(server, timeouts={"data_close": "1s", "server_reply": "3s"})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.open_data("STOR x")
    data.send(b"x" * 1000)
    client.send(b"NOOP\r\nABOR\r\nNOOP\r\nABOR\r\nCWD /\r\n")
    assert [client.reply().code for _ in range(5)] == [426, 200, 226, 200, 226]
    client.expect_reply(421)
    assert server.seen[-1] == b"NOOP"


def test_late_words_on_an_aborted_upload_count_for_nothing_else(play, start_gateway, tls):
    """They come when the client has its 226 and asks already for more, and all at once: before the NOOP's own answer they are
    the transfer's, behind it they end the session."""

    def script(session):
        session.login()
        take_upload_to_its_end(session)
        session.expect("NOOP")
        session.say("426 cut", "200 NOOP ok")
        session.expect("PWD")
        session.raw(b'257 "/"\r\n226 the upload is over\r\n')
        session.read()

    server = play(script)
    gateway = start_gateway(server, timeouts={"data_close": "1s"})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.open_data("STOR x")
    data.send(b"x" * 1000)
    client.send(b"ABOR\r\nPWD\r\n")
    assert [client.reply().code for _ in range(4)] == [426, 226, 257, 421]


@pytest.mark.parametrize("name", [b"a\x1b[2Jb", b"\x01\x02\x1f", b"bell\x07", b"tab\tbed"])
def test_control_characters_in_names(front, name):
    """Files with such names exist. What ends a line, NUL, CR and LF, stays out."""
    client = front.login()
    assert client.upload(b"STOR " + name, b"content").code == 226
    assert client.download(b"RETR " + name) == b"content"
    client.expect(b"DELE " + name, 250)


def test_blanks_behind_parameters(front):
    """`EPSV `, `TYPE I `, `PROT P `: ftpds skip them."""
    client = front.secure().login(front.server.user, front.server.password)
    client.expect("PBSZ 0 ", 200)
    client.expect("PROT P ", 200)
    for line in ("TYPE I ", "MODE S ", "STRU F "):
        client.expect(line, 200)
    client.expect("EPSV ", 229)
    client.expect("PASV ", 227)


def transfers(gateway, count: int) -> list[dict]:
    gateway.wait_for_log('(?s)' + '"event": ?"transfer".*' * count)
    return gateway.events("transfer")


def test_why_a_transfer_is_incomplete(start_server, start_gateway, tls):
    """`STOR incomplete` alone helps nobody: the server's words, or who broke what."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.passive()
    client.expect("RETR nothing-of-that-name", 550)
    data = client.open_data("STOR cut")
    data.rst()
    client.expect_reply(426)
    data = client.open_data("STOR aborted")
    data.send(b"x")
    client.expect("ABOR", 426)
    client.expect_reply(226)
    missing, cut, aborted = transfers(gateway, 3)
    assert missing["reason"].startswith("the server says: 550")
    assert cut["reason"].startswith("the client broke off the data connection")
    assert aborted["reason"].startswith("the client said ABOR")


def test_what_list_is_given_is_no_path(start_server, start_gateway, tls):
    """`-la` and `big*` are options and patterns."""
    server = start_server()
    server.server.put("big", b"content")
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.download("LIST -la")
    client.download("RETR big")
    listing, file = transfers(gateway, 2)
    assert listing["argument"] == "-la" and "path" not in listing
    assert file["path"].endswith("big") and "argument" not in file


def test_the_debug_log_shows_the_dialogue_without_passwords(start_server, start_gateway, tls):
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    for line in ("pass hush-hush", "PASSX hush-hush", "SITE PSWD hush-hush hush-hush", "ACCT hush-hush", "pass\thush-hush"):
        client.command(line)
    client.expect("CWD /", 250)
    client.expect("QUIT", 221)
    gateway.wait_for_log('"event": ?"end"')
    log = gateway.log_text()
    assert server.server.password not in log and "hush-hush" not in log
    for words in ("client: CWD /", "to the server: CWD /", "server: 250 ", "to the client: 250 ", "client: PASS ***"):
        assert words in log, words
