"""What is measured: each function does one piece of work through one server and returns figures by name."""

from __future__ import annotations

import json
import os
import resource
import secrets
import socket
import subprocess
import time
from pathlib import Path

from . import servers
from .keeper import TICKS

GIB = 1 << 30


def busy_seconds() -> float:
    """User, nice and system time of all processors; interrupts belong to nobody."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return sum(map(int, fields[1:4])) / TICKS


def own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Bench:
    """The load generator and what all measures share."""

    def __init__(self, load: Path, files: servers.Files, backend: servers.Server, size: int):
        self.load_program = load
        self.files = files
        self.backend = backend
        self.size = size
        self.foreign = 0.0  # cores that others used during the last measure

    def load(self, server: servers.Server, verb: str, *arguments, **environment) -> dict:
        command = [self.load_program, verb, servers.ADDRESS, str(server.port), *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **server.environment, **environment}
        )
        if done.returncode != 0:
            raise RuntimeError(f"{verb} through {server.name}: {done.stderr}{server.keeper.log.read_text()[-2000:]}")
        return json.loads(done.stdout)

    def timed(self, server: servers.Server, verb: str, *arguments, **environment) -> dict:
        """The load's own figures with the server's CPU seconds as "cpu"."""
        kept = [server] if server is self.backend else [server, self.backend]
        before = [each.keeper.wait_until_idle() for each in kept]
        busy, own, start = busy_seconds(), own_seconds(), time.monotonic()
        result = self.load(server, verb, *arguments, **environment)
        elapsed, busy, own = time.monotonic() - start, busy_seconds() - busy, own_seconds() - own
        used = [each.keeper.wait_until_idle(then["processes"])["cpu"] - then["cpu"] for each, then in zip(kept, before)]
        self.foreign = max(0.0, busy - own - sum(used) - result.get("own_cpu", 0)) / elapsed
        return {**result, "cpu": used[0]}

    # -- the measures ---------------------------------------------------------------------------------------------------------
    def _per_byte(self, moved: dict) -> dict[str, float]:
        return {"CPU s/GiB": moved["cpu"] * GIB / moved["bytes"], "MB/s": moved["bytes"] / 1e6 / moved["seconds"]}

    def download(self, server: servers.Server, sessions: int = 1, **environment) -> dict[str, float]:
        moved = self.timed(server, "download", "download", sessions, 1 << 40, **environment)
        if moved["bytes"] != self.size * sessions:
            raise RuntimeError(f"download through {server.name}: {moved['bytes']} bytes instead of {self.size * sessions}")
        return self._per_byte(moved)

    def plain_download(self, server: servers.Server) -> dict[str, float]:
        verb = ("stream", self.size) if isinstance(server, servers.Haproxy) else ("plain", "download")
        return self._per_byte(self.timed(server, *verb))

    def upload(self, server: servers.Server) -> dict[str, float]:
        nonce = secrets.token_hex(16)
        moved = self.timed(server, "upload", "incoming/upload", self.size, nonce)
        if self.files.upload_tail(len(nonce)) != nonce.encode():
            raise RuntimeError(f"upload through {server.name}: the file does not end with what was sent")
        return self._per_byte(moved)

    def small_files(self, server: servers.Server, sessions: int, count: int) -> dict[str, float]:
        done = self.timed(server, "files", "small", sessions, count)
        return {
            "files/s": done["files"] / done["seconds"],
            "p50 ms": done["p50"] * 1000,
            "p99 ms": done["p99"] * 1000,
            "CPU ms/file": done["cpu"] * 1000 / done["files"],
        }

    def logins(self, server: servers.Server, workers: int, count: int) -> dict[str, float]:
        done = self.timed(server, "logins", workers, count)
        return {"logins/s": done["logins"] / done["seconds"], "CPU ms/login": done["cpu"] * 1000 / done["logins"]}

    def idle_sessions(self, server: servers.Server, sessions: int, noops: int) -> dict[str, float]:
        """A freshly started server, please: memory that transfers have left behind would hide what sessions take."""
        before = server.keeper.wait_until_idle()
        pss_before = server.keeper.state("memory")["pss"]
        with self._holder(server, "hold", sessions) as holder:
            opened = self._answer(holder, server)
            server.keeper.wait_until_idle(seconds=300)
            pss_with = server.keeper.state("memory")["pss"]
            holder.stdin.write(f"{noops}\n")
            holder.stdin.flush()
            answered = self._answer(holder, server)
            holder.stdin.close()
            holder.wait()
        server.keeper.wait_until_idle(before["processes"], seconds=300)
        return {
            "PSS KiB/session": (pss_with - pss_before) / sessions,
            "opened/s": sessions / opened["seconds"],
            "NOOP p50 ms": answered["p50"] * 1000,
            "NOOP p99 ms": answered["p99"] * 1000,
        }

    def many_transfers(self, server: servers.Server, transfers: int, seconds: int) -> dict[str, float]:
        """Memory while many large files are under way, half way and at the end, and when all of them were broken off."""
        server.keeper.wait_until_idle()
        pss_before = server.keeper.state("memory")["pss"]
        with self._holder(server, "pour", "huge", transfers) as holder:
            self._answer(holder, server)
            time.sleep(seconds / 2)
            early = server.keeper.state("memory")["pss"]
            time.sleep(seconds / 2)
            late = server.keeper.state("memory")["pss"]
            if holder.poll() is not None:
                raise RuntimeError(f"{server.name}: the transfers are over: {holder.stderr.read()}")
            holder.kill()
            holder.wait()
        server.keeper.wait_until_idle()
        after = server.keeper.state("memory")["pss"]
        per = 1024 * transfers
        return {
            "MiB each, early": (early - pss_before) / per,
            "MiB each, late": (late - pss_before) / per,
            "MiB each, kept": (after - pss_before) / per,
        }

    def soak(self, server: servers.Server, sessions: int, seconds: int, pause: float) -> tuple[list[dict], dict]:
        """The state of the server's processes every `pause` seconds, from when the sessions are there; and what was done."""
        samples = []
        upload = ("incoming/soak", self.files.soak_size)
        with self._holder(server, "soak", sessions, seconds, "small", "huge", *upload) as holder:
            start = time.monotonic()
            while holder.poll() is None:
                time.sleep(pause)
                samples.append({"seconds": time.monotonic() - start, **server.keeper.state("memory")})
            done = self._answer(holder, server)
        server.keeper.wait_until_idle(seconds=120)
        samples.append({"seconds": time.monotonic() - start, **server.keeper.state("memory")})
        return samples, done

    def _holder(self, server: servers.Server, verb: str, *arguments) -> subprocess.Popen:
        return subprocess.Popen(
            [self.load_program, verb, servers.ADDRESS, str(server.port), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **server.environment},
        )

    @staticmethod
    def _answer(holder: subprocess.Popen, server: servers.Server) -> dict:
        line = holder.stdout.readline()
        if not line:
            raise RuntimeError(f"{server.name}: {holder.stderr.read()}{server.keeper.log.read_text()[-2000:]}")
        return json.loads(line)


def seconds_to_first_accept(command: list, port: int) -> float:
    """From starting the program to the first connection that is accepted; it is knocked at all the time."""
    start = time.monotonic()
    program = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as knock:
                if knock.connect_ex((servers.ADDRESS, port)) == 0:
                    return time.monotonic() - start
            if program.poll() is not None or time.monotonic() - start > 30:
                raise RuntimeError(f"{command[0]} does not come to listen")
    finally:
        program.terminate()
        program.wait()


def floor(load: Path, size: int) -> dict[str, float]:
    """Sealing, one receive and one send of the same bytes: CPU seconds a GiB."""
    done = json.loads(subprocess.check_output([load, "floor", str(size)], text=True))
    return {"seal": done["seal"] * GIB / size, "move": done["move"] * GIB / size}
