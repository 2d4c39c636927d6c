"""The raw ftpd and the gateways in front of it, each as good as its documentation tells how to make it."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .keeper import Keeper

ADDRESS = "127.0.0.1"
READY_SECONDS = 30


@dataclass
class Certificate:
    certificate: Path
    key: Path


def make_certificate(directory: Path) -> Certificate:
    """Self-signed, ECDSA P-256."""
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-out", made.certificate, "-keyout", made.key],
        check=True,
        capture_output=True,
    )
    made.key.chmod(0o600)
    return made


def free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as taken:
        return taken.getsockname()[1]


class Server:
    """A server with its keeper, ready when it has greeted."""

    environment: dict[str, str] = {}  # for the load generator
    greeting = b"220"

    def __init__(self, name: str, port: int, command: list, directory: Path):
        self.name = name
        self.port = port
        self.command = command
        self.keeper = Keeper([str(part) for part in command], directory / f"{name}.log")
        try:
            self._wait_for_greeting()
        except BaseException:
            self.stop()
            raise

    def _wait_for_greeting(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((ADDRESS, self.port), timeout=5) as probe:
                    if probe.recv(len(self.greeting) or 1)[: len(self.greeting)] == self.greeting:
                        return
            except OSError:
                pass
            if self.keeper.state()["processes"] == 0:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not greet:\n{self.keeper.log.read_text()}")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        self.keeper.stop()


class Vsftpd(Server):
    """Debian's vsftpd: anonymous, writable; without TLS unless `settings` say so."""

    def __init__(self, name: str, directory: Path, ftpds: Path, files: Path, **settings):
        empty = directory / "vsftpd-empty"
        empty.mkdir(mode=0o755, exist_ok=True)
        port = free_port()
        settings = {
            "listen": "YES",
            "listen_address": ADDRESS,
            "listen_port": port,
            "background": "NO",
            "anonymous_enable": "YES",
            "local_enable": "NO",
            "write_enable": "YES",
            "anon_upload_enable": "YES",
            "anon_other_write_enable": "YES",
            "anon_umask": "022",
            "anon_root": files,
            "ftp_username": "daemon",  # whose home exists; anon_root comes after
            "nopriv_user": "nobody",
            "secure_chroot_dir": empty,
            "xferlog_enable": "NO",
            "max_clients": 0,
            "max_per_ip": 0,
            "isolate": "NO",
            "isolate_network": "NO",
            "seccomp_sandbox": "NO",
            **settings,
        }
        config = directory / f"{name}.conf"
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        super().__init__(name, port, [ftpds / "bin" / "vsftpd", config], directory)


class RawFtpd(Vsftpd):
    """What the gateways speak for."""

    def __init__(self, directory: Path, ftpds: Path, files: Path):
        super().__init__("raw_ftpd", directory, ftpds, files, one_process_model="YES")


class VsftpdTls(Vsftpd):
    """vsftpd's own TLS, without a gateway."""

    def __init__(self, directory: Path, ftpds: Path, certificate: Certificate, files: Path):
        super().__init__(
            "vsftpd_tls",
            directory,
            ftpds,
            files,
            ssl_enable="YES",
            allow_anon_ssl="YES",
            force_anon_data_ssl="NO",
            rsa_cert_file=certificate.certificate,
            rsa_private_key_file=certificate.key,
            require_ssl_reuse="NO",
            ssl_ciphers="HIGH",
        )


class PureFtpdTls(Server):
    """pure-ftpd's own TLS, without a gateway. It has a user of its own: its anonymous one would be an account of the machine."""

    environment = {"SAFETP_LOAD_USER": "bench"}

    def __init__(self, directory: Path, ftpds: Path, certificate: Certificate, files: Path):
        port = free_port()
        both = directory / "both.pem"
        both.write_text(certificate.key.read_text() + certificate.certificate.read_text())
        both.chmod(0o600)
        users, database = directory / "pureftpd.passwd", directory / "pureftpd.pdb"
        hashed = subprocess.check_output(["openssl", "passwd", "-5", "-salt", "bench", "bench@example.com"], text=True).strip()
        nobody = pwd.getpwnam("nobody")
        users.write_text(f"bench:{hashed}:{nobody.pw_uid}:{nobody.pw_gid}::{files}/./::::::::::::\n")
        subprocess.run([ftpds / "bin" / "pure-pw", "mkdb", database, "-f", users], check=True, capture_output=True)
        command = [ftpds / "bin" / "pure-ftpd", "-S", f"{ADDRESS},{port}", "-4", "-E", "-l", f"puredb:{database}", "-u", "1"]
        command += ["-H", "-C", "20000", "-c", "20000", "-Y", "1", f"-2{both}", "-I", "60", "-p", "42000:49000"]
        super().__init__("pure_ftpd_tls", port, command, directory)


