"""Networks and machines of a test's own, made of namespaces: a server and a client with addresses that nobody else has, and on the
server's side as many "machines" as wanted, each with its own /etc, /usr/sbin, /dev/log and process numbers.

Nothing has a name that another test could take, and nothing outlives the test: every namespace hangs on a holder process, which
the kernel ends when the test run ends, and with a machine's holder, its init, go all its processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAFETY_NET = 60  # seconds; a test that waits this long has failed
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_us() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], check=True, **options)


class Holder:
    """A process that does nothing but keep namespaces alive. `script` runs in them first."""

    def __init__(self, unshare: list[str], script: str = "", enter: list[str] | None = None):
        self.outer = subprocess.Popen(
            [*(enter or []), "unshare", "--fork", "--kill-child=KILL", *unshare, "sh", "-ec", f"{script}\necho ready; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_us,
        )
        if self.outer.stdout.readline() != "ready\n":
            self.outer.kill()
            raise AssertionError(f"no namespace: {self.outer.stderr.read()}")
        # With a process namespace the shell is its init; without one, too, it is unshare's only child.
        unshare_pid = self.outer.pid
        self.pid = int(Path(f"/proc/{unshare_pid}/task/{unshare_pid}/children").read_text().split()[0])

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.outer.wait(SAFETY_NET)
        self.outer.stdout.close()
        self.outer.stderr.close()


class Network:
    """A network namespace, and a process namespace, so that what runs in it ends with it. Sockets made inside `with
    network.entered()` belong to it wherever they are used."""

    def __init__(self):
        self.holder = Holder(["--net", "--pid"], "ip link set lo up")
        self.path = f"/proc/{self.holder.pid}/ns/net"

    @contextlib.contextmanager
    def entered(self):
        """For this thread, and the threads that it starts meanwhile."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        inside = os.open(self.path, os.O_RDONLY)
        try:
            assert _libc.setns(inside, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert _libc.setns(before, CLONE_NEWNET) == 0
            os.close(before)
            os.close(inside)

    def command(self, *words) -> list[str]:
        return ["nsenter", "-t", str(self.holder.pid), "--net", "--pid", "--", *map(str, words)]

    def run(self, *words) -> None:
        run(*self.command(*words))

    def add_address(self, address: str, wire: str = "wire") -> None:
        """With its prefix length, on an interface of join()'s."""
        self.run("ip", "address", "add", address, "dev", wire, *(["nodad"] if ":" in address else []))

    def set(self, name: str, value: int) -> None:
        """A setting of the kernel's, as net/ipv4/ip_forward."""
        self.run("sh", "-c", f"echo {value} >/proc/sys/{name}")

    def close(self) -> None:
        self.holder.close()


def join(one: Network, other: Network, wire: str = "wire") -> None:
    """A wire between the two: an interface of that name at each end."""
    # With our process numbers, by which the other network is named.
    here = ["nsenter", f"--net={one.path}", "--"]
    run(*here, "ip", "link", "add", wire, "type", "veth", "peer", "name", wire, "netns", other.holder.pid)
    for network in (one, other):
        network.run("ip", "link", "set", wire, "up")


@dataclass(frozen=True)
class LogLine:
    facility: int
    severity: int
    ident: str
    pid: int
    text: str

    def __str__(self) -> str:
        """Without process numbers, which differ from run to run."""
        text = re.sub(r"\bprocess \d+", "process N", self.text)
        return f"<{self.facility}.{self.severity}> {self.ident}: {text}"


class SystemLog:
    """What a machine's programs write to /dev/log."""

    def __init__(self, path: Path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.arrived: queue.Queue[LogLine] = queue.Queue()
        self.lines: list[LogLine] = []
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        pattern = re.compile(r"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (.*?)\[(\d+)\]: (.*)", re.DOTALL)
        while datagram := self.socket.recv(65536):
            if match := pattern.fullmatch(datagram.decode("utf-8", "replace").rstrip("\0\n")):
                priority = int(match[1])
                self.arrived.put(LogLine(priority >> 3, priority & 7, match[2], int(match[3]), match[4]))

    def _take_arrived(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self.lines.append(self.arrived.get_nowait())

    def wait_for(self, pattern: str) -> LogLine:
        deadline = time.monotonic() + SAFETY_NET
        while True:
            self._take_arrived()
            for line in self.lines:
                if re.search(pattern, line.text):
                    return line
            assert time.monotonic() < deadline, f"nobody logged {pattern!r}, only {[str(line) for line in self.lines]}"
            time.sleep(0.02)

    def take(self) -> list[LogLine]:
        """All that were written until now. A line is there as soon as syslog(3) has returned, but for the thread above."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as marker:
            marker.sendto(b"<0>Jan  1 00:00:00 marker[1]: here", str(self.path))
        self.wait_for("^here$")
        lines = [line for line in self.lines if line.ident != "marker"]
        self.lines.clear()
        return lines

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            with contextlib.suppress(OSError):
                end.sendto(b"", str(self.path))
        self.thread.join(SAFETY_NET)
        self.socket.close()


# A /dev whose log is the socket {place}/log, for a mount namespace of its own.
DEV_MOUNTS = """
mount --make-rprivate /
mkdir -p '{place}/dev'
mount -t tmpfs none '{place}/dev'
for name in null zero full random urandom tty; do
    : >'{place}'/dev/$name
    mount --bind /dev/$name '{place}'/dev/$name
done
ln -s '{place}/log' '{place}/dev/log'
ln -s /proc/self/fd '{place}/dev/fd'
mount --rbind '{place}/dev' /dev
"""
MOUNTS = DEV_MOUNTS + """
mount -t tmpfs none /run
mount --bind '{sbin}' /usr/sbin
mount --bind '{etc}' /etc
"""


class Machine:
    """Processes with a file system of their own on a network: /etc is the directory `etc`, /usr/sbin is `sbin`, and both may be
    changed from outside at any time."""

    def __init__(self, network: Network, place: Path, etc: Path, sbin: Path):
        place.mkdir(parents=True, exist_ok=True)
        self.network, self.place, self.etc, self.sbin = network, place, etc, sbin
        self.log = SystemLog(place / "log")
        script = MOUNTS.format(place=place, etc=etc, sbin=sbin)
        enter = ["nsenter", f"--net={network.path}", "--"]
        try:
            self.holder = Holder(["--mount", "--pid", "--mount-proc"], script, enter)
        except BaseException:
            self.log.close()
            raise
        self.children: list[subprocess.Popen] = []

    def command(self, *words) -> list[str]:
        pid = self.holder.pid
        inside = ["--mount", "--pid", "--net"]
        return ["nsenter", "-t", str(pid), *inside, "--", *map(str, words)]

    def start(self, *words, **options) -> subprocess.Popen:
        options = {"stdin": subprocess.DEVNULL, "preexec_fn": die_with_us} | options
        process = subprocess.Popen(self.command(*words), **options)
        self.children.append(process)
        return process

    def run(self, *words, **options) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*words), text=True, timeout=SAFETY_NET, **({"capture_output": True} | options))

    def close(self) -> None:
        self.holder.close()
        for child in self.children:
            child.wait(SAFETY_NET)
        self.log.close()


def make_etc(directory: Path, nameserver: str) -> Path:
    """An /etc with what name service and inetd need, and nothing of this machine's."""
    etc = directory / "etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    (etc / "group").write_text("root:x:0:\ndaemon:x:1:\ntty:x:5:\nstaff:x:50:nobody\nnogroup:x:65534:\n")
    (etc / "services").write_text("ftp\t21/tcp\nraw-ftp\t351/tcp\ndomain\t53/udp\nauth\t113/tcp\n")
    (etc / "protocols").write_text("ip\t0\tIP\ntcp\t6\tTCP\nudp\t17\tUDP\n")
    (etc / "hosts").write_text("127.0.0.1\tlocalhost\n::1\tlocalhost\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\nservices: files\nnetgroup: files\n")
    (etc / "netgroup").write_text("trusted (good.client.example,,)\n")
    (etc / "resolv.conf").write_text(f"nameserver {nameserver}\noptions timeout:1 attempts:1\n")
    for name in ("ld.so.cache", "localtime"):
        if Path("/etc", name).exists():
            shutil.copy(f"/etc/{name}", etc / name)
    return etc
