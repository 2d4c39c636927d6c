"""Clients that people use: curl, lftp, Python's ftplib, rclone, basic-ftp, wget; and tnftp, which has no TLS, where the
policy is `optional`."""

import contextlib
import ftplib
import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from test_session_reuse import ResumingFtp

TREE = {f"tree/d{number % 3}/file-{number:02}": random.Random(number).randbytes(number * 997) for number in range(40)}


def run(*command, **options) -> subprocess.CompletedProcess:
    result = subprocess.run([str(part) for part in command], capture_output=True, timeout=500, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout.decode()[-3000:]}\n{result.stderr.decode()[-3000:]}"
    return result


@pytest.fixture
def local_tree(directory) -> Path:
    for name, content in TREE.items():
        path = directory / "local" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory / "local" / "tree"


@pytest.fixture
def place(front):
    """A fresh directory at the server, writable for its user."""
    import tempfile

    from support.ftpds import hand_over

    path = Path(tempfile.mkdtemp(dir=front.server.home))
    path.chmod(0o755)
    hand_over(path)
    return path


def assert_same_tree(one: Path, two: Path) -> None:
    files = [{path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()} for top in (one, two)]
    assert files[0] == files[1]
    assert len(files[0]) == len(TREE)


@pytest.fixture
def curl(front, authority, certificate):
    def start(*arguments):
        return run(
            "curl",
            "-sS",
            "--ssl-reqd",
            "--cacert",
            authority.root.certificate,
            "--pinnedpubkey",
            certificate.public_key_pin(),
            "--user",
            f"{front.server.user}:{front.server.password}",
            *arguments,
        )

    return start


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("mode", ["--ftp-skip-pasv-ip", "--disable-epsv"])
def test_curl_up_and_down(front, curl, place, directory, version, mode):
    """Both passive ways, both versions of TLS."""
    url = f"ftp://127.0.0.1:{front.gateway.port}/{place.name}/file"
    content = random.Random(1).randbytes(3_000_000)
    (directory / "up").write_bytes(content)
    tls = ["--tlsv1.2", "--tls-max", version] if version == "1.2" else ["--tlsv1.3"]
    curl(mode, *tls, "-T", directory / "up", url)
    assert (place / "file").read_bytes() == content
    curl(mode, *tls, "-o", directory / "down", url)
    assert (directory / "down").read_bytes() == content


def test_curl_resumes_appends_and_lists(front, curl, place, directory):
    """-C, --append, -l, -Q, --ftp-create-dirs."""
    url = f"ftp://127.0.0.1:{front.gateway.port}/{place.name}/"
    (directory / "part").write_bytes(b"0123456789")
    curl("-T", directory / "part", url + "file")
    curl("-T", directory / "part", "--append", url + "file")
    assert (place / "file").read_bytes() == b"01234567890123456789"
    (directory / "down").write_bytes(b"0123")
    curl("-C", "-", "-o", directory / "down", url + "file")
    assert (directory / "down").read_bytes() == b"01234567890123456789"
    assert curl("-l", url).stdout.split() == [b"file"]
    curl("--ftp-create-dirs", "-T", directory / "part", url + "new/directory/file")
    curl("-Q", "-DELE new/directory/file", "-l", url)
    assert not (place / "new/directory/file").exists()


def test_curl_two_hundred_transfers_in_one_session(front, start_gateway, authority, place, directory):
    """One connection, session reuse required: `works for a few files, then fails` is the most reported trouble of FTP over
    TLS. From two directories in turn: curl 7.88 sleeps for a second where it has nothing to say before EPSV, and the answer
    is there at once."""
    gateway = start_gateway(front.inetd, listener={"session_reuse": "require"})
    names = [f"{place.name}/d{number % 2}/f{number}" for number in range(200)]
    for number, name in enumerate(names):
        path = front.server.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(5000 + number))
    running = []
    for version in ("1.2", "1.3"):
        lines = [
            "silent",
            "show-error",
            "fail-early",
            "ssl-reqd",
            f"cacert = {authority.root.certificate}",
            f"tls-max = {version}",
        ]
        lines += ["tlsv1.3"] if version == "1.3" else []
        lines += [f'user = "{front.server.user}:{front.server.password}"']
        for number, name in enumerate(names):
            lines += [
                f'url = "ftp://127.0.0.1:{gateway.port}/{name}"',
                f'output = "{directory}/{version}-{number}"',
            ]
        (directory / f"curlrc-{version}").write_text("\n".join(lines) + "\n")
        running.append(subprocess.Popen(["curl", "-q", "-K", directory / f"curlrc-{version}"], stderr=subprocess.PIPE))
    for process in running:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    for number, name in enumerate(names):
        for version in ("1.2", "1.3"):
            assert (directory / f"{version}-{number}").read_bytes() == (front.server.home / name).read_bytes()
    assert len(gateway.events("login")) == 2


