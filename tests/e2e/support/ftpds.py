"""The real FTP servers behind the gateway: Debian's, unpacked by scripts/fetch-ftpds, never installed.

Each is run the classic way, as inetd does it: one process a session with the connection as its standard input and output. That
serves both uses: behind a TCP port (`Inetd`) and started by safetpd itself (`FtpServer.command`).

vsftpd and inetutils-ftpd know only the system's users. They run in a mount namespace of their own where /etc/passwd,
/etc/shadow and /etc/pam.d are ours, so no user is ever made on the machine; that needs root.
"""

from __future__ import annotations

import grp
import os
import pwd
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

USER = "ftpuser"
PASSWORD = "Sw0rdfish-in-the-Clear"
LOCALHOST = "127.0.0.1"


class MissingTool(Exception):
    """What the test needs cannot be had here; the message says why."""


def ftpds_directory() -> Path:
    """Where scripts/fetch-ftpds has put the servers; fetched now if nobody has."""
    root = Path(__file__).resolve().parents[3]
    directory = Path(os.environ.get("SAFETP_FTPDS", root / "build" / "ftpds"))
    subprocess.run([root / "scripts" / "fetch-ftpds", directory], check=True)
    return directory


@dataclass
class FtpServer:
    """A server ready to be started: its command, and where its user's files are."""

    name: str
    command: list[str]
    home: Path
    user: str = USER
    password: str = PASSWORD
    has_mlsd: bool = True
    has_epsv: bool = True
    argv0: str = ""
    log: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, content: bytes) -> Path:
        """A file in the user's home as the server would have made it."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        hand_over(path)
        return path


def identity() -> tuple[int, int]:
    """Who owns the served files: nobody when the tests run as root, otherwise who runs them."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def hand_over(path: Path) -> None:
    if os.getuid() == 0:
        os.chown(path, *identity())


def make_home(directory: Path) -> Path:
    home = directory / "home"
    home.mkdir(parents=True, exist_ok=True)
    hand_over(home)
    home.chmod(0o755)
    return home


def need_root(why: str) -> None:
    if os.getuid() != 0:
        raise MissingTool(f"needs root: {why}")


def need_namespace(server: str) -> None:
    need_root(f"{server} knows only the system's users, and must be shown others")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        raise MissingTool(f"needs the right to make a mount namespace: {server} must be shown other users than the system's")


def private_etc(directory: Path, home: Path, services: list[str]) -> str:
    """A script that runs its arguments where /etc/passwd, shadow, group and pam.d are the test's own."""
    etc = directory / "etc"
    (etc / "pam.d").mkdir(parents=True)
    uid, gid = identity()
    hashed = subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "safetp", PASSWORD], capture_output=True, text=True, check=True
    )
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        f"{USER}:x:{uid}:{gid}:a test's user:{home}:/bin/sh\n"
        f"ftp:x:{uid}:{gid}:anonymous:{home}:/bin/sh\n"
        f"nobody:x:{uid}:{gid}:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    (etc / "group").write_text(f"root:x:0:\nnogroup:x:{gid}:\n")
    (etc / "shadow").write_text(f"root:*:19000:0:99999:7:::\n{USER}:{hashed.stdout.strip()}:19000:0:99999:7:::\n")
    (etc / "shadow").chmod(0o600)
    for service in services + ["other"]:
        (etc / "pam.d" / service).write_text(
            "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n"
        )
    (etc / "wtmp").touch()
    script = directory / "in-private-etc"
    binds = "".join(f"mount --bind '{etc}/{name}' /etc/{name}\n" for name in ("passwd", "group", "shadow", "pam.d"))
    binds += f"[ ! -e /var/log/wtmp ] || mount --bind '{etc}/wtmp' /var/log/wtmp\n"  # no test logins among the real ones
    script.write_text(
        "#!/bin/sh\n"
        'if [ "$1" != --inside ]; then exec unshare --mount -- "$0" --inside "$@"; fi\n'
        "shift\n"
        f"set -e\n{binds}"
        'exec "$@"\n'
    )
    script.chmod(0o755)
    return str(script)


def vsftpd(directory: Path, **settings: str) -> FtpServer:
    need_namespace("vsftpd")
    home = make_home(directory)
    empty = directory / "empty"
    empty.mkdir()
    public = directory / "public"  # it refuses a writable root for anonymous
    public.mkdir(mode=0o755)
    values = {
        "listen": "NO",
        "anonymous_enable": "YES",
        "anon_root": str(public),
        "local_enable": "YES",
        "write_enable": "YES",
        "pam_service_name": "vsftpd",
        "secure_chroot_dir": str(empty),
        "chroot_local_user": "YES",
        "allow_writeable_chroot": "YES",
        "xferlog_enable": "NO",
        "delay_failed_login": "0",
        "async_abor_enable": "YES",
        "ls_recurse_enable": "YES",
        "isolate": "NO",
        "isolate_network": "NO",
        "seccomp_sandbox": "NO",
    } | settings
    config = directory / "vsftpd.conf"
    config.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    script = private_etc(directory, home, ["vsftpd"])
    program = ftpds_directory() / "bin" / "vsftpd"
    return FtpServer("vsftpd", [script, str(program), str(config)], home, has_mlsd=False)


