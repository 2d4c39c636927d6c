"""Helper processes: nothing of a worker's memory is in them, and they can do no worker anything."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.certificates import Certificate
from support.memory import HeldSession, found_in, secrets_of
from support.slow_names import slow_names

pytestmark = pytest.mark.unsanitized  # which fill the memory with what they know themselves


def await_children(gateway, role: str) -> list[int]:
    deadline = time.monotonic() + 60
    while not (found := gateway.helpers(role)):
        assert time.monotonic() < deadline, f"there is no {role}:\n{gateway.log_text()}"
        time.sleep(0.01)
    return found


def make_rsa(directory: Path) -> Certificate:
    made = Certificate(directory / "rsa.pem", directory / "rsa.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", "-subj", "/CN=rsa", "-out", made.certificate]
        + ["-keyout", made.key], check=True, capture_output=True,
    )
    made.key.chmod(0o600)
    return made


class Secrets:
    """What a gateway must keep to itself, and a session that holds some of it."""

    def __init__(self, gateway, certificates, directory):
        self.gateway = gateway
        self.session = HeldSession(gateway.port, directory)
        self.all = {"ticket key": self.session.key_name}
        for number, certificate in enumerate(certificates):
            self.all |= {f"key {number}, {name}": secret for name, secret in secrets_of(certificate).items()}

    def check(self, pid: int) -> None:
        assert found_in(pid, self.all) == []

    def check_workers(self) -> None:
        """They do hold them: what is searched for can be found."""
        found = [found_in(worker, self.all) for worker in self.gateway.workers()]
        assert all(any(name.startswith("key 0") for name in names) for names in found), found
        assert all(any(name.startswith("key 1") for name in names) for names in found), found
        assert any("ticket key" in names for names in found), found


@pytest.fixture
def guarded(play, start_gateway, certificate, directory, running):
    """guarded(rules, **settings) -> a gateway with two keys and access tables, and what it must keep to itself."""

    def start(rules: str, prefix=None, **settings):
        def script(session):
            session.say("220 the raw ftpd")
            session.serve_rest()

        certificates = [certificate, make_rsa(directory)]
        tables = {"tls": {"certificates": [each.toml for each in certificates]}} | settings
        gateway = start_gateway(play(script), start=False, **tables)
        gateway.prefix = prefix or []
        gateway.deny_path.write_text("ALL: ALL\n")
        gateway.allow_path.write_text(rules)
        gateway.start()
        return gateway, Secrets(gateway, certificates, directory)

    with contextlib.ExitStack() as stack:
        def start_and_close(*arguments, **settings):
            gateway, secrets = start(*arguments, **settings)
            stack.callback(secrets.session.close)
            return gateway, secrets

        yield start_and_close


def test_the_resolver_holds_no_secret(guarded):
    gateway, secrets = guarded("safetpd: localhost\n")
    (resolver,) = await_children(gateway, "resolver")
    secrets.check_workers()
    secrets.check(resolver)
    assert os.readlink(f"/proc/{resolver}/exe") == os.readlink(f"/proc/{gateway.process.pid}/exe")


@contextlib.contextmanager
def held(pid: int):
    """As it is at this moment."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_reader_of_tables_holds_no_secret(guarded):
    """It waits while somebody writes."""
    gateway, secrets = guarded("safetpd: 127.0.0.1\n")
    with open(gateway.allow_path, "a", buffering=1) as table:
        table.write("# more to come\n")
        client = gateway.connect()
        with held(await_children(gateway, "access tables")[0]) as reader:
            secrets.check_workers()
            secrets.check(reader)
        client.close()


def test_the_lookup_of_announced_names_holds_no_secret(guarded, directory):
    prefix = ["env", *(f"{name}={value}" for name, value in slow_names(directory).items())]
    gateway, secrets = guarded("safetpd: 127.0.0.1\n", prefix, data={"announce": "gateway.slow.example"})
    with held(await_children(gateway, "announced names")[0]) as lookup:
        secrets.check(lookup)


def test_commands_of_rules_hold_no_secret(guarded):
    gateway, secrets = guarded("safetpd: 127.0.0.1: spawn exec sleep 600\n", access={"commands": True})
    deadline = time.monotonic() + 60
    while not (sleeping := gateway.children("sleep")):
        assert time.monotonic() < deadline, gateway.log_text()
        time.sleep(0.01)
    secrets.check(sleeping[0])
    assert sorted(os.listdir(f"/proc/{sleeping[0]}/fd")) == ["0", "1", "2"]
    os.kill(sleeping[0], signal.SIGKILL)
