"""Client libraries that the other tests do not use, each with one list of operations: before ProFTPD's own TLS, and through
SafeTP before a plain ProFTPD. What they report must be the same: replies in step, the same failures, the same words."""

import difflib
import os
import re
import subprocess
from pathlib import Path

import pytest

from support import clients


def report_of(name: str, version: str, authority, port: int, server, directory: Path, **settings) -> list[str]:
    directory.mkdir()
    server.put("big", os.urandom(30_000_000))  # more than fits into buffers: it is aborted in the midst
    command, needs = clients.command_of(name, version)
    environment = os.environ | {"SSL_CERT_FILE": str(authority.root.certificate), "LC_ALL": "C.UTF-8"}
    environment |= clients.limited_tls(directory, version) | needs | settings
    arguments = ["localhost", port, server.user, server.password, directory, authority.root.certificate]
    result = subprocess.run(
        [str(word) for word in [*command, *arguments]], capture_output=True, text=True, timeout=300, env=environment
    )
    lines = result.stdout.splitlines() + [f"exit code {result.returncode}"]
    assert any(line.startswith("login: ok") for line in lines), result.stdout + result.stderr
    return [re.sub(r"\d+\.\d+ (seconds|Mbytes)", "", line) for line in lines]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", ["php", "perl", "perl, active", "python", "ruby", "java", "go"])
def test_a_library_sees_what_it_sees_without_safetp(
    start_server, start_tls_server, start_gateway, authority, directory, name, version
):
    """No difference. ProFTPD's own TLS is held to 1.2: under 1.3 it sends tickets on data connections, whatever TLSSessionTickets
    says, and uploads of a client that reads nothing there end in a reset (Perl's: two of three). Go's library begins TLS on a
    data connection before its command and waits; ProFTPD begins after it, and neither goes on: so Go is compared with itself in
    clear. ABOR's 426 and 226 come in the order of RFC 959 section 4.1.3 here, and the other way round from ProFTPD: they are
    sorted."""
    behind = start_server("proftpd")
    gateway = start_gateway(behind, listener={"session_reuse": "prefer"})
    library, _, mode = name.partition(", ")
    settings = {"FTP_PASSIVE": "0" if mode else "1"}
    if name == "go":
        alone, port, settings_alone = behind.server, behind.port, {"CLEAR": "1"}
    else:
        server = start_tls_server("proftpd", version="1.2", extra="TLSOptions NoSessionReuseRequired\n")
        alone, port, settings_alone = server.server, server.port, settings
    wanted = report_of(library, "1.2", authority, port, alone, directory / "alone", **settings_alone)
    got = report_of(library, version, authority, gateway.port, behind.server, directory / "through", **settings)
    assert got == wanted, "\n".join(difflib.unified_diff(wanted, got, "ProFTPD alone", "through SafeTP", lineterm=""))
