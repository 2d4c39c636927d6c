"""`safetpd doctor`: what it finds on Debian's own files, what it says where it cannot see, and that its own lines mend what it found.
With sockets and processes it is tried in test_setup.py, before and after a setup."""

import json
import shutil
import subprocess

import pytest

from support.gateway import binary
from support.live_machine import SERVER, LiveMachine
from support.scratch_root import ScratchRoot

pytestmark = pytest.mark.unsanitized  # whole machines: their programs' modules are tested sanitized, one by one


def doctor(root, *options, code):
    result = subprocess.run([binary(), "doctor", "--root", root.path, *options], capture_output=True, text=True, timeout=60)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def findings(root, kind, code=1):
    return [finding for finding in json.loads(doctor(root, "--json", code=code))["findings"] if finding["kind"] == kind]


def mend(root, finding):
    """Does what the finding says, to the letter, as far as it is about files."""
    for step in finding["mend"]:
        where, lines = step["where"], step["lines"]
        path, _, how = where.partition(", ")
        path = path.lstrip("/")
        text = root.read(path) if (root.path / path).exists() else ""
        if where == "run":
            continue
        if how.startswith("before all other lines"):
            root.write(path, "\n".join(lines) + "\n" + text)
        elif how.startswith("instead of line "):
            numbered = text.splitlines()
            numbered[int(how.removeprefix("instead of line ")) - 1 : int(how.removeprefix("instead of line "))] = lines
            root.write(path, "\n".join(numbered) + "\n")
        elif how == "in [server]":
            root.write(path, (text or "[server]\n") + "\n".join(lines) + "\n")
        elif not how or how == "unless it is there":  # settings of vsftpd.conf: the last one counts; a drop-in; a service
            root.write(path, text + "\n".join(lines) + "\n")
        else:
            raise AssertionError(where)


@pytest.mark.parametrize("package", ["vsftpd", "proftpd", "pure-ftpd", "pure-ftpd-inetd", "inetutils-ftpd"])
def test_its_own_lines_mend(directory, package):
    """As Debian installs each ftpd there is a way; with the lines that doctor prints there is none, and no trouble either."""
    root = ScratchRoot(directory / "root", package)
    ways = findings(root, "way")
    assert len(ways) == 1
    mend(root, ways[0])
    assert findings(root, "trouble", code=0) == []


def test_without_a_wrapper_and_with_rules_in_the_way(directory):
    """No tcpd in the line, and an hosts.allow that lets everybody in: hosts.deny alone would not help, and doctor knows."""
    root = ScratchRoot(directory / "root", "inetutils-ftpd")
    root.write("etc/inetd.conf", "ftp stream tcp nowait root /usr/sbin/in.ftpd in.ftpd -l\n")
    root.write("etc/hosts.allow", "ALL : ALL\n")
    (way,) = findings(root, "way")
    assert "no tcpd in the line" in way["what"]
    mend(root, way)
    (way,) = findings(root, "way")
    assert any("hosts.allow:" in row["stranger"] or "let in" in row["stranger"] for row in way["addresses"])
    mend(root, way)
    assert findings(root, "way", code=0) == []


def test_the_librarys_users_are_known(directory):
    """vsftpd asks the tables only when it is told to and linked to the library."""
    root = ScratchRoot(directory / "root", "vsftpd")
    root.write("etc/vsftpd.conf", root.read("etc/vsftpd.conf") + "tcp_wrappers=YES\n")
    (way,) = findings(root, "way")
    assert "tcp_wrappers=YES" in way["what"] and "no rule" in way["addresses"][-1]["stranger"]
    root.write("etc/hosts.deny", "vsftpd : ALL EXCEPT LOCAL, 127.0.0.1\n")
    assert findings(root, "way", code=0) == []
    shutil.copy("/bin/true", root.path / "usr/sbin/vsftpd")
    (way,) = findings(root, "way")
    assert "not linked to libwrap" in way["what"]


