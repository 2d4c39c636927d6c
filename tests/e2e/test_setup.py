"""`safetpd setup`: on scratch roots with Debian's own files, and live on a machine made of namespaces, with a real inetd, tcpd and
ftpd, and a stranger on the wire."""

import itertools
import ssl
import subprocess

import pytest

from support.client import FtpClient
from support.ftpds import PASSWORD, USER
from support.gateway import binary
from support.live_machine import SERVER, STRANGER, LiveMachine
from support.scratch_root import ScratchRoot

pytestmark = pytest.mark.unsanitized  # whole machines: their programs' modules are tested sanitized, one by one

PACKAGES = {
    "vsftpd": ["vsftpd"],
    "proftpd": ["proftpd"],
    "pure-ftpd": ["pure-ftpd"],
    "pure-ftpd from inetd": ["pure-ftpd-inetd"],
    "inetutils-ftpd": ["inetutils-ftpd"],
    "three of them": ["vsftpd", "proftpd", "inetutils-ftpd"],
}


def set_up(root, *options, code=0):
    result = subprocess.run([binary(), "setup", "--root", root.path, *options], capture_output=True, text=True, timeout=60)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def doctor(root):
    return subprocess.run([binary(), "doctor", "--root", root.path], capture_output=True, text=True, timeout=60)


@pytest.fixture
def install(directory):
    def make(*packages):
        return ScratchRoot(directory / "root", *packages)

    return make


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("backend", ["started", "inetd", "systemd"])
def test_every_backend_on_debians_files(install, name, backend):
    """Shown, applied, nothing left to do, no way round, undone to the byte: for each ftpd as Debian installs it."""
    root = install(*PACKAGES[name])
    if backend == "inetd" and not (root.path / "usr/sbin/inetd").exists():
        assert "there is no inetd" in set_up(root, "--backend", backend, code=1)
        root.install_inetd()
    before = root.snapshot()
    assert doctor(root).returncode == 1, "as installed there is a way: the ftpd itself"

    shown = set_up(root, "--backend", backend)
    assert "+++ /etc/" in shown and "Nothing was changed" in shown
    assert root.snapshot() == before

    applied = set_up(root, "--backend", backend, "--apply")
    assert shown.split("\nNothing was changed")[0] in applied, "what was shown is what was done"
    assert "Nothing to do" in set_up(root, "--backend", backend, "--apply")
    found = doctor(root)
    assert found.returncode == 0, found.stdout

    set_up(root, "--undo")
    assert root.snapshot() == before
    assert "Nothing to undo" in set_up(root, "--undo")


def test_the_diff_is_one_that_patch_takes(install, directory):
    root = install("inetutils-ftpd")
    shown = set_up(root, "--backend", "inetd")
    copy = directory / "copy"
    subprocess.run(["cp", "-a", root.path, copy], check=True)
    (copy / "etc/safetp").mkdir()
    diff = shown[shown.index("--- ") : shown.index("\nNothing was changed")]
    diff = diff.replace("--- /etc", f"--- {copy}/etc").replace("+++ /etc", f"+++ {copy}/etc")
    subprocess.run(["git", "apply", "--unsafe-paths", "--directory=/", "-p1"], input=diff + "\n", text=True, cwd="/", check=True)
    set_up(root, "--backend", "inetd", "--apply")
    for name in ("etc/services", "etc/inetd.conf", "etc/hosts.allow", "etc/hosts.deny", "etc/safetp/safetpd.toml"):
        assert (copy / name).read_bytes() == (root.path / name).read_bytes(), name


def test_an_edited_file_is_not_overwritten(install):
    root = install("inetutils-ftpd")
    before = root.snapshot()
    set_up(root, "--backend", "inetd", "--apply")
    root.write("etc/inetd.conf", root.read("etc/inetd.conf") + "# mine\n")
    applied = root.snapshot()
    assert "changed since setup" in set_up(root, "--undo", code=1)
    assert root.snapshot() == applied, "nothing was touched"
    said = set_up(root, "--undo", "--force")
    kept = next(line.split(": ")[1] for line in said.splitlines() if line.startswith("a version that was changed"))
    assert "# mine" in root.read(kept.lstrip("/"))
    after = {name: value for name, value in root.snapshot().items() if not name.startswith("var")}
    assert after == {name: value for name, value in before.items() if not name.startswith("var")}


