"""How long a line the raw ftpd reads as one: what is measured of the real ones, that nothing longer goes to them, that long paths work
where they are taken, and what inetutils-ftpd would make of a line that is too long for it."""

import time

import pytest

from support.ftpds import MAKERS

# The longest of the lengths tried (4096 is [limits] line_bytes; below it a little less than the powers of two) that each takes.
LONGEST = {"vsftpd": 4096, "proftpd": 4096, "pure-ftpd": 4096, "inetutils-ftpd": 508}


def measured(gateway) -> int:
    return int(gateway.wait_for_log(r"measured how long a line.*\"bytes\":\"?(\d+)")[1])


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("how", ["over TCP", "started"])
def test_what_each_takes(name, how, start_server, start_gateway, tls):
    """Measured before the first session; a path as long as that works, one byte more is refused with 500 and never arrives."""
    behind = start_server(name)
    if how == "over TCP":
        gateway = start_gateway(behind)
    else:
        gateway = start_gateway(server={"command": behind.server.command})
    longest = measured(gateway)
    assert longest == LONGEST[name]
    client = gateway.secure(tls).login(behind.server.user, behind.server.password)
    directory = "d" * 200
    path = ""
    while len(path) + 1 + len(directory) + 20 < longest - len("MKD \r\n"):
        path += "/" + directory if path else directory
        client.expect(f"MKD {path}", 257)
    if name != "inetutils-ftpd":
        assert len(path) > 3000
    client.expect(f"CWD {path}", 250)
    client.expect("CWD /" if name != "inetutils-ftpd" else f"CWD {behind.server.home}", 250)
    whole = "CWD " + "x" * (longest - len("CWD \r\n"))
    refused_by_it = client.command(whole)
    assert refused_by_it.code == 550, refused_by_it
    refused_by_us = client.expect(whole + "x", 500)
    assert f"reads {longest} bytes" in refused_by_us.text or longest == 4096, refused_by_us
    client.expect("NOOP", 200)
    client.quit()
    assert not gateway.events("login-failed")


SMUGGLED = [b"USER mallory", b"PASS secret", b"PORT 127,0,0,1,195,80", b"RETR /etc/passwd"]


@pytest.mark.parametrize("secured", [False, True])
@pytest.mark.parametrize("hidden", SMUGGLED)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_no_command_hides_behind_a_long_line(start_server, start_gateway, tls, secured, hidden, end):
    """HELP, a blank, 506 letters, and a command that inetutils-ftpd, which reads 511 bytes at a time, would carry out."""
    gateway = start_gateway(start_server("inetutils-ftpd"))
    measured(gateway)
    client = gateway.secure(tls) if secured else gateway.connect().greet()
    client.send(b"HELP " + b"A" * 506 + hidden + end)
    client.expect_reply(214, 500, 502, 530)
    client.expect("NOOP", 200, 530)
    client.expect("QUIT", 221)
    assert client.receive() == b""
    assert "nobody asked for" not in gateway.log_text()
    assert not gateway.events("login-failed") and not gateway.events("login")


def test_said_beforehand(start_server, start_gateway, tls):
    """With line_bytes nothing is measured, and that holds."""
    behind = start_server("vsftpd")
    gateway = start_gateway(behind, server={"line_bytes": 1000})
    client = gateway.secure(tls).login(behind.server.user, behind.server.password)
    client.expect("CWD " + "x" * (1000 - 6), 550)
    assert "reads 1000 bytes" in client.expect("CWD " + "x" * (1000 - 5), 500).text
    assert not gateway.events("server-line")
    assert len(behind.peers) == 1


def test_where_nothing_answers_nothing_long_goes(start_gateway, start_server, running, tls):
    """No raw ftpd when safetpd starts: nothing is known. Once it is there, the first session has it measured."""
    behind = start_server("vsftpd")
    behind.close()
    running.things.remove(behind)
    gateway = start_gateway(behind)
    gateway.wait_for_log("no connection to measure with")
    again = type(behind)(behind.server, port=behind.port)
    running.add(again)
    deadline = time.monotonic() + 60
    while not any("measured how long" in event["message"] for event in gateway.events("server-line")):
        assert time.monotonic() < deadline
        client = gateway.secure(tls)
        client.expect("QUIT", 221)
        time.sleep(0.2)
    assert measured(gateway) == 4096


def test_another_greeting_is_another_server(start_gateway, start_server, running, tls):
    """The raw ftpd is exchanged for one that takes less while safetpd runs: by its greeting that is seen, and until it is measured
    500 bytes go there."""
    behind = start_server("vsftpd")
    gateway = start_gateway(behind, process={"workers": 1})
    assert measured(gateway) == 4096
    port = behind.port
    behind.close()
    running.things.remove(behind)
    other = start_server("inetutils-ftpd")
    running.add(type(other)(other.server, port=port))
    client = gateway.secure(tls)
    client.send(b"HELP " + b"A" * 506 + b"USER mallory\r\n")
    client.expect_reply(500)
    client.expect("NOOP", 200, 530)
    client.expect("QUIT", 221)
    assert "nobody asked for" not in gateway.log_text()


def test_measuring_counts_nothing_against_clients(start_gateway, start_server, tls):
    """One measurement for all workers, on connections that end; no login, no failure of one."""
    behind = start_server("inetutils-ftpd")
    gateway = start_gateway(behind, process={"workers": 4})
    measured(gateway)
    assert 1 <= len(behind.peers) <= 7
    deadline = time.monotonic() + 60
    while behind.alive():
        assert time.monotonic() < deadline, "a connection of the measurement does not end"
        time.sleep(0.05)
    text = gateway.log_text()
    assert text.count("measured how long") == 1
    assert "login" not in text
