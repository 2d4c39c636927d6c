"""PBSZ, PROT and what else RFC 2228 and RFC 4217 define: the codes, and that none of it reaches the raw ftpd."""

import pytest


def test_prot_before_pbsz(front):
    """RFC 2228: 503. Guards against taking the order lightly (seen: vsftpd, proftpd)."""
    front.secure().expect("PROT P", 503)


def test_pbsz_and_prot_before_auth(front):
    """Guards against a level for data connections that no TLS stands behind."""
    client = front.gateway.connect().greet()
    client.expect("PBSZ 0", 503)
    client.expect("PROT P", 503)


@pytest.mark.parametrize(
    "argument,code",
    [("0", 200), ("1024", 200), ("4294967295", 200), ("", 501), ("x", 501), ("-1", 501), ("4294967296", 501), ("0 0", 501)],
)
def test_pbsz_values(front, argument, code):
    """RFC 2228: a 32-bit number; the answer names the size in use, which is 0 under TLS."""
    reply = front.secure().expect(f"PBSZ {argument}".rstrip(), code)
    assert code != 200 or "PBSZ=0" in reply.text


@pytest.mark.parametrize(
    "level,code", [("P", 200), ("p", 200), ("C", 200), ("S", 536), ("E", 536), ("X", 504), ("", 501), ("PP", 504)]
)
def test_prot_levels(front, level, code):
    """RFC 4217 section 9: TLS has no Safe and no Confidential level."""
    client = front.secure()
    client.expect("PBSZ 0", 200)
    client.expect(f"PROT {level}".rstrip(), code)


def test_prot_c_is_refused_where_the_policy_wants_p(start_server, start_gateway, tls):
    """534: refused for policy reasons (RFC 2228)."""
    client = start_gateway(start_server()).secure(tls)
    client.expect("PBSZ 0", 200)
    client.expect("PROT C", 534)


def test_the_level_counts_when_the_transfer_starts(front):
    """RFC 4217 section 10.2: PROT may come after PASV. Guards against fixing the level when the port is opened."""
    front.server.put("file", b"content")
    client = front.login(level="C")
    address = client.passive()
    client.expect("PROT P", 200)
    client.protected = True
    data = client.connect_data(address)
    client.expect("RETR file", 150)
    client.protect_data(data)
    assert data.receive_all() == b"content"
    data.end_leniently()
    client.expect_reply(226)


def test_prot_can_change_between_transfers(front):
    """Guards against the first level sticking."""
    client = front.login()
    for level in "PCPPCC":
        client.protect(level)
        client.upload("STOR level", level.encode())
        assert client.download("RETR level") == level.encode()


@pytest.mark.parametrize(
    "line,codes", [("ADAT AAAA", (503,)), ("MIC AAAA", (533, 537)), ("CONF AAAA", (533, 537)), ("ENC AAAA", (533, 537))]
)
@pytest.mark.parametrize("secured", [False, True])
def test_protected_commands_are_refused_and_go_nowhere(play, start_gateway, tls, line, codes, secured):
    """Guards against a raw ftpd with Kerberos unwrapping a command that the gateway has not seen."""
    server = play(lambda session: (session.say("220 hello"), session.serve_rest({line.split()[0]: "235 taken"})))
    gateway = start_gateway(server)
    client = gateway.secure(tls) if secured else gateway.connect().greet()
    client.expect(line, *codes)
    assert not server.seen


@pytest.mark.parametrize("line", ["SSCN", "SSCN ON", "CPSV", "LPRT 4,4,127,0,0,1,2,4,1", "LPSV", "SPSV"])
def test_server_to_server_is_refused(front, line):
    """Guards against data connections to third hosts under other names."""
    assert 500 <= front.login().command(line).code < 510


def test_rein(front):
    """RFC 4217 section 11 lets a server refuse it. Guards against a half-reset session: login kept, TLS gone."""
    client = front.login()
    client.expect("REIN", 502)
    client.expect("PWD", 257)


def test_data_in_the_clear_under_prot_p_is_refused_on_upload(front):
    """curl 7.87 to 7.88 really does it in active mode. Guards against storing what came unprotected."""
    client = front.login()
    client.protected = False  # the client's mistake: it forgets the handshake
    data = client.open_data("STOR unprotected")
    try:
        data.send(b"in the clear although PROT P was agreed on\r\n" * 100)
        data.fin()
    except OSError:
        pass  # the gateway was quicker to hang up
    client.expect_reply(522)
    path = front.server.home / "unprotected"
    assert not path.exists() or path.read_bytes() == b""
    client.expect("NOOP", 200)


def test_data_in_the_clear_under_prot_p_is_refused_on_download(front):
    """Guards against sending a file in the clear to a client that only connects."""
    front.server.put("secret", b"secret content")
    client = front.login()
    client.protected = False
    data = client.open_data("RETR secret")
    received = b""
    try:
        data.fin()
        received = data.receive_all()
    except OSError:
        pass  # hung up on
    assert b"secret" not in received
    client.expect_reply(522)


def test_no_handshake_is_no_empty_upload(front):
    """Connecting and closing without TLS must fail, not store an empty file over a good one (seen: pyftpdlib, a proxy)."""
    client = front.login()
    client.protected = False
    data = client.open_data("STOR empty-without-tls")
    data.fin()
    client.expect_reply(522, 426)


def test_a_failed_data_handshake_keeps_the_session(front):
    """Guards against one bad data connection costing the login (seen: vsftpd, pure-ftpd)."""
    client = front.login()
    client.protected = False
    data = client.open_data("STOR bad")
    data.send(b"\x16\x03\x01\x00\x05hello")
    client.expect_reply(522)
    client.protected = True
    client.upload("STOR good", b"good")
    assert (front.server.home / "good").read_bytes() == b"good"
