"""Ports for the gateways under test: below the kernel's ephemeral range, a stretch of its own for each pytest worker, so that
tests running side by side never want the same one."""

from __future__ import annotations

import itertools
import os
import socket

BLOCK = 40
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_blocks = itertools.cycle(range(12000 + _worker * 8000, 12000 + _worker * 8000 + 8000 - BLOCK, BLOCK))


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


def block() -> range:
    """BLOCK free ports in a row: by custom the first is the control port, the rest are for data."""
    for _ in range(200):
        first = next(_blocks)
        ports = range(first, first + BLOCK)
        if all(map(is_free, ports)):
            return ports
    raise RuntimeError("no free block of ports on this machine")
