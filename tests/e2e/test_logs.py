"""The log: everything that matters, no secret, and nothing that a peer can forge."""

import json
import re
import signal
import socket
from pathlib import Path

import pytest

from support.ftpds import hand_over
from support.namespaces import DEV_MOUNTS, SystemLog

SECRET = "xyzzy-Pa55word"
LEVELS = ["debug", "info"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("format", ["json", "text"])
def test_no_password_in_the_log(start_server, start_gateway, tls, format, level):
    """Right, wrong, mis-ordered, lower case, behind Telnet signals, in the clear, in SITE PSWD, in ACCT, misspelt."""
    server = start_server()
    gateway = start_gateway(server, log={"format": format, "level": level}, limits={"bad_commands": 100, "login_failures": 100})
    clear = gateway.connect().greet()
    secured = gateway.secure(tls)
    for client in (clear, secured):
        for line in (
            f"PASS {SECRET}",
            f"pass {SECRET}",
            f"USER {server.server.user}",
            f"PASS {SECRET}",
            f"PASS  {SECRET}",
            f"PASS\t{SECRET}",
            f"ACCT {SECRET}",
            f"ADAT {SECRET}",
            f"SITE PSWD old {SECRET}",
            f"PASSX {SECRET}",
            f"PAS {SECRET}",
            f"XPASS {SECRET}",
        ):
            client.command(line)
        client.command(b"\xff\xf4PASS " + SECRET.encode())
        client.command(b"PASS " + SECRET.encode() + b"\x00")
    secured.login(server.server.user, server.server.password)
    secured.expect("QUIT", 221)
    clear.expect("QUIT", 221)
    gateway.stop()
    log = gateway.log_text()
    assert SECRET not in log and server.server.password not in log
    assert server.server.user in log


def test_no_password_in_memory_dumps_command_lines_or_environments(start_server, start_gateway, tls):
    """Workers cannot be dumped, and nothing secret is in what `ps` shows."""
    server = start_server()
    gateway = start_gateway(server)
    gateway.secure(tls).login(server.server.user, server.server.password)
    for process in gateway.workers():
        for name in ("cmdline", "environ"):
            try:
                shown = Path(f"/proc/{process}/{name}").read_bytes()
            except PermissionError:
                continue  # what cannot be dumped cannot be read here either, but by root
            assert server.server.password.encode() not in shown


EVIL = ["\x1b[31mred", "bell\x07", "\u202egnp.exe", "\x9b31m", 'quote" user=root', "back\\slash", "#7 login", "\x7f"]


@pytest.mark.parametrize("format", ["json", "text"])
def test_client_text_cannot_forge_the_log(start_server, start_gateway, tls, format):
    """Terminal escapes, line ends, bidirectional controls, quotes: in user names, paths and server names."""
    server = start_server()
    gateway = start_gateway(server, log={"format": format}, limits={"login_failures": 100})
    for text in EVIL:
        client = gateway.secure(tls)
        client.command(f"USER {text}")
        client.command("PASS x")
        client.command("QUIT")
    gateway.stop()
    raw = gateway.log_path.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw)
    assert "\u202e".encode() not in raw and b"\xc2\x9b" not in raw
    if format == "json":
        for line in raw.splitlines():
            json.loads(line)
    else:
        assert b'" user=root"' not in raw.replace(b'\\"', b"")


def test_server_text_cannot_forge_the_log(play, start_gateway, tls):
    """The raw ftpd's words are a peer's words too."""
    server = play(lambda session: (session.login(), session.say("999 \x1b[31m forged\x07"), session.serve_rest()))
    gateway = start_gateway(server)
    client = gateway.secure(tls)
    try:
        client.login("u", "p")
        client.command("NOOP")
    except Exception:
        pass
    gateway.stop()
    assert b"\x1b" not in gateway.log_path.read_bytes()
    gateway.events()


