"""The attack catalogue on the control connection: injection, oversize, other protocols, Telnet, floods."""

import socket
import ssl
import time

import pytest

from support.client import SAFETY_NET, Channel, Truncated


def end_of(client) -> bytes:
    """All that still comes until the connection ends, in whatever way."""
    received = client.buffer
    try:
        while part := client.receive():
            received += part
    except (Truncated, ConnectionError, ssl.SSLError):
        pass
    return received


@pytest.mark.parametrize(
    "injected", [b"NOOP\r\n", b"FEAT\r\nPWD\r\n", b"USER %s\r\nPASS %s\r\n", b"PARTIAL", b"\r\n", b"NOOP\r\n" * 500, b"X"]
)
def test_starttls_injection(front, injected):
    """What comes in the clear behind AUTH TLS must not be executed under TLS (CVE-2011-0411's kind; seen: pyftpdlib). The
    session ends, or the bytes are gone: here it ends."""
    if b"%s" in injected:
        injected = injected % (front.server.user.encode(), front.server.password.encode())
    client = front.gateway.connect().greet()
    client.send(b"AUTH TLS\r\n" + injected)
    received = end_of(client)
    assert received.count(b"\r\n") <= 1, received
    assert b"230" not in received and b"257" not in received and b"211" not in received


def test_starttls_injection_is_logged(start_server, start_gateway):
    """An administrator wants to know that somebody tries."""
    gateway = start_gateway(start_server())
    client = gateway.connect().greet()
    client.send(b"AUTH TLS\r\nNOOP\r\n")
    end_of(client)
    gateway.wait_for_log("injection")


def test_a_line_begun_in_the_clear_does_not_go_on_under_tls(front):
    """The slow way: half a command sent together with AUTH, the rest under TLS."""
    client = front.gateway.connect().greet()
    client.send(b"AUTH TLS\r\nUSER ")
    try:
        line = client.read_line()
        assert line.startswith(b"234")
        client.start_tls(front.tls)
        client.send(b"root\r\n")
        assert client.reply().code != 331
    except (EOFError, ConnectionError, ssl.SSLError, Truncated):
        pass


@pytest.mark.parametrize(
    "data", [b"DELE a\x00b", b"DELE a\rb", b"\x00", b"NOOP\x00", b"DELE a\r\x00b", b"DELE \x7f\x00\x01"]
)
def test_nul_and_cr_are_refused(play, start_gateway, tls, data):
    """NUL cuts a string in C, CR ends a line elsewhere: two parsers that differ are a hole (seen: proftpd and a proxy
    cut at NUL)."""
    server = play(lambda session: (session.login(), session.serve_rest({"DELE": "250 gone", "NOOP": "200 ok"})))
    client = start_gateway(server).secure(tls).login("u", "p")
    client.expect(data, 500, 501)
    client.expect("SYST", 215)
    assert not any(b"DELE" in line or b"\x00" in line for line in server.seen)


def test_a_bare_lf_is_one_line_end_for_both_sides(play, start_gateway, tls):
    """`DELE a LF DELE b`: two commands or a refusal, but never one command here and two there."""
    server = play(lambda session: (session.login(), session.serve_rest({"DELE": "250 gone"})))
    client = start_gateway(server).secure(tls).login("u", "p")
    client.send(b"DELE a\nDELE b\r\nSYST\r\n")
    codes = []
    while 215 not in codes:
        codes.append(client.reply().code)
    deletions = [line for line in server.seen if line.startswith(b"DELE")]
    assert all(b"\n" not in line for line in deletions)
    assert len(codes) - 1 == 2 and codes.count(250) == len(deletions)


@pytest.mark.parametrize("secured", [False, True])
def test_oversized_line(front, secured):
    """One 500, the rest thrown away up to the line end; its tail is never taken for a command."""
    client = front.secure() if secured else front.gateway.connect().greet()
    client.send(b"NOOP " + b"x" * 100_000 + b"\x00USER root" * 10 + b"\r\nFEAT\r\n")
    client.expect_reply(500)
    client.expect_reply(211)


def test_a_line_of_the_greatest_length(play, start_gateway, tls):
    """As it is sent, CR LF included, 500 bytes go to a raw ftpd of which nothing is known, one more is refused: by LF alone,
    too, which grows to CR LF. Guards against an off-by-one of either kind."""
    server = play(lambda session: (session.login(), session.serve_rest({"DELE": "250 gone"})))
    client = start_gateway(server).secure(tls).login("u", "p")
    longest = b"DELE " + b"x" * (500 - 2 - 5)
    client.expect(longest, 250)
    client.expect(longest + b"x", 500)
    client.send(longest + b"x\n")
    client.expect_reply(500)
    assert longest in server.seen


def test_an_endless_line_takes_no_memory(front):
    """64 MiB without a line end, before any login."""
    client = front.gateway.connect().greet()
    before = memory_of(front.gateway.workers())
    block = b"A" * (1 << 20)
    try:
        for _ in range(64):
            client.send(block)
    except ConnectionError:
        pass
    assert memory_of(front.gateway.workers()) - before < 16 << 20


