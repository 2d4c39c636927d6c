"""ABOR, STAT, NOOP and QUIT while a transfer runs, and commands sent without waiting for replies."""

import os
import socket

import pytest

from support.client import Truncated

LONG = 256 << 20


@pytest.fixture
def long_file(front):
    path = front.server.put("long", b"")
    os.truncate(path, LONG)
    return path


def drain(data) -> None:
    try:
        data.receive_all()
    except (Truncated, ConnectionError):
        pass


@pytest.mark.parametrize("prefix", [b"", b"\xff\xf4\xff\xf2"])
def test_abort_of_a_download(front, long_file, each_tls, prefix):
    """426, then 226, and no close_notify on the data: a partial file must not look complete. Once with the Telnet signals
    of RFC 959 in front, which come in band under TLS."""
    client = front.login(tls=each_tls)
    data = client.open_data("RETR long")
    data.receive()
    client.send(prefix + b"ABOR\r\n")
    with pytest.raises((Truncated, ConnectionError)):
        data.receive_all()
    client.expect_reply(426)
    client.expect_reply(225, 226)
    client.upload("STOR after-abort", b"works")


def test_abort_with_urgent_data(front, start_gateway, long_file):
    """A plain client sends IAC IP IAC as urgent data, then DM ABOR (RFC 959 section 4.1.3; so does tnftp). Guards against
    the urgent byte being lost, which makes `DM ABOR` of it."""
    client = start_gateway(front.inetd, listener={"security": "optional"}).connect().greet()
    client.login(front.server.user, front.server.password).expect("TYPE I", 200)
    data = client.open_data("RETR long")
    data.receive()
    client.socket.send(b"\xff\xf4\xff", socket.MSG_OOB)
    client.send(b"\xf2ABOR\r\n")
    drain(data)
    client.expect_reply(426)
    client.expect_reply(225, 226)
    client.expect("NOOP", 200)


def test_abort_of_an_upload(front, each_tls):
    """The mirror (seen: proftpd answers the other way round)."""
    client = front.login(tls=each_tls)
    data = client.open_data("STOR aborted")
    data.send(b"x" * 200_000)
    client.send(b"ABOR\r\n")
    client.expect_reply(426)
    client.expect_reply(225, 226)
    data.close()
    client.upload("STOR after-abort-up", b"works")


def test_abort_with_nothing_running(front):
    """One reply. Guards against a stray 426 that puts every later reply out of step."""
    client = front.login()
    client.expect("ABOR", 225, 226)
    client.expect("PWD", 257)
    client.passive()
    client.expect("ABOR", 225, 226)
    client.expect("PWD", 257)


def test_abort_just_after_the_end(front):
    """The transfer is over when ABOR comes: 226 for it, 225 or 226 for ABOR."""
    client = front.login()
    client.upload("STOR ended", b"x")
    client.expect("ABOR", 225, 226)
    client.expect("PWD", 257)


def test_abort_twice_in_a_row(front, long_file):
    """Impatient users press twice. Guards against replies out of step."""
    client = front.login()
    data = client.open_data("RETR long")
    data.receive()
    client.send(b"ABOR\r\nABOR\r\nPWD\r\n")
    drain(data)
    codes = []
    while 257 not in codes:
        codes.append(client.reply().code)
    assert codes[0] == 426 and set(codes[1:-1]) <= {225, 226}, codes
    client.upload("STOR after-two-aborts", b"works")


@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pure-ftpd", "inetutils-ftpd"])
def test_abort_with_each_raw_ftpd(start_server, start_gateway, tls, server):
    """Their answers to ABOR differ in number and order. Guards against the difference reaching the client."""
    inetd = start_server(server)
    path = inetd.server.put("long", b"")
    os.truncate(path, LONG)
    client = start_gateway(inetd).secure(tls).login(inetd.server.user, inetd.server.password).protect()
    client.expect("TYPE I", 200)
    for _ in range(3):
        data = client.open_data("RETR long")
        data.receive()
        client.send_line("ABOR")
        drain(data)
        client.expect_reply(426)
        client.expect_reply(225, 226)
        client.expect("PWD", 257)
        client.upload("STOR between", b"works")


@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pure-ftpd", "inetutils-ftpd"])
def test_reset_by_the_client_with_each_raw_ftpd(start_server, start_gateway, tls, server):
    """A user who cancels a download without ABOR. What the raw ftpd says to it differs too (seen: pure-ftpd sends a second
    150 and nothing else): the next command must be served."""
    inetd = start_server(server)
    path = inetd.server.put("long", b"")
    os.truncate(path, LONG)
    client = start_gateway(inetd).secure(tls).login(inetd.server.user, inetd.server.password).protect()
    client.expect("TYPE I", 200)
    for _ in range(3):
        data = client.open_data("RETR long")
        data.receive()
        data.rst()
        client.expect_reply(426, 451)
        client.expect("PWD", 257)
        client.upload("STOR between", b"works")