def test_each_session_can_be_followed(start_server, start_gateway, tls):
    """The raw ftpd sees only the gateway's address: the log joins the client's to it, and to the user, under one
    number."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    own_port = client.socket.getsockname()[1]
    client.upload("STOR logged", b"12345")
    client.expect("QUIT", 221)
    gateway.stop()
    events = gateway.events()
    first = next(event for event in events if str(own_port) in json.dumps(event))
    mine = [event for event in events if event.get("sid") == first["sid"]]
    text = json.dumps(mine)
    assert server.server.user in text and "TLSv1.3" in text and "logged" in text
    assert str(server.peers[-1][1]) in text, "the port under which the raw ftpd knows us"
    assert all({"ts", "level", "event", "message"} <= set(event) for event in events)


def test_one_summary_at_the_end_of_each_session(start_server, start_gateway, tls):
    """With the reason of the end: quit, cut, failed."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password)
    client.expect("QUIT", 221)
    gateway.secure(tls).rst()
    gateway.stop()
    ends = gateway.events("end")
    assert len(ends) == 2 and len({event["message"] for event in ends}) == 2, ends


def test_a_refused_transfer_has_no_bytes(start_server, start_gateway, tls):
    """Guards against the size of the transfer before it, in the logs and once more in the session's sums."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for command, code in (("EPSV", 229), (f"EPRT |1|127.0.0.1|{listener.getsockname()[1]}|", 200)):
            client.upload("STOR file", b"x" * 1000)
            client.expect(command, code)
            client.expect("RETR missing", 550)
    client.expect("QUIT", 221)
    gateway.wait_for_log('"event":"end"')
    assert [event["bytes"] for event in gateway.events("transfer")] == [1000, 0, 1000, 0]
    (end,) = gateway.events("end")
    assert (end["uploaded"], end["downloaded"]) == (2000, 0)


def test_failed_logins_are_logged_with_the_client(start_server, start_gateway, tls):
    """What fail2ban needs: address and user on one line, at a level that is on by default."""
    server = start_server()
    gateway = start_gateway(server, log={"level": "info", "format": "text"})
    client = gateway.secure(tls, source="127.0.0.7")
    client.expect(f"USER {server.server.user}", 331)
    client.expect("PASS wrong", 530)
    gateway.stop()
    lines = [line for line in gateway.log_text().splitlines() if "Authentication failed" in line]
    assert any("127.0.0.7" in line and server.server.user in line for line in lines), gateway.log_text()


@pytest.fixture
def with_xferlog(start_server, start_gateway, tls, directory):
    server = start_server()
    path = directory / "xferlog"
    gateway = start_gateway(server, log={"xferlog": str(path)})
    return gateway.secure(tls).login(server.server.user, server.server.password).protect(), gateway, path


def test_xferlog(with_xferlog):
    """wu-ftpd's format, which every analyser reads: 14 fields by position, size and time plausible."""
    client, gateway, path = with_xferlog
    client.expect("TYPE I", 200)
    client.upload("STOR a file with spaces", b"x" * 12345)
    assert client.download("RETR a file with spaces") == b"x" * 12345
    client.expect("QUIT", 221)
    gateway.stop()
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    for line, direction in zip(lines, "io"):
        fields = line.split()
        assert re.match(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} ", line), line
        assert len(fields) == 18, line  # the time takes five of them: 14 by the format's own count
        seconds, address, size, name, kind, special, way, access, user, service, method, identity, status = fields[5:]
        assert int(seconds) >= 0 and address == "127.0.0.1" and size == "12345"
        assert name.endswith("a_file_with_spaces")
        assert (kind, special, way, access, user) == ("b", "_", direction, "r", "ftpuser")
        assert (service, method, identity, status) == ("ftp", "0", "*", "c")


def test_xferlog_of_a_cut_upload(with_xferlog):
    """`i`: incomplete. Guards against an audit that says `complete`."""
    client, gateway, path = with_xferlog
    data = client.open_data("STOR cut")
    data.send(b"x" * 1000)
    data.rst()
    client.expect_reply(426, 451)
    gateway.stop()
    (line,) = path.read_text().splitlines()
    assert line.endswith(" i")


def test_xferlog_cannot_be_forged(with_xferlog):
    """Control characters in names become something harmless; one transfer, one line."""
    client, gateway, path = with_xferlog
    client.upload("STOR name\ttab", b"x")
    gateway.stop()
    (line,) = path.read_text().splitlines()
    assert len(line.split()) == 18


