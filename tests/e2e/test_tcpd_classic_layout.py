"""The layout of SafeTP's old manual, to the letter: the gateway on port 21, the ordinary ftpd moved to port 351 behind tcpd, and
two tables that let only this machine reach it. With Debian's tcpd and with ours, safetpd on its own and from inetd."""

import re
import time

import pytest

from support import ftpds
from support.client import FtpClient
from support.gateway import binary, toml
from support.namespaces import SAFETY_NET
from support.wrapped import CLIENTS, SERVER, World, debian_tcpd, put_program, safetp_tcpd, start_inetd, wait_for_listener

pytestmark = pytest.mark.unsanitized  # whole machines: their programs' modules are tested sanitized, one by one

RAW_FTPD = "raw-ftp stream tcp nowait root   /usr/sbin/wu.ftpd wu.ftpd -l -i -a -t0\n"
WRAPPED = "raw-ftp stream tcp nowait root   /usr/sbin/tcpd wu.ftpd -l -i -a -t0\n"
FRONT_DOOR = "ftp stream tcp nowait root /usr/sbin/safetpd safetpd -s\n"
HOSTS_DENY = """\
# by default, nothing can connect to the raw ftpd server
# (this assumes you're using wu-ftpd; change the daemon name to
# the argv[0] name of whatever you're in fact using)
wu.ftpd : ALL
"""
HOSTS_ALLOW = f"""\
# allow local processes (in particular, sftpd) to connect to the
# raw ftpd server; replace with your IP address(es)
wu.ftpd : {SERVER}, 127.0.0.1
"""


class Site:
    """One server as the manual leaves it; the tests are its administrator."""

    def __init__(self, place, tcpd, certificate):
        self.ftpd = ftpds.vsftpd(place / "ftpd")
        self.world = World(place / "world")
        self.etc = self.world.etc
        try:
            self.machine = self.world.machine("server", tcpd)
            self.prepare_wu_ftpd()
            self.configure_safetpd(certificate)
        except BaseException:
            self.close()
            raise

    def prepare_wu_ftpd(self) -> None:
        """A real ftpd under the old one's name and arguments, which it writes down."""
        script = self.machine.sbin / "wu.ftpd"
        script.write_text(f"#!/bin/sh\necho \"$@\" >>/etc/wu.ftpd.arguments\nexec {' '.join(self.ftpd.command)}\n")
        script.chmod(0o755)
        (self.etc / "shadow").touch()  # what the ftpd's own accounts are laid over
        (self.etc / "pam.d").mkdir()

    def configure_safetpd(self, certificate) -> None:
        put_program(binary(), self.machine.sbin / "safetpd")
        (self.etc / "safetp").mkdir()
        config = {
            "listener": [{"address": SERVER, "port": 21}],
            "tls": {"certificates": [certificate.toml]},
            "data": {"passive_ports": "50000-50100"},
            "process": {"user": "nobody", "chroot": "/run/empty", "workers": 1},
        }
        (self.etc / "safetp" / "safetpd.toml").write_text(toml(config))

    def inetd(self, config: str) -> None:
        start_inetd(self.machine, config)
        wait_for_listener(self.world.server, "0.0.0.0", 351)

    def change_inetd(self, config: str) -> None:
        """Edits inetd.conf and sends HUP, as the manual says."""
        (self.etc / "inetd.conf").write_text(config)
        log = self.machine.place / "inetd.log"
        seen = log.read_text().count("REDO: raw-ftp")
        self.machine.run("sh", "-c", "kill -HUP $(cat /run/inetd.pid)", check=True)
        deadline = time.monotonic() + SAFETY_NET
        while log.read_text().count("REDO: raw-ftp") == seen:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)

    def reach_raw_ftpd(self, network, host: str, source: str) -> bytes:
        """All that it says by itself: a greeting, or nothing at all."""
        with self.world.connect(network, host, 351, source) as connection:
            connection.settimeout(SAFETY_NET)
            return connection.recv(1000)

    def from_outside(self) -> bytes:
        return self.reach_raw_ftpd(self.world.client, SERVER, CLIENTS["honest"])

    def from_this_machine(self, address: str = "127.0.0.1") -> bytes:
        return self.reach_raw_ftpd(self.world.server, address, address)

    def use_front_door(self, tls, name: str) -> None:
        """A whole session of an outside client's, through TLS."""
        with self.world.client.entered():
            client = FtpClient(21, SERVER, CLIENTS["honest"]).greet().auth(tls)
            client.login(self.ftpd.user, self.ftpd.password).protect()
            client.expect("TYPE I", 200)
            content = bytes(range(256)) * 400
            client.upload(f"STOR {name}", content)
            assert client.download(f"RETR {name}") == content
            client.quit()
        assert (self.ftpd.home / name).read_bytes() == content

    def close(self) -> None:
        self.world.close()


