"""Ports for the gateways under test: below the kernel's ephemeral range, leased in blocks, so that tests running side by
side, also those of another checkout on the same machine, never want the same one."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from pathlib import Path

BLOCK = 40
FIRST, LAST = 12000, 31000
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_candidates = itertools.cycle(range(FIRST + _worker * 40 * BLOCK, LAST, BLOCK))
_leases: dict[int, int] = {}  # first port of a block: descriptor that holds its lock


def is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT does not count
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _lock(first: int) -> int | None:
    directory = Path(tempfile.gettempdir()) / f"safetp-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(directory / str(first), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    except BlockingIOError:
        os.close(descriptor)
        return None


def lease() -> range:
    """BLOCK free ports in a row: by custom the first is the control port, the rest are for data. To be given back by
    release()."""
    for _ in range((LAST - FIRST) // BLOCK):
        first = next(_candidates)
        if (descriptor := _lock(first)) is None:
            continue
        if all(map(is_free, range(first, first + BLOCK))):
            _leases[first] = descriptor
            return range(first, first + BLOCK)
        os.close(descriptor)
    raise RuntimeError("no free block of ports on this machine")


def release(ports: range) -> None:
    if (descriptor := _leases.pop(ports[0], None)) is not None:
        os.close(descriptor)