@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pure-ftpd", "inetutils-ftpd"])
def test_xferlog_names_whole_paths(start_server, start_gateway, tls, directory, name):
    """After CWD a bare name says little, and STOU has none: the raw ftpd says where one is (257) and what it has chosen."""
    server = start_server(name)
    (server.server.home / "sub").mkdir()
    hand_over(server.server.home / "sub")
    path = directory / "xferlog"
    gateway = start_gateway(server, log={"xferlog": str(path)})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    top = client.expect("PWD", 257).text.split('"')[1].rstrip("/")
    client.expect("CWD sub", 250)
    client.upload("STOR file", b"x")
    client.upload("STOU", b"unique") if name != "inetutils-ftpd" else client.upload("STOU file", b"unique")
    client.expect("CDUP", 200, 250)
    client.expect("PWD", 257)
    client.download("RETR sub/file")
    gateway.stop()
    paths = [line.split()[8] for line in path.read_text().splitlines()]
    assert paths[0] == paths[2] == f"{top}/sub/file"
    (unique,) = [entry.name for entry in (server.server.home / "sub").iterdir() if entry.name != "file"]
    assert paths[1] == f"{top}/sub/{unique}"


def test_a_client_without_close_notify_is_no_news(front):
    """Perl's and Python's clients end so: a line for each of their sessions at `info` would hide others."""
    client = front.login()
    client.expect("QUIT", 221)
    other = front.login()
    other.fin()
    front.gateway.wait_for_log("without close_notify|client closed")
    events = front.gateway.events("client-broken")
    assert all(event["level"] == "debug" for event in events), events


def test_xferlog_can_be_rotated(with_xferlog):
    """USR1 opens it again, for sessions under way as well: logrotate's way."""
    client, gateway, path = with_xferlog
    client.upload("STOR one", b"x")
    path.rename(path.with_suffix(".1"))
    gateway.process.send_signal(signal.SIGUSR1)
    transfers = 1
    while not path.exists() or not path.read_text():  # each worker is told a moment after the file is there
        client.upload("STOR two", b"x")
        transfers += 1
    gateway.stop()
    assert len(path.with_suffix(".1").read_text().splitlines()) + len(path.read_text().splitlines()) == transfers


def test_journal_priorities(start_server, start_gateway):
    """target = journal: sd-daemon(3)'s <N> in front of each line, so that journalctl -p works."""
    gateway = start_gateway(start_server(), log={"target": "journal", "format": "text"})
    client = gateway.connect().greet()
    client.send(b"AUTH TLS\r\nNOOP\r\n")
    gateway.wait_for_log("behind AUTH")
    gateway.stop()
    lines = gateway.log_text().splitlines()
    assert all(re.match(r"<[3-7]>", line) for line in lines), lines
    assert any(line.startswith("<4>") and "AUTH" in line for line in lines)


def test_syslogd_may_be_started_anew(start_server, start_gateway, running, directory, tls):
    """Workers cannot see /dev/log from their empty root directory. Guards against a restart of syslogd, as every upgrade brings, that
    leaves them silent for the rest of their lives."""
    server = start_server()
    path = directory / "log"
    syslogd = running.add(SystemLog(path))
    gateway = start_gateway(server, start=False, log={"target": "syslog", "format": "text", "level": "info"})
    gateway.prefix = ["unshare", "--mount", "sh", "-ec", DEV_MOUNTS.format(place=directory) + 'exec "$@"', "sh"]
    gateway.start()
    client = gateway.secure(tls)
    client.expect("USER nobody-knows-me", 331)
    client.expect("PASS wrong", 530)
    assert syslogd.wait_for("nobody-knows-me").ident == "safetpd"
    running.things.remove(syslogd)
    syslogd.close()
    path.unlink()
    client.expect("USER while-nobody-listens", 331)
    client.expect("PASS wrong", 530)
    syslogd = running.add(SystemLog(path))
    syslogd.wait_for("while-nobody-listens")  # is kept until somebody does
    client.expect("QUIT", 221)
    syslogd.wait_for("session ended: quit")