def test_stat_during_a_transfer(front, long_file):
    """RFC 959: STAT during a transfer tells its state, at once. Guards against a deadlock with ftpds of one thread."""
    client = front.login()
    data = client.open_data("RETR long")
    data.receive()
    client.expect("STAT", 211, 213)
    drain(data)
    client.expect_reply(226)


def test_noop_during_a_transfer(front, long_file):
    """Clients send NOOP to keep their router awake. It may wait, but it must be answered, and after the 226 (seen: lost by
    two)."""
    client = front.login()
    data = client.open_data("RETR long")
    data.receive()
    for _ in range(5):
        client.send_line("NOOP")
    drain(data)
    codes = [client.reply().code for _ in range(6)]
    assert sorted(codes) == [200] * 5 + [226]
    client.expect("PWD", 257)


def test_quit_during_a_transfer(front):
    """RFC 959: the transfer is finished first, then 221."""
    content = os.urandom(3 << 20)
    front.server.put("quit", content)
    client = front.login()
    data = client.open_data("RETR quit")
    client.send_line("QUIT")
    assert data.receive_all() == content
    data.end_leniently()
    client.expect_reply(226)
    client.expect_reply(221)
    assert client.receive() == b""


def test_pasv_during_a_transfer(front, long_file):
    """Guards against the next transfer's port killing the one under way."""
    client = front.login()
    data = client.open_data("RETR long")
    data.receive()
    client.send_line("EPSV")
    received = len(data.receive_all())
    data.end_leniently()
    assert received > LONG - (1 << 20)
    client.expect_reply(226)
    client.expect_reply(229)


@pytest.mark.parametrize("mode", ["EPSV", "EPRT"])
def test_the_client_vanishes_during_a_download(front, long_file, mode):
    """Guards against a session, a descriptor or a raw ftpd that stays for ever."""
    before = len(front.inetd.alive())
    client = front.login()
    data = client.open_data("RETR long", mode)
    data.receive()
    sessions = front.inetd.alive()
    client.rst()
    data.rst()
    sessions[-1].wait(30)
    assert len(front.inetd.alive()) <= before


def test_half_closed_control_connection(front, long_file):
    """`printf ... | nc` sends FIN right after its commands. Finish or abort, but neither hang nor leak."""
    client = front.login()
    session = front.inetd.alive()[-1]
    client.send(b"NOOP\r\nNOOP\r\n")
    client.close_notify()
    client.fin()
    try:
        client.receive_all()
    except (Truncated, ConnectionError):
        pass
    session.wait(30)


def test_pipelined_commands_are_answered_in_order(front):
    """lftp and others send ahead. Guards against answers of the gateway's own overtaking those of the raw ftpd."""
    client = front.login()
    lines = [
        "PWD",
        "PBSZ 0",
        "NOOP",
        "PROT P",
        "TYPE I",
        "AUTH TLS",
        "SYST",
        "EPSV 2",
        "PWD",
        "PORT 1",
        "MKD pipelined",
        "RMD pipelined",
        "NOSUCH",
    ]
    client.send("".join(line + "\r\n" for line in lines).encode())
    assert [client.reply().code for _ in lines] == [257, 200, 200, 200, 200, 503, 215, 522, 257, 501, 257, 250, 500]


def test_more_pipelined_commands_than_may_wait(front):
    """waiting_commands is 64: beyond it the gateway stops reading, it drops nothing."""
    client = front.login()
    client.send(b"NOOP\r\n" * 500)
    assert [client.reply().code for _ in range(500)] == [200] * 500


def test_a_whole_transfer_sent_ahead(front):
    """TYPE, EPSV and the verb in one piece, as pipelining clients do it."""
    front.server.put("ahead", b"content")
    client = front.login()
    client.send(b"TYPE I\r\nEPSV\r\nSIZE ahead\r\nRETR ahead\r\n")
    client.expect_reply(200)
    reply = client.expect_reply(229)
    port = int(reply.text.split("|")[3])
    client.expect_reply(213)
    data = client.connect_data(("127.0.0.1", port))
    client.expect_reply(150)
    client.protect_data(data)
    assert data.receive_all() == b"content"
    data.end_leniently()
    client.expect_reply(226)


def test_commands_sent_behind_a_transfer_wait_for_it(front):
    """Guards against a DELE that overtakes the RETR before it."""
    content = os.urandom(1 << 20)
    path = front.server.put("delete-me", content)
    client = front.login()
    data = client.open_data("RETR delete-me")
    client.send(b"DELE delete-me\r\nPWD\r\n")
    assert data.receive_all() == content
    data.end_leniently()
    assert [client.reply().code for _ in range(3)] == [226, 250, 257]
    assert not path.exists()