# Ends the program at the KILL_AT-th call by which it changes the disk.
KILLER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static void count(void)
{
    static int left = 0;
    if (left == 0)
        left = atoi(getenv("KILL_AT"));
    if (--left == 0)
        kill(getpid(), SIGKILL);
}
#define WRAP(name, parameters, arguments) \
    int name parameters { count(); return ((int (*) parameters)dlsym(RTLD_NEXT, #name)) arguments; }
WRAP(fsync, (int fd), (fd))
WRAP(mkdir, (const char* path, mode_t mode), (path, mode))
WRAP(mkdirat, (int at, const char* path, mode_t mode), (at, path, mode))
WRAP(rename, (const char* from, const char* to), (from, to))
WRAP(renameat, (int at, const char* from, int there, const char* to), (at, from, there, to))
WRAP(rmdir, (const char* path), (path))
WRAP(unlink, (const char* path), (path))
WRAP(unlinkat, (int at, const char* path, int flags), (at, path, flags))
"""


def compiled(directory, source: str):
    """A library to be preloaded."""
    library = directory / "preloaded.so"
    compiler = ["g++", "-x", "c", "-shared", "-fPIC", "-o", library, "-"]
    subprocess.run(compiler, input=source, text=True, check=True)
    return library


@pytest.fixture
def killed_at(directory):
    """killed_at(7, root, options...) -> whether it was killed, or was done before."""
    library = compiled(directory, KILLER)

    def run(at: int, root, *options) -> bool:
        command = ["env", f"LD_PRELOAD={library}", f"KILL_AT={at}", binary(), "setup", "--root", root.path, *options]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode in (0, -9), result.stdout + result.stderr
        return result.returncode == -9

    return run


def test_killed_anywhere(install, killed_at):
    """KILL at any moment of an apply, and of an undo: the next undo puts back whatever is not yet as it was, and leaves nothing,
    no folder either."""
    root = install("vsftpd", "inetutils-ftpd")
    before = root.snapshot()
    kills = itertools.count(1, 2)
    while killed_at(next(kills), root, "--backend", "inetd", "--apply"):
        set_up(root, "--undo")
        assert root.snapshot() == before
    assert root.snapshot() != before
    kills = itertools.count(1, 2)
    while killed_at(next(kills), root, "--undo"):
        set_up(root, "--undo")
        assert root.snapshot() == before
        set_up(root, "--backend", "inetd", "--apply")
    assert root.snapshot() == before


def test_what_was_put_into_its_folders_meanwhile_stays(install):
    """safetpd keeps its key in /var/lib/safetp, which setup may have made: an undo takes away what is setup's alone."""
    root = install("vsftpd")
    set_up(root, "--apply")
    root.write("var/lib/safetp/key.pem", "a key")
    root.write("etc/safetp/other", "of the administrator's")
    set_up(root, "--undo")
    assert root.read("var/lib/safetp/key.pem") == "a key" and root.read("etc/safetp/other")
    assert [path.name for path in (root.path / "var/lib/safetp").iterdir()] == ["key.pem"]


@pytest.mark.parametrize("backend", ["started", "inetd", "systemd"])
def test_undo_says_what_to_run(install, backend):
    """What apply had switched off is to be switched on again, and the front door off, first, since it has the port."""
    root = install("vsftpd", "inetutils-ftpd")
    set_up(root, "--backend", backend, "--apply")
    said = set_up(root, "--undo")
    commands = [line.strip() for line in said[said.index("now run:") :].splitlines()[1:]]
    assert commands[0] == "systemctl disable --now safetpd.service"
    assert commands[-2:] == ["systemctl enable vsftpd.service", "systemctl start vsftpd.service"]
    assert "systemctl reload-or-restart inetd.service" in commands
    assert ("systemctl disable --now raw-ftp.socket" in commands) == (backend == "systemd")


def test_undo_says_when_there_is_nothing_to_run(install):
    """Only the access tables were changed: whoever reads them reads them each time."""
    root = install("inetutils-ftpd")
    root.write("usr/local/sbin/safetpd", "").chmod(0o755)
    root.write(
        "etc/inetd.conf",
        "ftp stream tcp nowait root /usr/local/sbin/safetpd safetpd -s\n"
        "raw-ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/in.ftpd\n",
    )
    root.write("etc/services", "ftp 21/tcp\nraw-ftp 351/tcp\n")
    assert "nothing is to be run" not in set_up(root, "--backend", "inetd", "--apply")
    said = set_up(root, "--undo")
    assert "put back: /etc/hosts.allow" in said or "removed: /etc/hosts.allow" in said
    assert "nothing is to be run" in said and "now run" not in said


def test_undo_leaves_a_front_door_that_was_there(install):
    root = install("vsftpd")
    root.write("lib/systemd/system/safetpd.service", "[Service]\nExecStart=/usr/local/sbin/safetpd\n")
    root.link("etc/systemd/system/multi-user.target.wants/safetpd.service", "/lib/systemd/system/safetpd.service")
    assert "systemctl enable safetpd.service" not in set_up(root, "--apply")
    said = set_up(root, "--undo")
    assert "systemctl restart safetpd.service" in said and "disable" not in said


# Puts a link to somewhere else in the place of a folder of the root's, at the SWAP_AT-th call by which setup changes the disk.
SWAPPER = KILLER.replace("kill(getpid(), SIGKILL)", "swap()").replace('"KILL_AT"', '"SWAP_AT"').replace(
    "static void count(void)",
    """#include <stdio.h>
#include <stdarg.h>
#include <fcntl.h>
#include <sys/syscall.h>
static void swap(void)
{
    static int is_done = 0;
    const char* folder = getenv("SWAPPED");
    char away[4096];
    if (is_done++)
        return;
    snprintf(away, sizeof away, "%s.away", folder);
    if (syscall(SYS_rename, folder, away) != 0 || syscall(SYS_symlink, getenv("ELSEWHERE"), folder) != 0)
        _exit(99);
}
static void count(void)""",
) + """
WRAP(mkostemp, (char* path, int flags), (path, flags))
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
int openat(int at, const char* path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, int);
    va_end(more);
    count();
    return syscall(SYS_openat, at, path, flags, mode);
}
"""


@pytest.mark.parametrize("folder", ["etc", "var/lib"])
def test_whoever_owns_the_root_leads_nobody_out_of_it(directory, folder):
    """A link in the place of a folder, put there at each moment at which setup is about to change something: what it leads to
    is not touched."""
    library = compiled(directory, SWAPPER)
    for at in itertools.count(1, 3):
        root = ScratchRoot(directory / f"root-{at}", "vsftpd", "inetutils-ftpd")
        (root.path / "var/lib").mkdir(parents=True)
        elsewhere = ScratchRoot(directory / f"elsewhere-{at}", "vsftpd", "inetutils-ftpd")
        (elsewhere.path / "var/lib").mkdir(parents=True)
        before = elsewhere.snapshot()
        setting = {"SWAP_AT": at, "SWAPPED": root.path / folder, "ELSEWHERE": elsewhere.path / folder, "LD_PRELOAD": library}
        command = ["env", *(f"{name}={value}" for name, value in setting.items())]
        command += [binary(), "setup", "--root", root.path, "--backend", "inetd", "--apply"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode in (0, 1), result.stdout + result.stderr
        assert elsewhere.snapshot() == before, at
        if not (root.path / folder).is_symlink():
            break
    assert at > 30, "the folder was swapped at many moments"


def test_links_that_are_there_lead_within_the_root(install, directory):
    """Absolute ones, and those that climb: as for a process that is locked in there."""
    root = install("inetutils-ftpd")
    outside = ScratchRoot(directory / "outside", "inetutils-ftpd")
    before = outside.snapshot()
    (root.path / "etc/inetd.conf").rename(root.path / "inetd.real")
    root.link("etc/inetd.conf", "../../../../../../../../inetd.real")
    (root.path / "etc/hosts.allow").unlink()
    root.link("etc/hosts.allow", str(outside.path / "etc/hosts.allow"))
    assert "does not exist" in set_up(root, "--backend", "inetd", "--apply", code=1)
    set_up(root, "--apply")
    assert "#<off># ftp" in root.read("inetd.real")
    assert outside.snapshot() == before


def test_an_existing_configuration_keeps_its_other_keys(install):
    root = install("vsftpd")
    text = '[[listener]]\nport = 2121 # ours\n\n[server]\naddress = "127.0.0.1"\nport = 351\n\n[log]\nformat = "json"\n'
    root.write("etc/safetp/safetpd.toml", text)
    set_up(root, "--apply")
    after = root.read("etc/safetp/safetpd.toml")
    assert "port = 2121 # ours" in after and 'format = "json"' in after
    assert '\ncommand = ["/usr/sbin/vsftpd", "/etc/vsftpd.conf"]' in after
    assert '\n#address = "127.0.0.1"' in after and "\n#port = 351" in after


def test_links_are_followed_or_refused(install):
    root = install("inetutils-ftpd")
    (root.path / "srv").mkdir()
    (root.path / "etc/inetd.conf").rename(root.path / "srv/inetd.conf")
    root.link("etc/inetd.conf", "/srv/inetd.conf")
    before = root.snapshot()
    set_up(root, "--apply")
    assert (root.path / "etc/inetd.conf").is_symlink()
    assert "#<off># ftp" in root.read("srv/inetd.conf")
    set_up(root, "--undo")
    assert root.snapshot() == before

    (root.path / "srv/inetd.conf").unlink()
    root.link("etc/hosts.extra", "nowhere")
    (root.path / "etc/hosts.allow").unlink()
    root.link("etc/hosts.allow", "nowhere")
    root.link("srv/inetd.conf", "inetd.conf")
    assert set_up(root, "--backend", "inetd", code=1)


def test_without_rights(install):
    root = install("inetutils-ftpd")
    before = root.snapshot()
    result = subprocess.run(
        [binary(), "setup", "--root", root.path, "--apply"], capture_output=True, text=True, timeout=60, user=65534, group=65534
    )
    assert result.returncode == 77, result.stdout + result.stderr
    assert "Permission denied" in result.stderr
    assert root.snapshot() == before


@pytest.mark.parametrize("options", [["--backend", "cron"], ["--root", "/nonexistent"], ["--apply", "--undo"], ["--force"]])
def test_usage(options):
    result = subprocess.run([binary(), "setup", *options], capture_output=True, text=True, timeout=60)
    assert result.returncode == 64, result.stderr


# -- live ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(directory):
    made = LiveMachine(directory / "live")
    yield made
    made.close()


def any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def transfer_through_the_gateway(machine):
    with machine.client_network.entered():
        client = FtpClient(21, SERVER, STRANGER).greet().auth(any_certificate()).login(USER, PASSWORD).protect()
        client.expect("TYPE I", 200)
        client.upload("STOR through", b"content")
        assert client.download("RETR through") == b"content"
        client.quit()


def test_live_classic(machine):
    """Before: a stranger reaches the ftpd. Applied: inetd is told, the stranger is refused on the raw port and served, under TLS,
    on the other, and doctor finds nothing. Undone: every file as it was, and the stranger is where he was."""
    machine.start_inetd("ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd /etc/vsftpd.conf\n")
    before = machine.snapshot()
    assert machine.greeting(21).startswith("220")
    found = machine.safetpd("doctor", code=1)
    assert "WAY ROUND  /etc/inetd.conf:1" in found and f"{SERVER}:21 greets: 220" in found

    assert "greets" not in machine.safetpd("doctor", "--no-connect", code=1)

    said = machine.safetpd("setup", "--backend", "inetd", "--apply")
    assert "was told to read its configuration again" in said
    machine.wait_for_port(351)
    machine.wait_for_no_port(21)
    assert machine.greeting(351) == "", "tcpd closes without a word"
    machine.start_safetpd()
    transfer_through_the_gateway(machine)
    found = machine.safetpd("doctor")
    assert "Answer: none was found." in found
    assert f"{SERVER}:351 greets: 220" in found, "this machine itself gets through, as the gateway must"

    machine.stop_safetpd()
    machine.safetpd("setup", "--undo")
    assert machine.snapshot() == before
    machine.wait_for_port(21)
    assert machine.greeting(21).startswith("220")


def test_live_localhost_alone_is_not_enough(machine):
    """The old manual's warning, seen by doctor: with 127.0.0.1 alone in hosts.allow the gateway itself is refused."""
    machine.write("services", machine.read("services") + "raw-ftp 351/tcp\n")
    machine.write("hosts.allow", "vsftpd : 127.0.0.1\n")
    machine.write("hosts.deny", "vsftpd : ALL\n")
    machine.start_inetd("raw-ftp stream tcp nowait root /usr/sbin/tcpd vsftpd /etc/vsftpd.conf\n")
    machine.wait_for_port(351)
    machine.start_safetpd("[server]\n")
    found = machine.safetpd("doctor", code=1)
    assert "TROUBLE  /etc/inetd.conf:1" in found and f"refused on ::1, {SERVER}" in found
    assert f"TROUBLE  the front door, {SERVER}:21" in found and "127.0.0.1:21, is open" in found
    rule = next(line.strip() for line in found.splitlines() if line.strip().startswith("vsftpd : 127.0.0.1 "))
    machine.write("hosts.allow", rule + "\n")
    assert "TROUBLE" not in machine.safetpd("doctor")
    transfer_through_the_gateway(machine)


def test_live_started_per_session(machine):
    """The recommended backend: after it no port of the raw ftpd's is left."""
    machine.start_inetd("ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd /etc/vsftpd.conf\n")
    before = machine.snapshot()
    machine.safetpd("setup", "--apply")
    machine.wait_for_no_port(21)
    machine.start_safetpd()
    transfer_through_the_gateway(machine)
    assert "Answer: none was found." in machine.safetpd("doctor")
    machine.stop_safetpd()
    machine.safetpd("setup", "--undo")
    assert machine.snapshot() == before


def test_live_the_classic_layout_keeps_its_front_door(machine):
    """inetd starts `safetpd -s` on the FTP port and the raw ftpd through tcpd: setup changes who starts the raw ftpd, and nothing
    else. No service is to be started that would want inetd's port."""
    machine.write("services", machine.read("services") + "raw-ftp 351/tcp\n")
    machine.write("hosts.deny", "vsftpd : ALL\n")
    machine.start_inetd(
        f"ftp stream tcp nowait root {binary()} safetpd -s\n"
        "raw-ftp stream tcp nowait root /usr/sbin/tcpd vsftpd /etc/vsftpd.conf\n"
    )
    found = machine.safetpd("doctor", code=1)
    rule = next(line.strip() for line in found.splitlines() if line.strip().startswith("vsftpd : 127.0.0.1 "))
    machine.write("hosts.allow", rule + "\n")
    transfer_through_the_gateway(machine)
    found = machine.safetpd("doctor")
    assert "WAY ROUND" not in found and f"{SERVER}:21, is open" in found
    before = machine.snapshot()

    said = machine.safetpd("setup", "--apply")
    assert "the front door stays as it is: /etc/inetd.conf:1" in said
    assert "safetpd.service" not in said
    machine.wait_for_no_port(351)
    transfer_through_the_gateway(machine)
    assert "Answer: none was found.\n" in machine.safetpd("doctor")
    assert "Nothing to do" in machine.safetpd("setup", "--apply")

    assert "safetpd.service" not in machine.safetpd("setup", "--undo")
    assert {name: value for name, value in machine.snapshot().items()} == before
    machine.wait_for_port(351)
    transfer_through_the_gateway(machine)


def test_live_a_raw_ftpd_that_insists_on_tls_of_its_own(machine, certificate):
    """Nobody can log in through the front door: doctor hears it there, check reads it, setup takes it back."""
    pem = certificate.certificate.read_text() + certificate.key.read_text()
    machine.write("vsftpd.pem", pem)
    machine.write("vsftpd.conf", machine.read("vsftpd.conf") + "ssl_enable=YES\nrsa_cert_file=/etc/vsftpd.pem\n")
    machine.start_safetpd('[server]\ncommand = ["/usr/sbin/vsftpd", "/etc/vsftpd.conf"]\n')
    found = machine.safetpd("doctor", code=1)
    assert "TROUBLE  /etc/vsftpd.conf:" in found and "insists on TLS of its own" in found
    assert f"TROUBLE  the front door, {SERVER}:21" in found and "530 Non-anonymous sessions must use encryption" in found
    assert "Answer: none was found, but the front door does not work" in found
    assert "vsftpd.conf:" in machine.safetpd("check") and "nobody can log in" in machine.safetpd("check")

    assert "insist on TLS of its own" in machine.safetpd("setup", "--apply")
    assert "ssl_enable=NO" in machine.read("vsftpd.conf")
    found = machine.safetpd("doctor")
    assert "331 " in found and "Answer: none was found.\n" in found
    assert "nobody can log in" not in machine.safetpd("check")
    transfer_through_the_gateway(machine)


def test_live_a_forgotten_server(machine):
    """A vsftpd that somebody started by hand on a port that no file names, and an inetd that missed its HUP."""
    machine.start_inetd("ftp stream tcp nowait root /usr/sbin/vsftpd vsftpd /etc/vsftpd.conf\n")
    machine.write("inetd.conf", "# nothing\n")
    assert "it has not read it since the last change" in machine.safetpd("doctor", code=1)
    machine.write("by-hand.conf", machine.read("vsftpd.conf").replace("listen=NO", "listen=YES") + "listen_port=2100\n")
    machine.start_by_hand("/usr/sbin/vsftpd", "/etc/by-hand.conf")
    machine.wait_for_port(2100)
    found = machine.safetpd("doctor", code=1)
    assert "port 2100" in found and "Answer: yes, 2 of them." in found