@pytest.fixture(params=["debian", "safetp"])
def site(request, directory, certificate):
    made = Site(directory, debian_tcpd() if request.param == "debian" else safetp_tcpd(), certificate)
    yield made
    made.close()


def start_front_door(site, how: str) -> str:
    """Returns the lines of inetd.conf that it needs."""
    if how == "from inetd":
        return FRONT_DOOR
    with open(site.machine.place / "safetpd.log", "wb") as log:
        site.machine.start("/usr/sbin/safetpd", stdout=log, stderr=log)
    wait_for_listener(site.world.server, SERVER, 21)
    return ""


@pytest.mark.parametrize("how", ["standalone", "from inetd"])
def test_the_old_manual(site, tls, how):
    # After the installation: the front door works, and so does the way round it.
    front_door = start_front_door(site, how)
    site.inetd(front_door + RAW_FTPD)
    site.use_front_door(tls, "first")
    assert site.from_outside().startswith(b"220 ")

    # hosts.deny, and tcpd put between: HUP makes inetd read its configuration again. Nobody gets through any more, not even we.
    site.world.write(hosts_deny=HOSTS_DENY)
    site.change_inetd(front_door + WRAPPED)
    began = time.monotonic()
    assert site.from_outside() == b""
    assert time.monotonic() - began >= 4.9  # "first accepting the connection, waiting about 3 seconds, then closing it"
    assert site.from_this_machine() == b""

    # hosts.allow, and at once, without any signal, this machine may again.
    site.world.write(hosts_allow=HOSTS_ALLOW)
    site.use_front_door(tls, "second")
    assert site.from_this_machine().startswith(b"220 ")
    assert site.from_outside() == b""

    log = [line for line in site.machine.log.take() if line.ident == "wu.ftpd"]
    outsider = f"refused connect from {CLIENTS['honest']} ({CLIENTS['honest']})"
    assert [line.text for line in log].count(outsider) == 2
    assert f"connect from {SERVER} ({SERVER})" in [line.text for line in log]  # the gateway, from where it was reached
    assert {line.facility for line in log} == {3}
    arguments = (site.etc / "wu.ftpd.arguments").read_text().splitlines()
    assert len(arguments) >= 4 and set(arguments) == {"-l -i -a -t0"}


def test_localhost_alone_is_not_enough(site, tls):
    """The manual's warning: the gateway contacts the ftpd on the address on which it was itself contacted."""
    start_front_door(site, "standalone")
    site.world.write(hosts_deny=HOSTS_DENY, hosts_allow="wu.ftpd : 127.0.0.1\n")
    site.inetd(WRAPPED)
    with site.world.client.entered():
        client = FtpClient(21, SERVER, CLIENTS["honest"])
        assert client.reply().code == 421
        client.close()
    assert re.search(r"refused connect from 10\.77\.0\.1 ", site.machine.log.wait_for("^refused connect").text)
    site.world.write(hosts_allow=HOSTS_ALLOW)
    site.use_front_door(tls, "mended")
