"""The same real servers with their own TLS in front of a safe client side: each with its defaults wherever it has any, so with
session reuse required where the server does that by itself."""

from __future__ import annotations

from pathlib import Path

from . import ftpds
from .certificates import Certificate
from .ftpds import FtpServer


def openssl_limited_to(directory: Path, version: str) -> list[str]:
    """For servers that leave the choice of versions to the library: what goes before their command."""
    if not version:
        return []
    directory.mkdir(parents=True, exist_ok=True)
    level = 0 if version < "1.2" else 2
    config = directory / "openssl.cnf"
    config.write_text(
        "openssl_conf = here\n[here]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n[limits]\n"
        f"MinProtocol = TLSv{version.removesuffix('.0')}\nMaxProtocol = TLSv{version.removesuffix('.0')}\n"
        f"CipherString = DEFAULT:@SECLEVEL={level}\n"
    )
    return ["env", f"OPENSSL_CONF={config}"]


def vsftpd(directory: Path, certificate: Certificate, version: str = "", implicit: bool = False, **settings) -> FtpServer:
    """require_ssl_reuse and TLS for logins and data are vsftpd's defaults once ssl_enable is set."""
    values = {
        "ssl_enable": "YES",
        "rsa_cert_file": str(certificate.certificate),
        "rsa_private_key_file": str(certificate.key),
        "ssl_ciphers": "ALL:@SECLEVEL=0" if version == "1.0" else "HIGH",
        "implicit_ssl": "YES" if implicit else "NO",
    }
    server = ftpds.vsftpd(directory, **(values | settings))
    server.command = openssl_limited_to(directory, version) + server.command
    return server


def proftpd(directory: Path, certificate: Certificate, version: str = "", implicit: bool = False, extra: str = "") -> FtpServer:
    protocols = f"TLSv{version}" if version else "TLSv1.2 TLSv1.3"
    options = "TLSOptions UseImplicitSSL\n" if implicit else ""
    return ftpds.proftpd(
        directory,
        extra=f"""LoadModule mod_tls.c
TLSEngine on
TLSLog {directory}/tls.log
TLSProtocol {protocols}
TLSECCertificateFile {certificate.certificate}
TLSECCertificateKeyFile {certificate.key}
TLSRequired on
{options}{extra}""",
    )


def pure_ftpd(directory: Path, certificate: Certificate, version: str = "") -> FtpServer:
    directory.mkdir(parents=True, exist_ok=True)
    both = directory / "both.pem"
    both.write_text(certificate.certificate.read_text() + certificate.key.read_text())
    both.chmod(0o600)
    server = ftpds.pure_ftpd(directory, tls=("-Y", "3", "-2", str(both)))
    server.command = openssl_limited_to(directory, version) + server.command
    return server


MAKERS = {"vsftpd": vsftpd, "proftpd": proftpd, "pure-ftpd": pure_ftpd}


def make(name: str, directory: Path, certificate: Certificate, **settings) -> FtpServer:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    return MAKERS[name](directory, certificate, **settings)
