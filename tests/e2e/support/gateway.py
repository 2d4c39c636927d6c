"""Starts and stops the safetpd under test. Nothing here sleeps to synchronise: readiness comes by sd_notify(3), events by log
lines, ends by waiting for the process."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import ports
from .certificates import Certificate
from .client import SAFETY_NET, FtpClient


def binary() -> Path:
    root = Path(__file__).resolve().parents[3]
    return Path(os.environ.get("SAFETPD", root / "build" / "release" / "src" / "bin" / "safetpd")).absolute()


def toml_value(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(str(value), ensure_ascii=False)


def toml(config: dict) -> str:
    """Tables one level deep, and arrays of tables: all that safetpd.toml(5) has."""
    lines = []
    for name, value in config.items():
        if not isinstance(value, (dict, list)):
            lines.append(f"{name} = {toml_value(value)}")
    for name, value in config.items():
        tables = value if isinstance(value, list) else [value]
        for table in tables:
            if isinstance(table, dict):
                lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
                lines += [f"{key} = {toml_value(inner)}" for key, inner in table.items()]
    return "\n".join(lines) + "\n"


def laid_over(table: dict, other: dict) -> dict:
    """`other` wins; its None takes a key out."""
    return {key: value for key, value in (table | other).items() if value is not None}


def command_line(pid: int) -> list[str]:
    """Empty: it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


