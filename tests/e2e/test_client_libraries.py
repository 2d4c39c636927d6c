"""Client libraries that the other tests do not use, each with one list of operations: before ProFTPD's own TLS, and through
SafeTP before a plain ProFTPD. What they report must be the same: replies in step, the same failures, the same words."""

import difflib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
PACKAGES = ["php8.2-cli", "php8.2-common", "ruby3.1", "libruby3.1", "libio-socket-ssl-perl", "libnet-ssleay-perl"]
PACKAGES += ["libcommons-net-java"]


@pytest.fixture(scope="module")
def unpacked() -> Path:
    """Debian's packages of them below the build folder, never installed."""
    root = Path(__file__).resolve().parents[2]
    place = Path(os.environ.get("SAFETP_CLIENTS", root / "build" / "clients"))
    subprocess.run([root / "scripts" / "fetch-ftpds", place, *PACKAGES], check=True)
    return place / "root"


def command_of(name: str, unpacked: Path, root_certificate: Path, directory: Path) -> tuple[list, dict]:
    libraries = ":".join(str(path) for path in unpacked.glob("usr/lib/*-linux-gnu"))
    environment = os.environ | {"LD_LIBRARY_PATH": libraries, "SSL_CERT_FILE": str(root_certificate), "LC_ALL": "C.UTF-8"}
    if name == "php":
        (extension,) = unpacked.glob("usr/lib/php/*/ftp.so")
        return [unpacked / "usr/bin/php8.2", "-n", "-d", f"extension={extension}", CLIENTS / "operations.php"], environment
    if name == "perl":
        environment["PERL5LIB"] = ":".join(str(path) for path in [*unpacked.glob("usr/lib/*/perl5/*"), unpacked / "usr/share/perl5"])
        return ["perl", CLIENTS / "operations.pl"], environment
    if name == "ruby":
        places = [*unpacked.glob("usr/lib/ruby/*"), *unpacked.glob("usr/lib/*/ruby/*"), *unpacked.glob("usr/lib/ruby/gems/*/gems/*/lib")]
        environment["RUBYLIB"] = ":".join(map(str, places))
        return [unpacked / "usr/bin/ruby3.1", "--disable-gems", CLIENTS / "operations.rb"], environment
    if name == "python":
        del environment["LD_LIBRARY_PATH"]
        return ["/usr/bin/python3", CLIENTS / "operations.py"], environment
    if not shutil.which("java"):
        pytest.fail("java is not installed: scripts/check does it")
    return ["java", "-cp", unpacked / "usr/share/java/commons-net.jar", CLIENTS / "Operations.java"], environment


def report_of(name: str, unpacked: Path, authority, port: int, server, directory: Path) -> list[str]:
    directory.mkdir()
    command, environment = command_of(name, unpacked, authority.root.certificate, directory)
    arguments = ["localhost", port, server.user, server.password, directory, authority.root.certificate]
    result = subprocess.run(
        [str(word) for word in [*command, *arguments]], capture_output=True, text=True, timeout=300, env=environment
    )
    lines = result.stdout.splitlines() + [f"exit code {result.returncode}"]
    assert any(line.startswith("login: ok") for line in lines), result.stdout + result.stderr
    return [re.sub(r"\d+\.\d+ (seconds|Mbytes)", "", line) for line in lines]


@pytest.mark.parametrize("name", ["php", "perl", "python", "ruby", "java"])
def test_a_library_sees_what_it_sees_without_safetp(
    unpacked, start_server, start_tls_server, start_gateway, authority, directory, name
):
    """No difference. What is not the same on purpose would stand here with its reason: nothing does."""
    # Under TLS 1.3 it sends tickets on data connections: uploads of clients that do not read them end in a reset now and then.
    options = "TLSOptions NoSessionReuseRequired\n"
    alone = start_tls_server("proftpd", version="1.2", extra=options)
    behind = start_server("proftpd")
    gateway = start_gateway(behind, listener={"session_reuse": "prefer"})
    wanted = report_of(name, unpacked, authority, alone.port, alone.server, directory / "alone")
    got = report_of(name, unpacked, authority, gateway.port, behind.server, directory / "through")
    assert got == wanted, "\n".join(difflib.unified_diff(wanted, got, "ProFTPD's own TLS", "through SafeTP", lineterm=""))
