"""Who may come in: hosts.allow and hosts.deny before the front door. Edits count from the next connection on, a table that
cannot be relied on lets nobody in, and a refused client gets what the administrator chose."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from support import ports
from support.client import SAFETY_NET, FtpClient
from support.ftpds import FtpServer, Inetd, ftpds_directory
from support.gateway import Gateway, binary
from support.namespaces import make_etc

CLIENT = "127.0.0.1"
REFUSAL = b"421 Connection refused by this server's access rules.\r\n"


def everything(client) -> bytes:
    """What the gateway says before it hangs up."""
    parts = []
    try:
        while part := client.socket.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.fixture
def guarded(play, start_gateway):
    """guarded(allow="...", deny="...", access={...}) -> Gateway before a raw ftpd that only greets and answers."""

    def start(allow: str | None = None, deny: str | None = None, access: dict | None = None, **settings):
        def script(session):
            session.say("220 the raw ftpd")
            session.serve_rest()

        server = play(script)
        gateway = start_gateway(server, access=access or {}, **settings, start=False)
        if allow is not None:
            gateway.allow_path.write_text(allow)
        if deny is not None:
            gateway.deny_path.write_text(deny)
        gateway.start()
        gateway.server = server
        return gateway

    return start


def is_let_in(gateway, **options) -> bool:
    client = gateway.connect(**options)
    said = client.socket.recv(65536)
    client.close()
    if said.startswith(b"220 the raw ftpd"):
        return True
    assert said in (b"", REFUSAL), said
    return False


# -- the tables ---------------------------------------------------------------------------------------------------------------


def test_without_tables_everybody_comes_in(guarded):
    assert is_let_in(guarded())


def test_refused_by_hosts_deny_before_the_raw_ftpd_is_contacted(guarded):
    gateway = guarded(deny=f"safetpd: {CLIENT}\n")
    client = gateway.connect()
    assert everything(client) == REFUSAL
    event = gateway.events("access-refused")[0]
    assert event["message"] == f"refused connect from {CLIENT} ({CLIENT})"
    assert event["rule"] == f"{gateway.deny_path}:1" and event["daemon"] == "safetpd" and event["level"] == "warning"
    gateway.wait_for_log("session ended: access refused")
    assert not gateway.events("server-connected")


def test_hosts_allow_goes_before_hosts_deny(guarded):
    gateway = guarded(allow=f"# staff\nsafetpd: {CLIENT}\n", deny="ALL: ALL\n")
    assert is_let_in(gateway)
    event = gateway.events("connect")[0]
    assert event["message"] == f"connect from {CLIENT} ({CLIENT})"
    assert event["rule"] == f"{gateway.allow_path}:2" and event["level"] == "info"
    assert not is_let_in(gateway, source="127.0.0.2")


def test_each_listener_can_have_a_daemon_name_of_its_own(guarded, play, start_gateway):
    gateway = guarded(deny="partners: ALL\n", listener={"daemon": "partners"})
    assert not is_let_in(gateway)
    gateway.deny_path.write_text("safetpd: ALL\n")
    assert is_let_in(gateway)


def test_off_is_off(guarded):
    gateway = guarded(deny="ALL: ALL\n", access={"enabled": False})
    assert is_let_in(gateway)
    assert gateway.events("connect")[0]["message"].startswith("connect from 127.0.0.1:")


def test_edits_count_from_the_next_connection_on(guarded):
    """No signal, no waiting: in place, replaced by rename, deleted, made anew, by turns and at once."""
    gateway = guarded()
    for turn in range(20):
        gateway.deny_path.write_text("safetpd: ALL\n")
        assert not is_let_in(gateway), turn
        gateway.allow_path.write_text(f"safetpd: {CLIENT}\n")
        assert is_let_in(gateway), turn
        gateway.allow_path.unlink()
        assert not is_let_in(gateway), turn
        new = gateway.deny_path.with_suffix(".new")
        new.write_text("safetpd: 192.0.2.1\n")
        new.rename(gateway.deny_path)
        assert is_let_in(gateway), turn
        gateway.deny_path.write_text("safetpd: 127.0.0.0/8\n")
        assert not is_let_in(gateway), turn
        gateway.deny_path.unlink()
        assert is_let_in(gateway), turn


def test_an_edit_of_the_same_length_counts(guarded):
    gateway = guarded(deny="safetpd: 127.0.0.9\n")
    for last in "1919191":
        gateway.deny_path.write_text(f"safetpd: 127.0.0.{last}\n")
        assert is_let_in(gateway) == (last == "9")


def test_files_that_rules_name_are_watched_too(guarded):
    gateway = guarded()
    listed = gateway.directory / "blocked"
    gateway.deny_path.write_text(f"safetpd: {listed}\n")
    assert is_let_in(gateway)
    listed.write_text(f"192.0.2.1 {CLIENT}\n")
    assert not is_let_in(gateway)
    listed.write_text("192.0.2.1\n")
    assert is_let_in(gateway)


def test_a_table_behind_a_link_that_turns(guarded):
    gateway = guarded()
    for name, text in (("closed", "safetpd: ALL\n"), ("open", "")):
        (gateway.directory / name).write_text(text)
    gateway.deny_path.symlink_to("open")
    assert is_let_in(gateway)
    other = gateway.directory / "link"
    other.symlink_to("closed")
    other.rename(gateway.deny_path)
    assert not is_let_in(gateway)


def test_a_table_that_is_being_written_lets_nobody_in(guarded):
    """A deny list cut short by a writer in the middle of its work would let its lower half in."""
    gateway = guarded(deny="safetpd: 127.0.0.2\n")
    assert is_let_in(gateway)
    with open(gateway.deny_path, "w") as file:
        file.write("safetpd: 127.0.0.2\n# half of\n")
        file.flush()
        assert not is_let_in(gateway)
    assert is_let_in(gateway)
    assert any("is being written" in event["message"] for event in gateway.events("access-table"))


def test_a_writer_who_finishes_soon_is_waited_for(guarded):
    gateway = guarded(deny="")
    file = open(gateway.deny_path, "w")
    file.write("safetpd: 127.0.0.2\n")
    file.flush()
    client = gateway.connect()
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.socket.recv(1)
    file.close()
    client.socket.settimeout(SAFETY_NET)
    assert client.socket.recv(100).startswith(b"220 ")


@pytest.mark.parametrize("name", ["hosts.allow", "hosts.deny"])
def test_a_directory_in_a_tables_place_lets_nobody_in(guarded, name):
    gateway = guarded()
    assert is_let_in(gateway)
    (gateway.directory / name).mkdir()
    assert not is_let_in(gateway)
    assert any("is a directory" in event["message"] for event in gateway.events("access-table"))
    (gateway.directory / name).rmdir()
    assert is_let_in(gateway)


def test_an_unreadable_table_lets_nobody_in(guarded):
    """Root can read everything, but no link that leads to itself."""
    gateway = guarded(allow="safetpd: ALL\n")
    assert is_let_in(gateway)
    gateway.deny_path.symlink_to(gateway.deny_path.name)
    gateway.allow_path.unlink()
    assert not is_let_in(gateway)
    gateway.deny_path.unlink()
    assert is_let_in(gateway)


def test_the_last_good_tables_can_be_kept(guarded):
    gateway = guarded(deny="safetpd: 127.0.0.2\n", access={"bad_table": "keep"})
    assert is_let_in(gateway) and not is_let_in(gateway, source="127.0.0.2")
    gateway.deny_path.write_text("safetpd 127.0.0.1\n")
    assert is_let_in(gateway) and not is_let_in(gateway, source="127.0.0.2")
    assert any("the last good ones stay" in event["message"] for event in gateway.events("access-table"))
    gateway.deny_path.unlink()
    gateway.deny_path.mkdir()
    assert is_let_in(gateway) and not is_let_in(gateway, source="127.0.0.2")
    gateway.deny_path.rmdir()
    gateway.deny_path.write_text("safetpd: 127.0.0.1\n")
    assert not is_let_in(gateway) and is_let_in(gateway, source="127.0.0.2")
    with open(gateway.deny_path, "a"):
        assert not is_let_in(gateway)


def test_a_reload_of_the_configuration_turns_to_other_tables(guarded):
    gateway = guarded(deny="safetpd: ALL\n")
    assert not is_let_in(gateway)
    gateway.change(access={"hosts_deny": str(gateway.directory / "other")})
    gateway.reload()
    assert is_let_in(gateway)
    gateway.change(access={"enabled": False, "hosts_deny": str(gateway.deny_path)})
    gateway.reload()
    assert is_let_in(gateway)
    gateway.change(access={"enabled": True})
    gateway.reload()
    assert not is_let_in(gateway)


def test_a_million_lines_stop_no_transfer(start_server, start_gateway, tls):
    """The tables are compiled elsewhere, once: a transfer under way goes on, and the next client is judged by the new ones."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.expect("TYPE I", 200)
    data = client.open_data("STOR long")
    data.send(b"one half")
    lines = [f"safetpd: 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(1_000_000)]
    gateway.deny_path.write_text("".join(lines) + "safetpd: 127.0.0.9\n")
    began = time.monotonic()
    newcomer = gateway.connect(source="127.0.0.9")
    data.send(b", the other half")
    data.end()
    client.expect_reply(226)
    assert everything(newcomer) == REFUSAL
    took = time.monotonic() - began
    gateway.connect(source="127.0.0.8").greet()
    assert gateway.events("access-refused")[-1]["rule"] == f"{gateway.deny_path}:1000001"
    print(f"a million lines: {took:.2f} s to the first verdict")
    assert (server.server.home / "long").read_bytes() == b"one half, the other half"


# -- what a refused client gets -----------------------------------------------------------------------------------------------


def test_silent_refusal(guarded):
    gateway = guarded(deny="ALL: ALL\n", access={"refusal": "silent"})
    assert everything(gateway.connect()) == b""


def test_delayed_refusal_waits_as_tcpd_does(guarded):
    gateway = guarded(deny="ALL: ALL\n", access={"refusal": "delay", "refusal_delay": "1s"})
    began = time.monotonic()
    assert everything(gateway.connect()) == b""
    assert time.monotonic() - began >= 1


def test_delayed_refusals_have_a_limited_number_of_slots(guarded):
    access = {"refusal": "delay", "refusal_delay": "10m", "refusal_slots": 1}
    gateway = guarded(deny="ALL: ALL\n", access=access, process={"workers": 1})
    waits = gateway.connect()
    gateway.wait_for_log("refused connect from")
    assert everything(gateway.connect()) == b""
    waits.close()  # frees the slot at once: the next one waits
    gateway.wait_for_log("(?s)session ended.*session ended")
    waits = gateway.connect()
    waits.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        waits.socket.recv(1)


def test_implicit_tls_is_refused_without_a_word_in_clear(guarded):
    gateway = guarded(deny="ALL: ALL\n", listener={"implicit_tls": True})
    assert everything(gateway.connect()) == b""


def test_banners_are_lines_of_the_refusal(guarded):
    gateway = guarded()
    banners = gateway.directory / "banners"
    banners.mkdir()
    (banners / "safetpd").write_text("No entry for %a.\n421-Ask root.\n")
    gateway.deny_path.write_text(f"safetpd: ALL: banners {banners}\n")
    assert everything(gateway.connect()) == f"421-No entry for {CLIENT}.\r\n421-Ask root.\r\n".encode() + REFUSAL


def test_banners_of_a_rule_that_lets_in_stand_before_the_greeting(guarded):
    gateway = guarded()
    banners = gateway.directory / "banners"
    banners.mkdir()
    (banners / "safetpd").write_text("Welcome, %c.\n")
    gateway.allow_path.write_text(f"safetpd: ALL: banners {banners}\n")
    reply = gateway.connect().reply()
    assert reply.code == 220 and reply.text == f"220-Welcome, {CLIENT}.\n220 the raw ftpd"


def test_severity_is_the_log_lines_level(guarded):
    gateway = guarded(allow="safetpd: 127.0.0.1: severity local3.notice\n", deny="ALL: ALL: severity err\n")
    assert is_let_in(gateway) and not is_let_in(gateway, source="127.0.0.2")
    assert gateway.events("connect")[0]["level"] == "notice"
    assert gateway.events("access-refused")[0]["level"] == "error"


def test_a_bad_option_refuses_and_says_where(guarded):
    gateway = guarded(allow="safetpd: ALL: severity loud\n")
    assert not is_let_in(gateway)
    assert any(f"{gateway.allow_path}, line 1" in event["message"] for event in gateway.events("access"))


def test_options_that_cannot_reach_a_raw_ftpd_over_tcp_are_said_so_once(guarded):
    gateway = guarded(allow="safetpd: ALL: setenv VSFTPD_LOAD_CONF /etc/vsftpd-lan.conf: umask 077: nice 5\n", process={"workers": 1})
    assert is_let_in(gateway) and is_let_in(gateway)
    warnings = [event["message"] for event in gateway.events("access-option")]
    assert len(warnings) == 3 and all(text.startswith(f"{gateway.allow_path}:1: ") for text in warnings)
    assert "setenv VSFTPD_LOAD_CONF has no effect here" in warnings[0] and "command in [server]" in warnings[0]


def test_another_identity_is_refused_not_ignored(guarded):
    gateway = guarded(allow="safetpd: ALL: user nobody\n")
    assert not is_let_in(gateway)
    assert any("user in [server]" in event["message"] for event in gateway.events("access-option"))


@pytest.mark.parametrize("option", ["twist /bin/echo hello", "aclexec /bin/true"])
def test_commands_are_off_by_default_and_then_refuse(guarded, option):
    gateway = guarded(allow=f"safetpd: ALL: {option}\n")
    assert not is_let_in(gateway)


def test_an_aclexec_that_may_not_run_opens_no_deny_rule(guarded):
    gateway = guarded(deny="safetpd: ALL: aclexec /bin/false\n")
    assert not is_let_in(gateway)


def test_spawn_is_left_out_with_a_warning_when_commands_are_off(guarded):
    gateway = guarded()
    gateway.allow_path.write_text(f"safetpd: ALL: spawn touch {gateway.directory}/spawned\n")
    assert is_let_in(gateway)
    assert any("commands = true" in event["message"] for event in gateway.events("access-option"))
    assert not (gateway.directory / "spawned").exists()


# -- limits -------------------------------------------------------------------------------------------------------------------


def test_a_client_that_is_judged_counts_as_a_session(guarded):
    gateway = guarded(deny="", limits={"sessions_per_client": 1})
    with open(gateway.deny_path, "w"):
        waiting = gateway.connect()  # for the writer
        gateway.wait_for_log('"accept"')
        assert everything(gateway.connect()).startswith(b"421 Too many")
    waiting.greet()


def test_a_client_that_leaves_while_it_is_judged_ends_the_session(guarded):
    gateway = guarded(deny="")
    with open(gateway.deny_path, "w"):
        client = gateway.connect()
        gateway.wait_for_log('"accept"')
        client.close()
        gateway.wait_for_log("session ended: client closed")
    assert not gateway.events("access-refused")


def test_an_eager_client_that_leaves_is_noticed_too(guarded):
    gateway = guarded(deny="ALL: ALL\n", access={"refusal": "delay", "refusal_delay": "10m"})
    client = gateway.connect()
    client.send(b"USER early\r\n")
    gateway.wait_for_log("refused connect")
    client.close()
    gateway.wait_for_log("session ended")


def test_a_crashed_table_reader_lets_nobody_in_and_the_next_one_is_asked(guarded):
    """Not a race: the file is held open, so that the reader waits for its writer."""
    gateway = guarded(deny="")
    with open(gateway.deny_path, "w"):
        client = gateway.connect()
        gateway.wait_for_log('"accept"')
        for pid in gateway.workers():
            if is_table_reader(pid):
                os.kill(pid, 9)
        assert everything(client) == REFUSAL
    assert is_let_in(gateway)


def is_table_reader(pid: int) -> bool:
    links = (os.path.join(f"/proc/{pid}/fd", name) for name in os.listdir(f"/proc/{pid}/fd"))
    return any("safetp-access-notes" in os.readlink(link) for link in links) and len(os.listdir(f"/proc/{pid}/fd")) < 8


# -- the other ways to run ----------------------------------------------------------------------------------------------------


def test_started_by_inetd(directory, certificate, play, running):
    """-s: the same tables, for the one connection."""
    server = play(lambda session: (session.say("220 the raw ftpd"), session.serve_rest()))
    gateway = Gateway(directory / "gateway", certificate)
    gateway.change(server={"address": server.address, "port": server.port})
    gateway.deny_path.write_text("safetpd: 127.0.0.1\n")
    inetd = running.add(Inetd(FtpServer("safetpd", [str(binary()), "-s", "-c", str(gateway.config_path)], directory)))
    assert everything(FtpClient(inetd.port)) == REFUSAL
    inetd.sessions[-1].wait(SAFETY_NET)
    assert inetd.sessions[-1].returncode == 0
    gateway.deny_path.write_text("safetpd: 127.0.0.2\n")
    client = FtpClient(inetd.port).greet()
    client.close()
    inetd.sessions[-1].wait(SAFETY_NET)


def test_serve_is_guarded_by_the_machines_tables(directory):
    """In a place where /etc is the test's own."""
    etc = make_etc(directory, "127.0.0.1")
    port = ports.lease()
    (directory / "shared").mkdir()
    serve = [binary(), "serve", directory / "shared", "--ftpd", ftpds_directory() / "bin" / "proftpd", "--port", str(port[0])]
    place = ["unshare", "--mount", "sh", "-c", f"mount --bind '{etc}' /etc && exec \"$@\"", "sh"]
    (etc / "hosts.deny").write_text("ALL: ALL\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    with open(directory / "screen", "wb") as screen:
        process = subprocess.Popen(place + serve, stdin=subprocess.DEVNULL, stdout=screen, stderr=screen, env=environment)
    try:
        deadline = time.monotonic() + SAFETY_NET
        while b"safetpd started" not in (directory / "screen").read_bytes():
            assert process.poll() is None and time.monotonic() < deadline, (directory / "screen").read_text()
            time.sleep(0.05)
        assert everything(FtpClient(port[0])) == REFUSAL
        (etc / "hosts.allow").write_text("safetpd: 127.0.0.1\n")
        FtpClient(port[0]).reply()  # whatever the ftpd makes of such an /etc
        assert b"connect from 127.0.0.1 (127.0.0.1)" in (directory / "screen").read_bytes()
    finally:
        process.terminate()
        process.wait(SAFETY_NET)
        ports.release(port)
