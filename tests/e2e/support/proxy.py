"""Starts and stops the `safetp proxy` under test."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

from .client import SAFETY_NET, FtpClient
from .ftpds import hand_over
from .gateway import binary as safetpd_binary


def binary() -> Path:
    return Path(os.environ.get("SAFETP", safetpd_binary().parent / "safetp")).absolute()


class Proxy:
    """One safetp proxy on a port of its own. `arguments` are its command line's; without a server the client names it."""

    def __init__(self, directory: Path, *arguments: str, server=None, name: str = "localhost", user: str = "nobody", at: str = "127.0.0.1"):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        hand_over(directory)  # known_servers must be in the hands of whoever serves
        self.directory = directory
        self.pins = directory / "known_servers"
        self.log_path = directory / "safetp.log"
        self.command = [str(binary()), "proxy", "--listen", f"{at}:0", "--pins", str(self.pins), "--debug"]
        if os.getuid() == 0:
            self.command += ["--user", user]
        if server is not None:
            self.command += ["--server", f"{name}:{server.port}"]
        self.command += list(arguments)
        self.host = at.strip("[]")
        self.clients: list[FtpClient] = []
        self.process: subprocess.Popen | None = None

    def start(self) -> Proxy:
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        self.port = int(re.search(r"safetp proxy is ready listen=\S+:(\d+)", self.wait_for_log("safetp proxy is ready"))[1])
        return self

    def remember_as_secure(self, server, name: str = "localhost") -> None:
        """As if TLS had been set up with the server before, with no key noted."""
        day = "2026-01-01T00:00:00Z"
        self.pins.write_text(f"{name}:{server.port} - {day} first-use - secure\n")
        self.pins.chmod(0o600)
        hand_over(self.pins)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_for_log(self, pattern: str, seconds: float = SAFETY_NET) -> str:
        """The log once it has a line like that."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.log()):
            ended = self.process.poll() is not None
            assert not (ended and not re.search(pattern, self.log())), f"safetp has ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"no {pattern!r} in the log:\n{self.log()}"
            time.sleep(0.01)
        return self.log()

    def connect(self, **options) -> FtpClient:
        client = FtpClient(self.port, **({"host": self.host} | options))
        self.clients.append(client)
        return client

    def login(self, server, at: str = "") -> FtpClient:
        """A plain client, logged in and in binary."""
        client = self.connect().greet().login(server.user + at, server.password)
        client.expect("TYPE I", 200)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()
        if self.process is None or self.process.poll() is not None:
            code = self.process.returncode if self.process else 0
            assert code == 0, f"safetp proxy has ended with {code}:\n{self.log()}"
            return
        self.process.terminate()
        try:
            code = self.process.wait(SAFETY_NET)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"safetp proxy does not end:\n{self.log()}") from None
        assert code == 0, f"safetp proxy has ended with {code}:\n{self.log()}"
        assert "internal-error" not in self.log() and "ended by an exception" not in self.log(), self.log()