def memory_of(processes) -> int:
    total = 0
    for process in processes:
        with open(f"/proc/{process}/statm") as file:
            total += int(file.read().split()[1]) * 4096
    return total


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\nUSER x\r\n",
        b"OPTIONS * HTTP/1.0\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("secured", [False, True])
def test_http_is_hung_up_on(front, request_line, secured):
    """ALPACA. A browser sends cookies and reads the answer: the first line ends it, and nothing of it is echoed."""
    client = front.secure() if secured else front.gateway.connect().greet()
    client.send(request_line)
    received = end_of(client)
    assert received.count(b"\r\n") <= 1, received
    assert b"HTTP" not in received and b"/ " not in received


def test_bad_commands_before_login_are_counted(front):
    """Bad_commands is 20: then 421."""
    client = front.gateway.connect().greet()
    codes = []
    try:
        for _ in range(100):
            codes.append(client.command("\x01").code)
    except (EOFError, ConnectionError):
        pass
    assert codes[-1] == 421 and len(codes) <= 21


def test_client_text_is_not_echoed_before_login(front):
    """Reflected text is what cross-protocol attacks live on."""
    client = front.gateway.connect().greet()
    for line in ("<script>alert(1)</script>", "NOSUCH <script>", "AUTH <script>", "EPSV <script>"):
        assert "script" not in client.command(line).text


@pytest.mark.parametrize("prefix", [b"\xff\xf4\xff\xf2", b"\xff\xfb\x01", b"\xff\xfd\x06\xff\xf1"])
def test_telnet_commands_in_front_are_harmless(front, prefix):
    """RFC 1123 section 4.1.2.12. Policy must see the same verb as the raw ftpd: USER in the clear is refused behind IAC as
    well."""
    client = front.gateway.connect().greet()
    client.expect(prefix + b"USER " + front.server.user.encode(), 500, 501, 530, 534)
    secured = front.login()
    secured.expect(prefix + b"NOOP", 200)


@pytest.mark.parametrize("line", ["user {}", "UsEr {}", " USER {}", "USER\t{}", "XUSER {}", "USER  {}", "USER{}"])
def test_disguised_user_in_the_clear(play, start_gateway, line):
    """Parser differentials: whatever a lenient raw ftpd might take for USER must not get there."""
    server = play(lambda session: (session.say("220 lenient"), session.serve_rest({"USER": "331 ?"})))
    client = start_gateway(server).connect().greet()
    assert client.command(line.format("alice")).code >= 500
    assert not any(b"alice" in seen for seen in server.seen)


def test_unfinished_handshakes_do_not_block_others(front):
    """Fifty clients stall in the middle of the handshake; the next one is served."""
    stalled = []
    for _ in range(50):
        client = front.gateway.connect().greet()
        client.expect("AUTH TLS", 234)
        client.prepare_tls(front.tls)
        client.client_hello()
        stalled.append(client)
    front.login().expect("NOOP", 200)
    for client in stalled:
        client.rst()


def test_hostile_hellos(front):
    """A hundred broken ClientHellos, scanners' daily bread (seen: crashes). The workers live, and are the same as before."""
    workers = front.gateway.workers()
    for number in range(100):
        client = front.gateway.connect().greet()
        client.expect("AUTH TLS", 234)
        client.send(
            b"\x16\x03" + bytes([number % 5]) + (number * 37).to_bytes(2, "big") + bytes(range(number)) + b"\xff" * number
        )
        client.rst()
    front.login().expect("NOOP", 200)
    assert front.gateway.workers() == workers


def test_connection_scans_leave_nothing(front):
    """Connect and reset, a hundred and fifty times: no session, no raw ftpd left over."""
    before = len(front.inetd.alive())
    for number in range(150):
        connection = socket.create_connection(("127.0.0.1", front.gateway.port))
        Channel(connection).rst() if number % 2 else connection.close()
    front.login().expect("NOOP", 200)
    deadline = time.monotonic() + SAFETY_NET
    while len(front.inetd.alive()) > before + 1:  # the login above may still be there
        assert time.monotonic() < deadline, "raw ftpds are left over"
        time.sleep(0.1)


@pytest.mark.parametrize("resumed_at", ["other-port", "same-port"])
def test_a_ticket_is_no_good_for_another_login(start_server, start_gateway, certificate, authority, resumed_at):
    """Least of all where the two have different policies for client certificates."""
    server = start_server()
    gateway = start_gateway(server)
    gateway.change(
        listeners=[
            gateway.config["listener"][0],
            {"address": "127.0.0.1", "port": gateway.ports[-1], "client_certificate": "require"},
        ],
        tls={"client_ca": str(authority.root.certificate)},
        data={"passive_ports": f"{gateway.ports[1]}-{gateway.ports[-2]}"},
    )
    gateway.reload()
    context = authority.trusting(maximum=ssl.TLSVersion.TLSv1_2)
    client = gateway.secure(context)
    session = client.tls.session
    client.end()
    if resumed_at == "same-port":
        assert not gateway.secure(context, session=session).tls.session_reused
        return
    client = gateway.connect(port=gateway.ports[-1]).greet()
    client.expect("AUTH TLS", 234)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client.start_tls(context, session)