@pytest.mark.parametrize(
    "name, text",
    [
        ("etc/xinetd.d/ftp", "service ftp\n{\n\tdisable = no\n\tserver = /usr/sbin/vsftpd\n\twait = no\n}\n"),
        ("etc/systemd/system/ftp.socket", "[Socket]\nListenStream=21\nAccept=yes\n"),
        ("etc/inetd.d/ftp", "ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd\n"),
    ],
)
def test_other_super_servers(directory, name, text):
    root = ScratchRoot(directory / "root")
    root.write("etc/xinetd.conf", "defaults\n{\n}\nincludedir /etc/xinetd.d\n")
    root.write(name, text)
    root.write("etc/systemd/system/ftp@.service", "[Service]\nExecStart=-/usr/sbin/vsftpd /etc/ftp.conf\nStandardInput=socket\n")
    root.link("etc/systemd/system/sockets.target.wants/ftp.socket", "/etc/systemd/system/ftp.socket")
    (way,) = findings(root, "way")
    assert way["where"].startswith("/" + name)


def test_says_that_a_firewall_may_hide_something(directory):
    root = ScratchRoot(directory / "root")
    root.write("etc/ufw/ufw.conf", "ENABLED=yes\n")
    (note,) = [each for each in findings(root, "note", code=0) if each["where"] == "firewall"]
    assert "ufw is enabled" in note["what"]


def test_bad_configuration_and_usage(directory):
    root = ScratchRoot(directory / "root")
    root.write("etc/safetp/safetpd.toml", "[server]\nprot = 351\n")
    result = subprocess.run([binary(), "doctor", "--root", root.path], capture_output=True, text=True, timeout=60)
    assert result.returncode == 78 and "safetpd.toml:2: error:" in result.stderr
    assert subprocess.run([binary(), "doctor", "--root", "/nonexistent"], capture_output=True, timeout=60).returncode == 64
    missing = subprocess.run([binary(), "doctor", "--root", root.path, "-c", "/no.toml"], capture_output=True, text=True, timeout=60)
    assert missing.returncode == 78 and "/no.toml" in missing.stderr


@pytest.fixture
def machine(directory):
    made = LiveMachine(directory / "live")
    yield made
    made.close()


def test_live_without_rights_it_says_so(machine):
    """As an ordinary user it cannot tell whose sockets there are: "none was found" would be no answer."""
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    found = machine.machine.run(*nobody, binary(), "doctor", "--no-connect")
    assert found.returncode == 77, found.stdout + found.stderr
    assert "run it as root" in found.stdout
    machine.start_inetd("ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd /etc/vsftpd.conf\n")
    found = machine.machine.run(*nobody, binary(), "doctor")
    assert found.returncode == 1 and f"{SERVER}:21 greets: 220" in found.stdout


def test_live_firewall(machine):
    machine.server_network.run("nft", "add table inet filter")
    assert "nftables has 1 table" in machine.safetpd("doctor", "--no-connect")


def test_live_changes_nothing(machine):
    before = machine.snapshot()
    machine.safetpd("doctor", code=1)
    machine.safetpd("setup")
    assert machine.snapshot() == before


def test_live_tries_the_front_door(machine):
    """Nobody there; there, and a client gets as far as his password; there, but the raw ftpd is not."""
    found = machine.safetpd("doctor", code=1)
    assert "TROUBLE  the front door, 127.0.0.1:21" in found and "nobody listens there" in found
    assert "systemctl start safetpd.service" in found

    machine.start_safetpd('[server]\ncommand = ["/usr/sbin/vsftpd", "/etc/vsftpd.conf"]\n')
    found = machine.safetpd("doctor")
    assert f"the front door, {SERVER}:21, is open: TLSv1.3, key SHA256:" in found
    assert "the raw ftpd answers USER with: 331" in found
    assert "the raw ftpd reads 4096 bytes as one line" in found
    doors = json.loads(machine.safetpd("doctor", "--json"))
    assert [door["open"] for door in doors["doors"]] == [True, True] and doors["server_line_bytes"] == 4096
    assert "login" not in (machine.place / "safetpd.log").read_text()
    machine.stop_safetpd()

    machine.start_safetpd("[server]\nport = 351\n")
    found = machine.safetpd("doctor", code=1)
    assert "it greets with: 421 The FTP server behind this gateway cannot be reached" in found
    assert "could not be measured" in found


def test_live_a_limit_that_says_too_much(machine):
    """line_bytes beyond what the raw ftpd takes would let commands hide again."""
    machine.start_safetpd(
        '[server]\ncommand = ["/usr/sbin/vsftpd", "/etc/vsftpd.conf"]\nline_bytes = 8000\n[limits]\nline_bytes = 8000\n'
    )
    found = machine.safetpd("doctor", code=1)
    assert "TROUBLE  [server] line_bytes" in found and "line_bytes = 4092" in found