class Notifications:
    """The service manager's end of sd_notify(3)."""

    def __init__(self, path: Path):
        self.path = path
        path.unlink(missing_ok=True)  # of a start before this one
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(0.2)

    def wait_for(self, field: str, process: subprocess.Popen, seconds: float = SAFETY_NET) -> bool:
        """False if the process ended instead."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if field in self.socket.recv(4096).decode().splitlines():
                    return True
            except TimeoutError:
                if process.poll() is not None:
                    return False
        raise AssertionError(f"no {field} within {seconds} s")


class Gateway:
    """One safetpd with the configuration given. `settings` are tables to lay over a sensible default for tests."""

    def __init__(self, directory: Path, certificate: Certificate, **settings):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.ports = ports.lease()
        self.port = self.ports[0]
        self.mark = 100_000 + random.randrange(700_000)
        self.clients: list[FtpClient] = []
        self.log_path = directory / "safetpd.log"
        self.config_path = directory / "safetpd.toml"
        self.allow_path = directory / "hosts.allow"
        self.deny_path = directory / "hosts.deny"
        self.config = self._defaults(certificate)
        self.change(**settings)
        self.process: subprocess.Popen | None = None
        self.prefix: list[str] = []  # what makes the place in which it runs, and then becomes it

    def _defaults(self, certificate: Certificate) -> dict:
        return {
            "listener": [{"address": "127.0.0.1", "port": self.port}],
            "server": {},
            "access": {  # not the machine's tables, and not the workers' user
                "hosts_allow": str(self.allow_path), "hosts_deny": str(self.deny_path), "command_user": "daemon",
            },
            "tls": {"certificates": [certificate.toml]},
            "data": {"passive_ports": f"{self.ports[1]}-{self.ports[-1]}"},
            "limits": {"sessions_per_client": 200, "connection_rate": "1000000/1s"},
            "timeouts": {"drain": "3s"},
            "log": {"target": "stderr", "format": "json", "level": "debug"},
            "process": {"user": "nobody", "chroot": str(self.directory / "empty"), "workers": 2},
        }

    def change(self, **settings) -> None:
        """Lays tables over the configuration and writes it: listener=... goes over the first listener, listeners=...
        replaces all; a value of None takes a key out."""
        for name, table in settings.items():
            if name == "listener":
                self.config["listener"][0] = laid_over(self.config["listener"][0], table)
            elif name == "listeners":
                self.config["listener"] = table
            elif isinstance(table, dict):
                self.config[name] = laid_over(self.config.get(name, {}), table)
            else:
                self.config[name] = table
        self.config_path.write_text(toml(self.config))
        self.config_path.chmod(0o644)

    def start(self) -> Gateway:
        self.notifications = Notifications(self.directory / "notify")
        environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(self.notifications.path)}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                environment[name] = os.environ[name]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, binary(), "-c", self.config_path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MSGQUEUE, (self.mark, self.mark)),
            )
        if not self.notifications.wait_for("READY=1", self.process):
            raise AssertionError(f"safetpd ended with {self.process.returncode}:\n{self.log_text()}")
        return self

    # -- the log --------------------------------------------------------------------------------------------------------------
    def log_text(self) -> str:
        return self.log_path.read_bytes().decode("utf-8", "surrogateescape") if self.log_path.exists() else ""

    def events(self, name: str | None = None) -> list[dict]:
        """The JSON log so far: each line an object, or the test fails here."""
        parsed = [json.loads(line) for line in self.log_text().splitlines() if line]
        return [event for event in parsed if name is None or event["event"] == name]

    def wait_for_log(self, pattern: str, seconds: float = SAFETY_NET) -> re.Match:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if match := re.search(pattern, self.log_text()):
                return match
            time.sleep(0.02)
        raise AssertionError(f"the log does not say {pattern!r}:\n{self.log_text()}")

    # -- processes ------------------------------------------------------------------------------------------------------------
    def workers(self) -> list[int]:
        """The supervisor waits until each has its name."""
        return self.children("safetpd:worker")

    def children(self, name: str | None = None) -> list[int]:
        """Those of the supervisor; with `name` those that call themselves so (prctl(2), PR_SET_NAME)."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                try:
                    if name is None or Path(f"/proc/{child}/comm").read_text() == f"{name}\n":
                        found.append(child)
                except OSError:
                    pass  # gone meanwhile
        return found

    def helpers(self, role: str) -> list[int]:
        """Those of the supervisor that were started as this; ps(1) shows "safetpd: ROLE"."""
        return [pid for pid in self.children() if command_line(pid) == ["safetpd:", role]]

    def leftovers(self) -> list[str]:
        """Processes that came from this safetpd and still live. They are known by a resource limit that nobody uses and
        every child inherits: environment, session and parent do not survive what a started server may do."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or not re.search(
                    rf"Max msgqueue size +{self.mark} ", (entry / "limits").read_text()
                ):
                    continue
                if ") Z " not in (entry / "stat").read_text():
                    found.append(f"{entry.name} {(entry / 'cmdline').read_bytes()!r}")
            except OSError:
                continue  # gone meanwhile
        return found

    def reload(self) -> None:
        """HUP, and back when the new configuration is in force or was refused."""
        self.process.send_signal(signal.SIGHUP)
        assert self.notifications.wait_for("READY=1", self.process), "safetpd ended on HUP"

    def stop(self) -> None:
        """TERM, and then nothing may be left: no process, no session."""
        try:
            self._stop()
        finally:
            ports.release(self.ports)

    def _stop(self) -> None:
        if self.process is None:
            return
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SAFETY_NET)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                raise AssertionError(f"safetpd did not end on TERM:\n{self.log_text()}")
            assert self.process.returncode == 0, f"ended with {self.process.returncode}:\n{self.log_text()}"
        deadline = time.monotonic() + SAFETY_NET
        while left := self.leftovers():
            if time.monotonic() > deadline:
                raise AssertionError(f"safetpd is gone, these are not: {left}")
            time.sleep(0.05)
        self.notifications.socket.close()
        for report in ("AddressSanitizer", "runtime error:", "internal-error"):
            assert report not in self.log_text(), self.log_text()

    # -- clients --------------------------------------------------------------------------------------------------------------
    def connect(self, host: str = "127.0.0.1", source: str | None = None, port: int | None = None) -> FtpClient:
        """A plain control connection; the greeting is not read yet."""
        client = FtpClient(port or self.port, host, source)
        self.clients.append(client)
        return client

    def secure(self, context, **options) -> FtpClient:
        """Greeted and under TLS."""
        session, name = options.pop("session", None), options.pop("server_name", None)
        return self.connect(**options).greet().auth(context, session=session, server_name=name)