def proftpd(directory: Path, extra: str = "") -> FtpServer:
    home = make_home(directory)
    root = ftpds_directory()
    uid, gid = identity()
    users = directory / "users"
    hashed = subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "safetp", PASSWORD], capture_output=True, text=True, check=True
    )
    users.write_text(f"{USER}:{hashed.stdout.strip()}:{uid}:{gid}::{home}:/bin/false\n")
    users.chmod(0o600)
    hand_over(users)
    config = directory / "proftpd.conf"
    config.write_text(
        f"""ServerType inetd
ServerName test
ModulePath {root}/root/usr/lib/proftpd
User {pwd.getpwuid(uid).pw_name}
Group {grp.getgrgid(gid).gr_name}
AuthOrder mod_auth_file.c
AuthUserFile {users}
RequireValidShell off
UseFtpUsers off
WtmpLog off
UseReverseDNS off
DefaultRoot {home}
AllowOverwrite on
AllowStoreRestart on
AllowRetrieveRestart on
TimesGMT on
ScoreboardFile {directory}/scoreboard
ScoreboardMutex {directory}/scoreboard.lock
PidFile {directory}/pid
DelayEngine off
SystemLog {directory}/system.log
TransferLog none
DebugLevel 0
{extra}
"""
    )
    if os.getuid() != 0:
        config.write_text(config.read_text().replace(f"DefaultRoot {home}\n", ""))
    return FtpServer("proftpd", [str(root / "bin" / "proftpd"), "-c", str(config)], home)


def pure_ftpd(directory: Path, tls: tuple[str, ...] = ("-Y", "0")) -> FtpServer:
    need_root("pure-ftpd locks its virtual users into their directories")
    home = make_home(directory)
    root = ftpds_directory()
    uid, gid = identity()
    hashed = subprocess.run(
        ["openssl", "passwd", "-5", "-salt", "safetp", PASSWORD], capture_output=True, text=True, check=True
    )
    users = directory / "pureftpd.passwd"
    users.write_text(f"{USER}:{hashed.stdout.strip()}:{uid}:{gid}::{home}/./::::::::::::\n")
    database = directory / "pureftpd.pdb"
    subprocess.run([root / "bin" / "pure-pw", "mkdb", database, "-f", users], check=True, capture_output=True)
    command = [str(root / "bin" / "pure-ftpd"), "-l", f"puredb:{database}", "-u", "1", "-H", "-E", *tls, "-R", "-z"]
    return FtpServer("pure-ftpd", command, home)


def inetutils_ftpd(directory: Path) -> FtpServer:
    need_namespace("inetutils-ftpd")
    home = make_home(directory)
    script = private_etc(directory, home, ["ftp", "ftpd"])
    program = ftpds_directory() / "bin" / "ftpd"
    return FtpServer("inetutils-ftpd", [script, str(program), "--auth=default"], home, has_mlsd=False)


MAKERS = {"vsftpd": vsftpd, "proftpd": proftpd, "pure-ftpd": pure_ftpd, "inetutils-ftpd": inetutils_ftpd}


def default_name() -> str:
    return "vsftpd" if os.getuid() == 0 else "proftpd"


def make(name: str, directory: Path) -> FtpServer:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    return MAKERS[name](directory)


class Inetd:
    """Listens on a loopback port and starts the server for each connection, as inetd's `nowait` does."""

    def __init__(self, server: FtpServer, address: str = LOCALHOST, port: int = 0):
        self.server = server
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port), family=family, backlog=64)
        self.address, self.port = self.listener.getsockname()[:2]
        self.sessions: list[subprocess.Popen] = []
        self.peers: list[tuple[str, int]] = []
        self.errors = open(Path(server.home).parent / "inetd.err", "ab")
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            with connection, self.lock:
                self.peers.append(peer[:2])
                process = subprocess.Popen(
                    self.server.command, stdin=connection, stdout=connection, stderr=self.errors, start_new_session=True
                )
                self.sessions = [other for other in self.sessions if other.poll() is None] + [process]

    def alive(self) -> list[subprocess.Popen]:
        with self.lock:
            return [process for process in self.sessions if process.poll() is None]

    def kill_sessions(self) -> None:
        """As a crash: every process of every session ends at once."""
        for process in self.alive():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def close(self) -> None:
        try:
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); closing alone does not
        except OSError:
            pass
        self.listener.close()
        self.thread.join(10)
        self.kill_sessions()
        self.errors.close()
