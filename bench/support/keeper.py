"""Runs a server and accounts for its whole process tree, children that have exited included.

The server runs below a keeper, a process of its own that is a "child subreaper" (prctl(2)): whatever the server leaves behind
becomes the keeper's child, so no CPU time gets lost and no process survives. CPU time of the tree is
  - what the keeper's waited-for descendants used (getrusage(2), RUSAGE_CHILDREN), and
  - what each living descendant and the children *it* has waited for used (proc(5), /proc/PID/stat, in clock ticks).
A process that ends moves from the second sum to its parent's part of it or to the first, so the total only grows.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
GRACE = 10  # seconds between TERM and KILL


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state (field 3) on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def descendants(root: int) -> list[int]:
    """Living and dead (not yet waited for) processes below `root`."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(int(stat_fields(int(entry))[1]), []).append(int(entry))
            except OSError:
                pass  # gone meanwhile
    found: list[int] = []
    queue = [root]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def tree_cpu_seconds() -> float:
    """Of everything below this process."""
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for pid in descendants(os.getpid()):
        try:
            ticks += sum(map(int, stat_fields(pid)[11:15]))  # utime, stime, cutime, cstime
        except OSError:
            pass
    return waited.ru_utime + waited.ru_stime + ticks / TICKS


def tree_pss_kib() -> int:
    """The proportional set size of everything below this process."""
    total = 0
    for pid in descendants(os.getpid()):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass  # gone, or a zombie, which has no memory
    return total


def tree_descriptors() -> int:
    """Open files of everything below this process."""
    total = 0
    for pid in descendants(os.getpid()):
        try:
            total += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            pass
    return total


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def end_tree(server: int) -> None:
    """Only processes that came from here are signalled."""
    try:
        os.kill(server, signal.SIGTERM)
    except ProcessLookupError:
        pass
    deadline = time.monotonic() + GRACE
    while True:
        reap()
        left = descendants(os.getpid())
        if not left:
            return
        if time.monotonic() > deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        time.sleep(0.02)


def serve(command: list[str]) -> None:
    """Answers each line of the standard input with the state of the tree; ends the tree at its end."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    server = os.fork()
    if server == 0:
        quiet = os.open("/dev/null", os.O_RDWR)
        os.dup2(quiet, 0)
        os.dup2(2, 1)
        os.execv(command[0], command)
    for line in sys.stdin:
        reap()
        state = {"processes": len(descendants(os.getpid())), "cpu": tree_cpu_seconds()}
        if line.strip() == "memory":
            state["pss"] = tree_pss_kib()
            state["descriptors"] = tree_descriptors()
        print(json.dumps(state), flush=True)
    end_tree(server)


class Keeper:
    """The parent's end of it."""

    def __init__(self, command: list[str], log: Path):
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, __file__, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # an interrupt at the terminal reaches bench/run only, which cleans up
            )

    def state(self, question: str = "cpu") -> dict:
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError) as error:
            raise RuntimeError(f"the keeper died:\n{self.log.read_text()}") from error

    def wait_until_idle(self, processes: int | None = None, seconds: float = 60) -> dict:
        """Until no CPU time was used for a moment and, if told, no more than `processes` are there."""
        deadline = time.monotonic() + seconds
        before = self.state()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.state()
            if now["cpu"] - before["cpu"] < 0.015 and (processes is None or now["processes"] <= processes):
                return now
            before = now
        raise RuntimeError(f"not idle after {seconds} s: {before}, {processes} processes expected:\n{self.log.read_text()}")

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.argv[1:])
