"""A pytest plugin for pyftpdlib's own functional tests: puts a gateway before each server that they start.

The tests dial `server.host` and `server.port` of what they have started; here those are the gateway's. With
SAFETP_PYFTPDLIB_TLS=1 the client is one that uses TLS for everything. Tests that contradict a gateway by their nature are
listed, with the reason, in pyftpdlib_exceptions.txt.
"""

from __future__ import annotations

import fnmatch
import ftplib
import os
import ssl
import tempfile
from pathlib import Path

from support.certificates import Certificate
from support.gateway import Gateway

USES_TLS = os.environ.get("SAFETP_PYFTPDLIB_TLS") == "1"
DIRECTORY = Path(os.environ["SAFETP_PYFTPDLIB_DIRECTORY"])
CERTIFICATE = Certificate(Path(os.environ["SAFETP_PYFTPDLIB_CERTIFICATE"]), Path(os.environ["SAFETP_PYFTPDLIB_KEY"]))


class TlsClient(ftplib.FTP_TLS):
    """Logs in under TLS and protects its data, so that a test written for plain FTP never notices."""

    def __init__(self, *arguments, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(*arguments, context=context, **options)

    def connect(self, *arguments, **options):
        welcome = super().connect(*arguments, **options)
        self.auth()
        self.prot_p()
        return welcome

    def login(self, *arguments, **options):
        return super().login(*arguments, secure=False, **options)


def put_gateway_before(server_class) -> None:
    original_start, original_stop = server_class.start, server_class.stop

    def start(self):
        original_start(self)
        address, port = self.server.socket.getsockname()[:2]
        place = Path(tempfile.mkdtemp(dir=DIRECTORY))
        self.gateway = Gateway(place, CERTIFICATE)
        listener = {"port": self.gateway.port, "security": "optional", "data_security": "optional"}
        is_everywhere = address in ("::", "0.0.0.0")
        self.gateway.change(
            listeners=[listener if is_everywhere else listener | {"address": address}],
            server={"address": "127.0.0.1" if is_everywhere else address, "port": port},
            limits={"login_failures": 100, "bad_commands": 1000},
        )
        self.gateway.start()
        self.port = self.gateway.port

    def stop(self):
        try:
            self.gateway.stop()
        finally:
            original_stop(self)

    server_class.start, server_class.stop = start, stop


def exceptions() -> dict[str, str]:
    found = {}
    for line in (Path(__file__).parent.parent / "pyftpdlib_exceptions.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, reason = line.split(None, 1)
            if pattern.startswith("tls:") and not USES_TLS:
                continue
            found[pattern.removeprefix("tls:")] = reason
    return found


def pytest_collection_modifyitems(config, items):
    import pyftpdlib.test as suite

    for server_class in {suite.ThreadedTestFTPd, suite.MProcessTestFTPd}:
        put_gateway_before(server_class)
    excused = exceptions()
    kept, dropped = [], []
    for item in items:
        if USES_TLS and item.cls is not None and hasattr(item.cls, "client_class"):
            item.cls.client_class = TlsClient
        name = f"{item.cls.__name__}.{item.name}" if item.cls else item.name
        is_excused = any(fnmatch.fnmatch(name, pattern) for pattern in excused)
        (dropped if is_excused else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)
