"""Link-local IPv6 addresses, which mean something only together with an interface: listened on and dialled."""

import pytest

from support import ftpds
from support.gateway import Gateway
from support.namespaces import Network
from support.safetp import OK, USAGE, Safetp


@pytest.fixture
def network(running) -> Network:
    network = running.add(Network())
    network.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "other-end")
    for end in ("wire", "other-end"):
        network.run("ip", "link", "set", end, "up")
    network.add_address("fe80::5/64")
    return network


def test_link_local_addresses(running, network, directory, certificate):
    """Both ends in one network: safetpd listens on a link-local address, and safetp gets a file from it."""
    server = ftpds.make("proftpd", directory / "server")
    server.put("file", b"content")
    gateway = Gateway(directory / "gateway", certificate)
    gateway.change(listener={"address": "fe80::5%wire"}, server={"command": server.command})
    gateway.prefix = ["nsenter", f"--net={network.path}", "--"]
    running.add(gateway).start()
    gateway.wait_for_log(rf"\[fe80::5%wire\]:{gateway.port}")

    class There(Safetp):
        def command(self, *words) -> list[str]:
            return ["nsenter", f"--net={network.path}", "--", *super().command(*words)]

    client = There(directory / "user")
    url = f"ftp://{server.user}@[fe80::5%25wire]:{gateway.port}/file"
    client.run("get", url).expect(OK)
    assert (client.directory / "file").read_bytes() == b"content"
    assert client.lines()[0][0] == f"[fe80::5%wire]:{gateway.port}"
    client.run("pin", "add", "--yes", f"[fe80::5%wire]:{gateway.port}").expect(OK)
    client.run("get", url.replace("wire", "nowhere")).expect(69)
    client.run("get", url.replace("fe80::5", "2001:db8::5")).expect(USAGE, "neither a host name nor an IP address")


def test_zones_that_are_none(running, directory, certificate):
    gateway = running.add(Gateway(directory / "gateway", certificate))
    for address, words in {"fe80::5": "with its interface", "fe80::5%nowhere": "interface that is there"}.items():
        gateway.change(listener={"address": address})
        with pytest.raises(AssertionError, match=words):
            gateway.start()
