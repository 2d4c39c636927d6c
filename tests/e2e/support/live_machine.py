"""A machine of namespaces with Debian's /etc, an inetd, a tcpd and a vsftpd, a wire to a stranger, and a user to log in."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from .ftpds import ftpds_directory, make_home, private_etc
from .gateway import binary
from .namespaces import SAFETY_NET, Machine, Network, join, make_etc
from .scratch_root import ScratchRoot

SERVER = "10.78.0.1"
STRANGER = "10.78.0.2"

# What the tests' kernel and accounts need of vsftpd; none of it is about where it listens.
VSFTPD_SETTINGS = """\
listen=NO
listen_ipv6=NO
local_enable=YES
write_enable=YES
pam_service_name=vsftpd
secure_chroot_dir=/run/empty
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
"""


class LiveMachine:
    def __init__(self, place: Path):
        place.mkdir(parents=True)
        self.place = place
        self.server_network, self.client_network = Network(), Network()
        join(self.server_network, self.client_network)
        self.server_network.add_address(f"{SERVER}/24")
        self.client_network.add_address(f"{STRANGER}/24")
        self.etc = self._make_etc()
        self.machine = Machine(self.server_network, place, self.etc, self._make_sbin())
        for name in ("var/lib", "run"):
            (place / name).mkdir(parents=True)
            self.machine.run("mount", "--bind", place / name, f"/{name}", check=True)
        (place / "run/empty").mkdir()
        self.safetpd_process: subprocess.Popen | None = None

    def _make_etc(self) -> Path:
        etc = make_etc(self.place, SERVER)
        self.home = make_home(self.place)
        private_etc(self.place / "accounts", self.home, ["vsftpd"])
        accounts = self.place / "accounts/etc"
        for name in ("passwd", "shadow", "group", "pam.d"):
            source, target = accounts / name, etc / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
        with open(etc / "passwd", "a") as passwd:
            passwd.write("safetp:x:990:990:workers:/run/safetp/empty:/usr/sbin/nologin\n")
        with open(etc / "group", "a") as group:
            group.write("safetp:x:990:\n")
        debian = ScratchRoot(self.place / "debian", "openbsd-inetd")
        for name in ("services", "hosts.allow", "hosts.deny", "inetd.conf"):
            shutil.copy2(debian.path / "etc" / name, etc / name)
        (etc / "vsftpd.conf").write_text(VSFTPD_SETTINGS)
        return etc

    def _make_sbin(self) -> Path:
        sbin = self.place / "sbin"
        sbin.mkdir()
        tools = ftpds_directory()
        shutil.copy2(tools / "root/usr/sbin/tcpd", sbin / "tcpd")
        for name in ("inetd", "vsftpd"):
            shutil.copy2(tools / "bin" / name, sbin / name)
        return sbin

    def snapshot(self) -> dict:
        scratch = object.__new__(ScratchRoot)
        scratch.path = self.etc
        return scratch.snapshot()

    def read(self, name: str) -> str:
        return (self.etc / name).read_text()

    def write(self, name: str, text: str) -> None:
        (self.etc / name).write_text(text)

    def start_by_hand(self, *words) -> subprocess.Popen:
        return self.machine.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_inetd(self, lines: str) -> None:
        self.write("inetd.conf", lines)
        with open(self.place / "inetd.log", "wb") as log:
            self.machine.start("/usr/sbin/inetd", "-i", stdout=log, stderr=log)
        self.wait_for_port(351 if lines.startswith("raw-ftp") else 21)

    def safetpd(self, *words, code: int = 0) -> str:
        result = self.machine.run(binary(), *words)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout

    def start_safetpd(self, config: str | None = None) -> None:
        """With the configuration that setup has made, or this one."""
        if config is not None:
            (self.etc / "safetp").mkdir(exist_ok=True)
            (self.etc / "safetp/safetpd.toml").write_text(config)
        with open(self.place / "safetpd.log", "ab") as log:
            self.safetpd_process = self.machine.start(binary(), stdout=log, stderr=log)
        wait_for_listener_any(self.server_network, 21)

    def stop_safetpd(self) -> None:
        pid = self.machine.run("pgrep", "-o", "-x", "safetpd", check=True).stdout.strip()
        self.machine.run("kill", "-TERM", pid, check=True)
        assert self.safetpd_process.wait(SAFETY_NET) == 0, (self.place / "safetpd.log").read_text()

    def greeting(self, port: int) -> str:
        """What a stranger reads first; nothing where the connection is closed."""
        with self.client_network.entered():
            connection = socket.create_connection((SERVER, port), SAFETY_NET, (STRANGER, 0))
        with connection:
            try:
                return connection.recv(1000).decode()
            except ConnectionResetError:
                return ""

    def wait_for_port(self, port: int) -> None:
        wait_for_listener_any(self.server_network, port)

    def wait_for_no_port(self, port: int) -> None:
        deadline = time.monotonic() + SAFETY_NET
        while listens(self.server_network, port):
            assert time.monotonic() < deadline, f"port {port} is still open"
            time.sleep(0.05)

    def close(self) -> None:
        self.machine.close()
        self.client_network.close()
        self.server_network.close()


def listens(network: Network, port: int) -> bool:
    listing = subprocess.run(
        network.command("cat", "/proc/net/tcp", "/proc/net/tcp6"), capture_output=True, text=True, check=True
    ).stdout
    return any(f":{port:04X} " in line and " 0A " in line for line in listing.splitlines())


def wait_for_listener_any(network: Network, port: int) -> None:
    """On any address of either family."""
    deadline = time.monotonic() + SAFETY_NET
    while not listens(network, port):
        assert time.monotonic() < deadline, f"nobody listens on port {port}"
        time.sleep(0.05)
