"""Whom `session_reuse = "require"` shuts out: real clients, under TLS 1.2 and 1.3, before such a listener. What they do must be what
the table in docs/configuration.md says of them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support import clients

FILES = {f"file-{number}": bytes([number]) * 20_000 for number in range(8)}
TRIES = 10  # of a client with several connections at once: which of them meets another one's ticket is chance
TABLE = clients.ROOT / "docs" / "configuration.md"


def documented() -> dict[str, dict[str, str]]:
    rows = re.findall(r"^\| ([^|]+) \| (works|some fail|refused) \| (works|some fail|refused) \|", TABLE.read_text(), re.M)
    return {client: {"1.2": at_1_2, "1.3": at_1_3} for client, at_1_2, at_1_3 in rows}


class Place:
    """Where a client runs: whom to speak with, and how to limit its TLS."""

    def __init__(self, gateway, server, authority, directory: Path, version: str):
        self.port, self.user, self.password = gateway.port, server.user, server.password
        self.home, self.directory, self.version = server.home, directory, version
        self.root_certificate = authority.root.certificate
        self.environment = os.environ | {"SSL_CERT_FILE": str(self.root_certificate), "LC_ALL": "C.UTF-8", "HOME": str(directory)}
        self.environment |= clients.limited_tls(directory, version)

    def run(self, *command, **environment) -> subprocess.CompletedProcess:
        self.last = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=300, env=self.environment | environment
        )
        return self.last

    def fetched(self) -> int:
        """How many of FILES have arrived below `down`, and makes room for the next time."""
        down = self.directory / "down"
        arrived = sum((down / name).exists() and (down / name).read_bytes() == content for name, content in FILES.items())
        shutil.rmtree(down, ignore_errors=True)
        return arrived


def outcome(done: int, wanted: int) -> str:
    return "works" if done == wanted else "refused" if done == 0 else "some fail"


def library(name: str, **environment):
    """The operations of test_client_libraries.py."""

    def attempt(place: Place) -> str:
        words, needs = clients.command_of(name, place.version)
        arguments = ["localhost", place.port, place.user, place.password, place.directory, place.root_certificate]
        said = place.run(*words, *arguments, **needs, **environment).stdout
        assert "login: ok" in said, said
        transfers = [re.search(rf"^{step}: ok", said, re.M) is not None for step in ("stor", "list", "retr")]
        return outcome(sum(transfers), len(transfers))

    return attempt


def curl(*options):
    def attempt(place: Place) -> str:
        url = f"ftp://localhost:{place.port}/{{{','.join(FILES)}}}"
        place.run(
            "curl", "-q", "-sS", "--ssl-reqd", "--cacert", place.root_certificate, "--user", f"{place.user}:{place.password}",
            "--create-dirs", *options, "-o", f"{place.directory}/down/#1", url,
        )  # fmt: skip
        return outcome(place.fetched(), len(FILES))

    return attempt


def lftp(at_once: int):
    def attempt(place: Place) -> str:
        priority = "NORMAL:-VERS-TLS1.3" if place.version == "1.2" else "NORMAL:-VERS-ALL:+VERS-TLS1.3"
        script = (
            f"set ssl:priority {priority}; set ssl:ca-file {place.root_certificate}; set ftp:ssl-force yes; "
            f"set ftp:ssl-protect-data yes; set net:max-retries 1; set net:persist-retries 0; "
            f"open -u {place.user},{place.password} ftp://localhost:{place.port}; "
            f"mirror --parallel={at_once} --no-perms . {place.directory}/down"
        )
        place.run("lftp", "--norc", "-c", script)
        return outcome(place.fetched(), len(FILES))

    return attempt


def rclone(at_once: int, *options):
    def attempt(place: Place) -> str:
        hidden = place.run("rclone", "obscure", place.password).stdout.strip()
        (place.directory / "rclone.conf").write_text(
            f"[t]\ntype = ftp\nhost = localhost\nport = {place.port}\nuser = {place.user}\npass = {hidden}\nexplicit_tls = true\n"
        )
        limit = ["--ftp-disable-tls13"] if place.version == "1.2" else []
        place.run(
            "rclone", "--config", place.directory / "rclone.conf", "--retries", "1", "--low-level-retries", "1", "--transfers",
            at_once, "--checkers", 1, *limit, *options, "copy", "t:", place.directory / "down",
        )  # fmt: skip
        return outcome(place.fetched(), len(FILES))

    return attempt


def wget(place: Place) -> str:
    limit = ["--secure-protocol=TLSv1_2"] if place.version == "1.2" else ["--secure-protocol=TLSv1_3"]
    urls = [f"ftps://localhost:{place.port}/{name}" for name in FILES]
    place.run(
        "wget", "-q", "--no-config", "--tries=1", *limit, f"--ca-certificate={place.root_certificate}", f"--ftp-user={place.user}",
        f"--ftp-password={place.password}", "-P", place.directory / "down", *urls,
    )  # fmt: skip
    return outcome(place.fetched(), len(FILES))


def basic_ftp(place: Place) -> str:
    modules = Path(os.environ.get("SAFETP_NODE_MODULES", clients.ROOT / "build" / "node")) / "node_modules"
    local = place.directory / "local"
    local.mkdir(exist_ok=True)
    for name, content in FILES.items():
        (local / name).write_bytes(content)
    place.run(
        "node", f"--tls-min-v{place.version}", f"--tls-max-v{place.version}", Path(__file__).parent / "node" / "mirror.js",
        "localhost", place.port, place.user, place.password, local, "tree", place.directory / "down",
        NODE_EXTRA_CA_CERTS=str(place.root_certificate), NODE_PATH=str(modules),
    )  # fmt: skip
    return outcome(place.fetched(), len(FILES))


def several_times(attempt):
    """Works only if it does each time."""

    def attempts(place: Place) -> str:
        for _ in range(TRIES):
            result = attempt(place)
            if result != "works":
                return result
        return "works"

    return attempts


# By the first column of the table.
CLIENTS = {
    "curl, one connection": curl(),
    "curl -Z, several at once": several_times(curl("-Z", "--parallel-immediate")),
    "lftp, one connection": lftp(1),
    "lftp, mirror --parallel": lftp(4),
    "wget": wget,
    "rclone --transfers 1": several_times(rclone(1)),
    "rclone --transfers 4": several_times(rclone(4)),
    "Python ftplib": library("python"),
    "Python ftplib, made to resume": library("python", RESUME="1"),
    "PHP": library("php"),
    "Ruby net-ftp": library("ruby"),
    "Perl Net::FTP, passive": library("perl", FTP_PASSIVE="1"),
    "Perl Net::FTP, active": library("perl", FTP_PASSIVE="0"),
    "Java commons-net": library("java"),
    "Java commons-net, made to resume": library("java", RESUME="1"),
    "Go jlaffaye/ftp": library("go"),
    "Go jlaffaye/ftp, with a session cache": library("go", RESUME="1"),
    "Node basic-ftp": basic_ftp,
}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("client", CLIENTS)
def test_whom_require_shuts_out(start_server, start_gateway, authority, directory, client, version):
    server = start_server()
    for name, content in FILES.items():
        server.server.put(name, content)
    gateway = start_gateway(server, listener={"session_reuse": "require"})
    place = Place(gateway, server.server, authority, directory, version)
    assert CLIENTS[client](place) == documented()[client][version], place.last


def test_the_table_lists_these_clients():
    assert list(documented()) == list(CLIENTS)