def test_curl_sees_a_wrong_key(front, authority, certificate):
    """The pin that quickstart prints is worth something."""
    result = subprocess.run(
        [
            "curl",
            "-sS",
            "--ssl-reqd",
            "-k",
            "--pinnedpubkey",
            "sha256//" + "A" * 43 + "=",
            f"ftp://127.0.0.1:{front.gateway.port}/",
        ],
        capture_output=True,
    )
    assert result.returncode == 90


def test_curl_without_tls_is_refused(front):
    """And its password is not asked for."""
    result = subprocess.run(
        ["curl", "-sS", "-u", f"{front.server.user}:x", f"ftp://127.0.0.1:{front.gateway.port}/"], capture_output=True
    )
    assert result.returncode == 67


def test_curl_sends_no_active_data_in_the_clear(front, curl, place, directory):
    """curl 7.87 to 7.88 forgets TLS on active data connections: its upload must fail, not be stored. Others are served."""
    forgets_tls = run("curl", "--version").stdout.split()[1].startswith((b"7.87", b"7.88"))
    (directory / "up").write_bytes(b"not in the clear")
    with pytest.raises(AssertionError) if forgets_tls else contextlib.nullcontext():
        curl("-P", "-", "-T", directory / "up", f"ftp://127.0.0.1:{front.gateway.port}/{place.name}/active")
    stored = (place / "active").read_bytes() if (place / "active").exists() else b""
    assert stored == (b"" if forgets_tls else b"not in the clear")


@pytest.fixture
def lftp(front, authority):
    def start(script: str, port: int = 0):
        settings = f"set ssl:ca-file {authority.root.certificate}; set ssl:check-hostname no;"
        settings += "set ftp:ssl-force yes; set ftp:ssl-protect-data yes;"
        settings += "set net:max-retries 1; set net:timeout 30; set cmd:fail-exit yes; set ftp:use-mode-z no;"
        login = f"open -u {front.server.user},{front.server.password} ftp://127.0.0.1:{port or front.gateway.port};"
        return run("lftp", "--norc", "-c", settings + login + script, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})

    return start


@pytest.mark.parametrize(
    "settings", ["", "set ftp:passive-mode no;", "set ftp:sync-mode no;", "set ftp:prefer-epsv no;", "set ftp:ssl-copy-sid no;"]
)
def test_lftp_mirror_both_ways(lftp, place, local_tree, directory, settings):
    """Parallel mirrors: passive, active, pipelined, PASV, without session reuse."""
    lftp(f"{settings} mirror -R --parallel=3 {local_tree} {place.name}/tree")
    assert_same_tree(local_tree, place / "tree")
    lftp(f"{settings} mirror --parallel=3 {place.name}/tree {directory}/back")
    assert_same_tree(local_tree, directory / "back")


def test_lftp_two_hundred_transfers_with_reuse_required(front, lftp, start_gateway, place, local_tree, directory):
    """GnuTLS resumes in its own way. Forty files, five times."""
    gateway = start_gateway(front.inetd, listener={"session_reuse": "require"})
    back = "; ".join(f"mirror {place.name}/tree {directory}/back{number}" for number in range(4))
    lftp(f"mirror -R {local_tree} {place.name}/tree; {back}", gateway.port)
    assert_same_tree(local_tree, place / "tree")
    for number in range(4):
        assert_same_tree(local_tree, directory / f"back{number}")


