"""A test CA and the certificates of the gateway and of clients, made with the openssl command."""

from __future__ import annotations

import datetime
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Certificate:
    certificate: Path
    key: Path

    @property
    def toml(self) -> dict[str, str]:
        return {"certificate": str(self.certificate), "key": str(self.key)}

    def public_key_pin(self) -> str:
        """As curl --pinnedpubkey takes it."""
        command = (
            f"openssl x509 -in '{self.certificate}' -pubkey -noout | openssl pkey -pubin -outform der |"
            " openssl dgst -sha256 -binary | openssl base64"
        )
        return "sha256//" + subprocess.check_output(command, shell=True, text=True).strip()


class Authority:
    def __init__(self, directory: Path):
        self.directory = directory
        self.counter = 0
        self.root = self._make("ca", "/CN=Test CA", ["-addext", "basicConstraints=critical,CA:TRUE"])

    def _make(self, name: str, subject: str, extra: list[str]) -> Certificate:
        made = Certificate(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3"]
            + ["-subj", subject, "-utf8", "-out", made.certificate, "-keyout", made.key, *extra],
            check=True,
            capture_output=True,
        )
        made.key.chmod(0o600)
        return made

    def issue(self, name: str, common_name: str, names: list[str] = []) -> Certificate:
        extra = ["-CA", str(self.root.certificate), "-CAkey", str(self.root.key), "-addext", "basicConstraints=CA:FALSE"]
        if names:
            extra += ["-addext", "subjectAltName=" + ",".join(names)]
        return self._make(name, f"/CN={common_name}", extra)

    def revocation_list(self, *revoked: Certificate, days: float = 1) -> str:
        """In PEM; with negative days it is out of date."""
        place = self.directory / "revocation"
        place.mkdir(exist_ok=True)
        lines = []
        for certificate in revoked:
            serial = subprocess.check_output(["openssl", "x509", "-in", certificate.certificate, "-noout", "-serial"], text=True)
            lines.append(f"R\t991231235959Z\t240101000000Z\t{serial.strip().split('=')[1]}\tunknown\t/CN=revoked\n")
        (place / "index.txt").write_text("".join(lines))
        (place / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={place}/index.txt\ndefault_md=sha256\n"
        )
        now = datetime.datetime.now(datetime.timezone.utc)
        begin, end = (
            (now + datetime.timedelta(days=offset)).strftime("%Y%m%d%H%M%SZ") for offset in (min(days, 0) - 1, days)
        )
        command = ["openssl", "ca", "-gencrl", "-config", place / "ca.cnf", "-crl_lastupdate", begin, "-crl_nextupdate", end]
        command += ["-cert", self.root.certificate, "-keyfile", self.root.key]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def trusting(self, **versions) -> ssl.SSLContext:
        """A client's context that trusts this CA; names are not checked, tests dial addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(self.root.certificate)
        context.minimum_version = versions.get("minimum", ssl.TLSVersion.TLSv1_2)
        context.maximum_version = versions.get("maximum", ssl.TLSVersion.TLSv1_3)
        return context
