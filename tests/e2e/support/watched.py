"""Command lines of `safetp run`."""

from __future__ import annotations

import sys
import textwrap


def words(server, *command, options=()) -> list[str]:
    """The port of the server, whatever has one, is given beforehand."""
    return ["run", "--port", str(server.port), *options, "--", *map(str, command)]


def python(code: str, *arguments) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