@pytest.mark.parametrize("passive", [True, False])
@pytest.mark.parametrize("kind", [ftplib.FTP_TLS, ResumingFtp])
def test_ftplib(front, place, kind, passive):
    """Python's own, and one that resumes. The stock one unwraps strictly: it fails on a missing close_notify."""
    client = kind(context=front.tls, timeout=60)
    client.connect("127.0.0.1", front.gateway.port)
    client.login(front.server.user, front.server.password)
    client.prot_p()
    client.set_pasv(passive)
    client.cwd(place.name)
    for number in range(10):
        content = random.Random(number).randbytes(100_000 * number)
        client.storbinary("STOR file", io.BytesIO(content))
        parts = []
        client.retrbinary("RETR file", parts.append)
        assert b"".join(parts) == content
    assert client.nlst() == ["file"]
    client.rename("file", "renamed")
    client.delete("renamed")
    client.quit()


def test_rclone(front, authority, place, local_tree, directory):
    """Go's TLS: copy, check with downloads, purge."""
    if not shutil.which("rclone"):
        pytest.fail("rclone is not installed")
    hidden = run("rclone", "obscure", front.server.password).stdout.decode().strip()
    (directory / "rclone.conf").write_text(
        f"[t]\ntype = ftp\nhost = 127.0.0.1\nport = {front.gateway.port}\nuser = {front.server.user}\npass = {hidden}\n"
        "explicit_tls = true\nconcurrency = 3\n"
    )
    environment = os.environ | {"SSL_CERT_FILE": str(authority.root.certificate)}
    for arguments in (
        ["copy", local_tree, f"t:{place.name}/tree"],
        ["check", "--download", local_tree, f"t:{place.name}/tree"],
        ["purge", f"t:{place.name}/tree"],
    ):
        run(
            "rclone",
            "--config",
            directory / "rclone.conf",
            "--retries",
            "1",
            "--low-level-retries",
            "1",
            *arguments,
            env=environment,
        )
    assert not (place / "tree").exists()


def test_basic_ftp(front, authority, place, local_tree, directory):
    """The client of the Node world: explicit TLS, resumes sessions."""
    package = Path(__file__).parent / "node"
    if not shutil.which("npm"):
        pytest.fail("npm is not installed")
    modules = Path(os.environ.get("SAFETP_NODE_MODULES", package.parents[2] / "build" / "node"))
    if not (modules / "node_modules" / "basic-ftp").exists():
        pytest.fail("basic-ftp is not installed: scripts/check does it")
    environment = os.environ | {
        "NODE_EXTRA_CA_CERTS": str(authority.root.certificate),
        "NODE_PATH": str(modules / "node_modules"),
    }
    arguments = [
        "127.0.0.1",
        front.gateway.port,
        front.server.user,
        front.server.password,
        local_tree,
        place.name,
        directory / "back",
    ]
    run("node", package / "mirror.js", *arguments, env=environment)
    assert_same_tree(local_tree, place)
    assert_same_tree(local_tree, directory / "back")


def test_wget(front, authority, place, directory):
    """wget takes ftps:// for explicit TLS."""
    (place / "file").write_bytes(b"content" * 1000)
    run(
        "wget",
        "-q",
        "--no-check-certificate",
        "-O",
        directory / "down",
        "--ftp-user",
        front.server.user,
        "--ftp-password",
        front.server.password,
        f"ftps://127.0.0.1:{front.gateway.port}/{place.name}/file",
    )
    assert (directory / "down").read_bytes() == b"content" * 1000


@pytest.mark.parametrize("mode", ["-A", "-p"])
def test_tnftp_in_the_clear(front, start_gateway, place, directory, mode):
    """A client without TLS before a gateway whose policy is `optional`: active and passive."""
    if not shutil.which("tnftp"):
        pytest.fail("tnftp is not installed")
    gateway = start_gateway(front.inetd, listener={"security": "optional"})
    (directory / "up").write_bytes(b"content" * 1000)
    script = (
        f"user {front.server.user} {front.server.password}\nbinary\ncd {place.name}\nput {directory}/up file\n"
        f"get file {directory}/down\nls\nbye\n"
    )
    run("tnftp", "-n", mode, "127.0.0.1", gateway.port, input=script.encode())
    assert (place / "file").read_bytes() == (directory / "down").read_bytes() == b"content" * 1000


def test_openssl_s_client_starttls(front):
    """What administrators probe with."""
    result = run(
        "openssl", "s_client", "-connect", f"127.0.0.1:{front.gateway.port}", "-starttls", "ftp", "-brief", input=b"QUIT\n"
    )
    assert b"CONNECTION ESTABLISHED" in result.stderr