class Haproxy(Server):
    """One TCP stream through haproxy with splicing: no FTP, no TLS."""

    greeting = b""

    def __init__(self, directory: Path, ftpds: Path, behind: int):
        port = free_port()
        config = directory / "haproxy.cfg"
        config.write_text(
            f"""global
  maxconn 1000
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option splice-auto
  option splice-request
  option splice-response
listen stream
  bind {ADDRESS}:{port}
  server source {ADDRESS}:{behind}
"""
        )
        super().__init__("haproxy", port, [ftpds / "bin" / "haproxy", "-f", config], directory)


@dataclass
class Files:
    """What is fetched and overwritten."""

    directory: Path
    soak_size = 1 << 20

    def __post_init__(self) -> None:
        self.directory.mkdir(mode=0o755)
        incoming = self.directory / "incoming"
        incoming.mkdir()
        incoming.chmod(0o777)

    def make(self, size: int) -> None:
        """Sparse ones to download, which cost no disk; one to overwrite, whose pages are there."""
        for name, length in (("download", size), ("huge", 5 << 30), ("small", 1024)):
            with open(self.directory / name, "wb") as file:
                file.truncate(length)
        for name, length in (("upload", size), ("soak", self.soak_size)):
            upload = self.directory / "incoming" / name
            with open(upload, "wb") as file:
                for start in range(0, length, 1 << 20):
                    file.write(bytes(min(1 << 20, length - start)))
            upload.chmod(0o666)

    def upload_tail(self, length: int) -> bytes:
        with open(self.directory / "incoming" / "upload", "rb") as file:
            file.seek(-length, os.SEEK_END)
            return file.read()


class SafeTp(Server):
    """One worker a processor, as by default; limits raised for a client that is one address."""

    def __init__(self, directory: Path, binary: Path, certificate: Certificate, behind: int):
        port = free_port()
        config = directory / "safetpd.toml"
        config.write_text(
            f"""[[listener]]
address = "{ADDRESS}"
port = {port}
data_security = "optional"

[server]
address = "{ADDRESS}"
port = {behind}

[tls]
certificates = [{{ certificate = "{certificate.certificate}", key = "{certificate.key}" }}]

[limits]
sessions = 20000
sessions_per_client = 20000
startups = "20000:0:20000"
connection_rate = "1000000/1s"

[log]
target = "stderr"

[process]
user = "nobody"
chroot = "{directory}/safetpd-empty"
"""
        )
        super().__init__("safetpd", port, [binary, "-c", config], directory)


class ModProxy(Server):
    """ProFTPD with mod_tls and mod_proxy as a reverse proxy.

    TLSCACertificateFile and ProxyTLSCACertificateFile keep each session from reading the system's CA bundle; session reuse is not
    demanded, so that no client is turned away; no limit, log, look-up or delay that the other gateway has not."""

    def __init__(self, directory: Path, ftpds: Path, certificate: Certificate, behind: int):
        port = free_port()
        modules = ftpds / "root" / "usr" / "lib" / "proftpd"
        (directory / "proxy").mkdir(mode=0o700, exist_ok=True)
        config = directory / "proftpd.conf"
        config.write_text(
            f"""ModulePath {modules}
LoadModule mod_tls.c
LoadModule mod_proxy.c
ServerType standalone
ServerName bench
DefaultAddress {ADDRESS}
SocketBindTight on
UseIPv6 off
Port {port}
User nobody
Group nogroup
MaxInstances none
TimeoutIdle 900
TimeoutNoTransfer 900
TimeoutLogin 60
UseReverseDNS off
DelayEngine off
WtmpLog off
TransferLog none
SystemLog {directory}/proftpd.system.log
DebugLevel 0
ScoreboardFile {directory}/proftpd.scoreboard
PidFile {directory}/proftpd.pid
RequireValidShell off
<IfModule mod_ctrls.c>
  ControlsEngine off
</IfModule>

TLSEngine on
TLSRequired ctrl
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {certificate.certificate}
TLSECCertificateKeyFile {certificate.key}
TLSCACertificateFile {certificate.certificate}
TLSVerifyClient off
TLSOptions NoSessionReuseRequired
TLSRenegotiate none

ProxyEngine on
ProxyRole reverse
ProxyTables {directory}/proxy
ProxyReverseServers ftp://{ADDRESS}:{behind}
ProxyTLSEngine off
ProxyTLSCACertificateFile {certificate.certificate}
"""
        )
        super().__init__("mod_proxy", port, [ftpds / "bin" / "proftpd", "-n", "-q", "-c", config], directory)
