"""What the options of access rules do beyond the verdict: the environment of a raw ftpd that is started for the session, and
commands. Whatever is run comes from the tables; a worker names only what it knows of the client."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import pytest
from support import ftpds
from support.client import SAFETY_NET
from test_access import REFUSAL, everything

CLIENT = "127.0.0.1"


@pytest.fixture
def started(directory, start_gateway):
    """started("shell commands") -> Gateway that has them run for each session, as root would run an ftpd."""

    def start(script: str, access: dict | None = None, **settings):
        program = directory / "ftpd"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return start_gateway(None, server={"command": [str(program)]}, access=access or {}, **settings)

    return start


@pytest.fixture
def commanding(start_gateway, play, directory):
    """A gateway whose rules may run commands, which find a directory that they can write to."""

    def start(**access):
        def script(session):
            session.say("220 the raw ftpd")
            session.serve_rest()

        directory.chmod(0o1777)  # nobody may put another thing in place of what root reads there
        return start_gateway(play(script), access={"commands": True} | access)

    return start


def wait_for_file(path: Path) -> str:
    deadline = time.monotonic() + SAFETY_NET
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text
        time.sleep(0.02)
    raise AssertionError(f"{path} does not come")


# -- the raw ftpd's environment -----------------------------------------------------------------------------------------------


def test_vsftpd_loads_the_configuration_that_a_rule_names(start_gateway, directory):
    """The old recipe for rates and greetings by client: hosts.allow, setenv VSFTPD_LOAD_CONF FILE."""
    server = ftpds.make("vsftpd", directory / "vsftpd")
    lan = directory / "vsftpd-lan.conf"
    lan.write_text("ftpd_banner=for the local network\n")
    gateway = start_gateway(None, server={"command": server.command})
    gateway.allow_path.write_text(f"safetpd: 127.0.0.2: setenv VSFTPD_LOAD_CONF {lan}\nsafetpd: ALL\n")
    assert gateway.connect(source="127.0.0.2").reply().text == "220 for the local network"
    assert gateway.connect().reply().text == "220 (vsFTPd 3.0.3)"


def test_umask_nice_and_environment_reach_the_raw_ftpd(started):
    gateway = started('echo "220 $(umask) $(nice) $GREETING|$HOME"; read line')
    gateway.allow_path.write_text("safetpd: ALL: umask 077: nice 3: setenv GREETING for %a, %d: setenv HOME /tmp\n")
    ours = os.nice(0)  # the tests may be run with nice(1) themselves
    assert gateway.connect().reply().text == f"220 0077 {ours + 3} for {CLIENT}, safetpd|/tmp"
    gateway.allow_path.write_text("")
    assert gateway.connect().reply().text.startswith(f"220 0022 {ours} |")


def test_no_rule_can_make_the_raw_ftpd_load_other_code(started):
    """What a rule inserts comes from the network; a variable of the dynamic linker is no place for it."""
    gateway = started('echo "220 started"; read line')
    gateway.allow_path.write_text("safetpd: ALL: setenv LD_PRELOAD /tmp/x.so\n")
    assert gateway.connect().reply().code == 421
    gateway.wait_for_log("could not be passed to the raw ftpd")


def test_commands_of_a_rule_do_not_stop_its_environment(started, directory):
    directory.chmod(0o1777)  # nobody may put another thing in place of what root reads there
    gateway = started('echo "220 $GREETING"; read line', access={"commands": True})
    gateway.allow_path.write_text("safetpd: ALL: aclexec true: spawn true: setenv GREETING hello\n")
    assert gateway.connect().reply().text == "220 hello"


# -- spawn, aclexec and twist -------------------------------------------------------------------------------------------------


def test_spawn_runs_as_an_ordinary_user_with_nothing_of_ours(commanding, directory):
    gateway = commanding()
    out = directory / "out"
    gateway.allow_path.write_text(
        f"safetpd: ALL: spawn (id -un; echo %a %d %c; env; ls -l /proc/self/fd | wc -l) > {out}.new; mv {out}.new {out}\n"
    )
    gateway.connect().greet()
    lines = wait_for_file(out).splitlines()
    assert lines[0] == ("daemon" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)
    assert lines[1] == f"{CLIENT} safetpd {CLIENT}"
    assert {line.split("=")[0] for line in lines[2:-1]} <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert int(lines[-1]) <= 5  # a total, three streams, and the directory that ls reads


def test_aclexec_decides(commanding, directory):
    gateway = commanding()
    gateway.allow_path.write_text(f"safetpd: ALL: aclexec test %a = {CLIENT}\n")
    gateway.deny_path.write_text("ALL: ALL\n")
    gateway.connect().greet()
    assert everything(gateway.connect(source="127.0.0.2")) == REFUSAL
    gateway.allow_path.write_text("safetpd: ALL: aclexec kill -9 $$\n")
    assert everything(gateway.connect()) == REFUSAL


def test_twist_gets_the_connection(commanding):
    gateway = commanding()
    gateway.deny_path.write_text('safetpd: ALL: twist read line; echo "421 no entry for %a, $line"\n')
    client = gateway.connect()
    client.send(b"whoever you are\n")
    assert everything(client) == f"421 no entry for {CLIENT}, whoever you are\n".encode()
    gateway.wait_for_log(f"twist {CLIENT} to read line")
    gateway.wait_for_log("session ended: access refused")
    assert not gateway.events("access-refused")


def test_twisted_clients_take_no_other_commands_place(commanding):
    """They stay as long as they like."""
    gateway = commanding()
    gateway.change(limits={"sessions_per_client": 100})
    gateway.reload()
    gateway.allow_path.write_text("safetpd: 127.0.0.3: aclexec true\n")
    gateway.deny_path.write_text("safetpd: ALL: twist printf '421 twisted\\r\\n'; read line\n")
    twisted = [gateway.connect(source="127.0.0.2") for _ in range(64)]
    for client in twisted:
        assert client.reply().text == "421 twisted"
    assert everything(gateway.connect(source="127.0.0.2")) == REFUSAL
    gateway.connect(source="127.0.0.3").greet()
    for client in twisted:
        client.close()


def test_a_command_under_way_holds_nobody_up(commanding, directory):
    gateway = commanding()
    gate = directory / "gate"
    os.mkfifo(gate)
    gate.chmod(0o666)
    gateway.allow_path.write_text(f"safetpd: 127.0.0.2: aclexec read x < {gate}\n")
    waiting = gateway.connect(source="127.0.0.2")
    gateway.wait_for_log('"accept".*127.0.0.2')
    for _ in range(5):
        gateway.connect().greet()
    gate.write_text("go\n")
    waiting.greet()


def test_an_edit_while_a_command_is_under_way_changes_nothing_for_its_client(commanding, directory):
    gateway = commanding()
    gate = directory / "gate"
    os.mkfifo(gate)
    gate.chmod(0o666)
    out = directory / "out"
    begun = directory / "begun"
    command = f"echo begun > {begun}; read x < {gate}"
    gateway.allow_path.write_text(f"safetpd: 127.0.0.2: aclexec {command}: spawn echo old > {out}\n")
    waiting = gateway.connect(source="127.0.0.2")
    wait_for_file(begun)
    gateway.allow_path.write_text(f"safetpd: 127.0.0.2: aclexec false: spawn echo new > {out}\n")
    gateway.connect().greet()
    gate.write_text("go\n")
    waiting.greet()
    assert wait_for_file(out) == "old\n"
