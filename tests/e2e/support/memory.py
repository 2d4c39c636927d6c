"""What a process has in its memory, and what of a gateway's secrets could be in it. As root."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .certificates import Certificate


def regions_of(pid: int, access: str = "r") -> Iterator[bytes]:
    """All that can be read of it; with "rw" what it can write, too."""
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = (int(number, 16) for number in line.split()[0].split("-"))
            if not line.split()[1].startswith(access) or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            try:
                memory.seek(first)
                yield memory.read(last - first)
            except (OSError, OverflowError):
                continue  # a hole, or memory that is no memory


def secrets_of(certificate: Certificate) -> dict[str, bytes]:
    """The private numbers of its key as OpenSSL holds them (a BIGNUM's words) and as files hold them, and the file's lines."""
    described = subprocess.check_output(["openssl", "pkey", "-in", certificate.key, "-noout", "-text"], text=True)
    found = {}
    for name in ("priv", "privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient"):
        if match := re.search(rf"^{name}:\n((?: +[0-9a-f:]+\n)+)", described, re.MULTILINE):
            number = bytes.fromhex(re.sub(r"[\s:]", "", match[1])).lstrip(b"\0")
            found |= {f"{name}, words": number[::-1], f"{name}, octets": number}
    assert found, described
    lines = [line for line in certificate.key.read_text().splitlines() if "-----" not in line]
    return found | {f"PEM line {i}": line.encode() for i, line in enumerate(lines) if len(line) == 64}


def found_in(pid: int, secrets: dict[str, bytes]) -> list[str]:
    memory = b"\n".join(regions_of(pid))
    return [name for name, secret in secrets.items() if secret in memory]


class HeldSession:
    """A TLS 1.2 session that lasts, and the name of the key that its ticket was made with (RFC 5077, section 4)."""

    def __init__(self, port: int, directory: Path):
        session = directory / "session.pem"
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "ftp", "-tls1_2", "-sess_out", session]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seen = ""
        while "TLS session ticket:" not in seen:
            line = self.process.stdout.readline()
            assert line, seen
            seen += line
        first = self.process.stdout.readline()  # "0000 - 4b 1f ...-... 9a   K..."
        self.key_name = bytes.fromhex(re.sub(r"[ -]", "", first.split(" - ")[1][:48]))
        assert len(self.key_name) == 16, first

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
