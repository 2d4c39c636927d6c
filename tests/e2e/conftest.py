"""Fixtures: the gateway, the servers behind it, certificates. Everything lives in directories and ports of the test's own."""

from __future__ import annotations

import os
import shutil
import ssl
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import ftpds, tls_ftpds  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.client import FtpClient  # noqa: E402
from support.gateway import Gateway  # noqa: E402
from support.proxy import Proxy  # noqa: E402
from support.scripted_server import ScriptedServer  # noqa: E402


@pytest.fixture(scope="session")
def base_directory():
    """Short, since UNIX socket paths are; readable for all, since servers change their identity."""
    directory = Path(tempfile.mkdtemp(prefix="safetp-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    if not os.environ.get("SAFETP_KEEP_FILES"):
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def directory(base_directory):
    made = Path(tempfile.mkdtemp(dir=base_directory))
    made.chmod(0o755)
    return made


@pytest.fixture(scope="session")
def authority(base_directory) -> Authority:
    made = base_directory / "certificates"
    made.mkdir()
    return Authority(made)


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("localhost", "localhost", ["DNS:localhost", "IP:127.0.0.1", "IP:::1"])


@pytest.fixture(scope="session")
def tls(authority) -> ssl.SSLContext:
    return authority.trusting()


@pytest.fixture(scope="session", params=["TLSv1.2", "TLSv1.3"])
def each_tls(request, authority) -> ssl.SSLContext:
    """The test runs once under each version."""
    version = ssl.TLSVersion.TLSv1_2 if request.param == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    return authority.trusting(minimum=version, maximum=version)


class Running:
    """What a test started, ended in reverse order; every one of them gets its chance."""

    def __init__(self):
        self.things = []

    def add(self, thing):
        self.things.append(thing)
        return thing

    def end(self) -> None:
        failures = []
        for thing in reversed(self.things):
            try:
                thing.stop() if isinstance(thing, Gateway) else thing.close()
            except (AssertionError, OSError) as failure:
                failures.append(failure)
        if failures:
            raise failures[0]


@pytest.fixture
def running():
    things = Running()
    yield things
    things.end()


def make_server(name: str, directory: Path) -> ftpds.FtpServer:
    try:
        return ftpds.make(name, directory)
    except ftpds.MissingTool as missing:
        pytest.fail(str(missing))


@pytest.fixture
def start_server(directory, running):
    """start_server("vsftpd") -> Inetd: a real server behind a loopback port."""

    def start(name: str | None = None, address: str = "127.0.0.1", **settings) -> ftpds.Inetd:
        name = name or ftpds.default_name()
        place = directory / f"{name}-{len(running.things)}"
        if settings:
            place.mkdir()
            server = ftpds.MAKERS[name](place, **settings)
        else:
            server = make_server(name, place)
        return running.add(ftpds.Inetd(server, address))

    return start


@pytest.fixture
def play(running):
    """play(script) -> ScriptedServer."""

    def start(script) -> ScriptedServer:
        return running.add(ScriptedServer(script))

    return start


@pytest.fixture
def start_gateway(directory, running, certificate):
    """start_gateway(server, listener={...}, ...) -> Gateway: in front of anything that has an address and a port."""

    def start(behind=None, /, start=True, **settings) -> Gateway:
        gateway = Gateway(directory / f"gateway-{len(running.things)}", certificate)
        if behind is not None:
            settings["server"] = {"address": behind.address, "port": behind.port} | settings.get("server", {})
        if isinstance(behind, ScriptedServer):  # whose script is for sessions, not for measuring how long lines may be
            settings["server"] = {"line_bytes": 500} | settings["server"]
        gateway.change(**settings)
        running.add(gateway)
        return gateway.start() if start else gateway

    return start


@pytest.fixture
def start_tls_server(directory, running, certificate):
    """start_tls_server("vsftpd", version="1.3") -> Inetd: a real server with its own TLS."""

    def start(name: str, address: str = "127.0.0.1", **settings) -> ftpds.Inetd:
        place = directory / f"{name}-{len(running.things)}"
        try:
            server = tls_ftpds.make(name, place, settings.pop("identity", certificate), **settings)
        except ftpds.MissingTool as missing:
            pytest.fail(str(missing))
        return running.add(ftpds.Inetd(server, address))

    return start


@pytest.fixture
def start_proxy(directory, running):
    """start_proxy("--strict", server=...) -> Proxy: a safe client side; without a server clients name it."""

    def start(*arguments: str, **settings) -> Proxy:
        proxy = running.add(Proxy(directory / f"proxy-{len(running.things)}", *arguments, **settings))
        return proxy.start()

    return start


class Front:
    """A gateway with the default configuration before a real server, shared by the tests of a file: none may change either."""

    def __init__(self, gateway: Gateway, inetd: ftpds.Inetd, tls: ssl.SSLContext):
        self.gateway, self.inetd, self.server, self.tls = gateway, inetd, inetd.server, tls

    def secure(self, **options) -> FtpClient:
        return self.gateway.secure(options.pop("tls", self.tls), **options)

    def login(self, **options) -> FtpClient:
        """Under TLS, logged in, PROT P, binary."""
        level = options.pop("level", "P")
        client = self.secure(**options).login(self.server.user, self.server.password).protect(level)
        client.expect("TYPE I", 200)
        return client


@pytest.fixture(scope="module")
def front(base_directory, certificate, tls):
    directory = Path(tempfile.mkdtemp(dir=base_directory))
    directory.chmod(0o755)
    things = Running()
    inetd = things.add(ftpds.Inetd(make_server(ftpds.default_name(), directory / "server")))
    gateway = Gateway(directory / "gateway", certificate)
    gateway.change(server={"address": inetd.address, "port": inetd.port}, listener={"data_security": "optional"})
    things.add(gateway)
    try:
        yield Front(gateway.start(), inetd, tls)
    finally:
        things.end()
