"""safetp run: unmodified programs, dynamic and static, whose FTP connections go through TLS, and nothing else of them."""

import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support import ftpds
from support.client import SAFETY_NET
from support.safetp import Safetp
from support.watched import python, words

CONTENT = random.Random("run").randbytes(300_000)
LOGIN = f"{ftpds.USER}:{ftpds.PASSWORD}"


@pytest.fixture
def inetd(start_tls_server):
    """A vsftpd that lets nobody log in without TLS."""
    inetd = start_tls_server("vsftpd")
    inetd.server.put("orders", CONTENT)
    return inetd


@pytest.fixture
def run(directory):
    return Safetp(directory / "run")


def fetched(run: Safetp, name: str = "orders") -> bytes:
    return (run.directory / name).read_bytes()


TRANSFER = """
    import ftplib, io, sys
    host, port, user, password, passive = sys.argv[1:]
    ftp = ftplib.FTP()
    ftp.connect(host, int(port), timeout=30)
    ftp.login(user, password)
    ftp.set_pasv(passive == "passive")
    got = io.BytesIO()
    ftp.retrbinary("RETR orders", got.write)
    ftp.storbinary("STOR sent", io.BytesIO(got.getvalue()))
    assert "orders" in ftp.nlst()
    ftp.quit()
"""


def transfer(inetd, host: str, mode: str = "passive") -> list[str]:
    return python(TRANSFER, host, inetd.port, ftpds.USER, ftpds.PASSWORD, mode)


# ---- programs


@pytest.mark.parametrize("mode", ["passive", "active"])
def test_python(inetd, run, mode):
    """A socket that does not block while it connects; both kinds of data connections. The server's log saw TLS, or no login."""
    run.run(*words(inetd, *transfer(inetd, "127.0.0.1", mode))).expect(0)
    assert (inetd.server.home / "sent").read_bytes() == CONTENT
    assert [line[0] for line in run.lines()] == [f"127.0.0.1:{inetd.port}"]


def test_without_us_it_fails(inetd):
    """What the other tests stand on: the same program alone does not get in."""
    alone = subprocess.run(transfer(inetd, "127.0.0.1"), capture_output=True, timeout=SAFETY_NET, check=False)
    assert alone.returncode != 0 and b"530" in alone.stderr, alone.stderr


@pytest.mark.parametrize("mode", ["", "-A"])
def test_tnftp(inetd, run, mode):
    script = f"open localhost {inetd.port}\nuser {ftpds.USER} {ftpds.PASSWORD}\nbinary\nget orders\nput orders sent\nbye\n"
    command = ["tnftp", "-n", "-v", *mode.split()]
    done = run.run(*words(inetd, *command), input=script.encode()).expect(0)
    assert fetched(run) == CONTENT and (inetd.server.home / "sent").read_bytes() == CONTENT, done


@pytest.mark.parametrize("mode", [["--disable-epsv"], [], ["-P", "-"]])
def test_curl(inetd, run, mode):
    """And the name in the URL is what the key is remembered under."""
    url = f"ftp://localhost:{inetd.port}/orders"
    run.run(*words(inetd, "curl", "-sS", "-4", *mode, "-u", LOGIN, "-o", "orders", url)).expect(0)
    assert fetched(run) == CONTENT
    assert [line[0] for line in run.lines()] == [f"localhost:{inetd.port}"]


@pytest.mark.parametrize("settings", ["set ftp:ssl-allow no", "set ssl:verify-certificate no"])
def test_lftp(inetd, run, settings):
    """In plain text, and with AUTH of its own, in which it is left alone (it does not trust the test's certificate)."""
    open_it = f"open -u {ftpds.USER},{ftpds.PASSWORD} -p {inetd.port} 127.0.0.1"
    run.run_lftp(*words(inetd, "lftp", "-e", f"set net:max-retries 1; {settings}; {open_it}; get orders; bye")).expect(0)
    assert fetched(run) == CONTENT


def test_script(inetd, run):
    """A shell, two clients of it at once, and what comes of their exit codes."""
    curl = f"curl -sS -u {shlex.quote(LOGIN)} ftp://127.0.0.1:{inetd.port}/orders"
    script = f"{curl} -o one & {curl} -o two && wait $! && exit 7"
    run.run(*words(inetd, "sh", "-c", script)).expect(7)
    assert fetched(run, "one") == CONTENT and fetched(run, "two") == CONTENT


STATIC_PROGRAM = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char** words)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (count != 4 || connect(fd, (struct sockaddr*)&to, sizeof to) != 0)
        return 1;
    FILE* in = fdopen(fd, "r");
    char line[512];
    for (int step = 0; fgets(line, sizeof line, in) != NULL; ++step) {
        fputs(line, stdout);
        if (step == 0)
            dprintf(fd, "USER %s\r\n", words[2]);
        else if (step == 1)
            dprintf(fd, "PASS %s\r\n", words[3]);
        else
            return strncmp(line, "230", 3) != 0;
    }
    return 1;
}
"""


@pytest.mark.parametrize("kind", [["-static"], []])
def test_compiled_program(inetd, run, kind):
    """No library of ours or the system's is there to be replaced, and the socket blocks."""
    source = run.directory / "login.c"
    source.write_text(STATIC_PROGRAM)
    subprocess.run(["gcc", *kind, "-o", run.directory / "login", source], check=True)
    done = run.run(*words(inetd, "./login", inetd.port, ftpds.USER, ftpds.PASSWORD)).expect(0)
    assert b"230" in done.out


@pytest.fixture(scope="module")
def unpacked():
    """Programs of Debian's that nobody has to install."""
    place = ftpds.ftpds_directory()
    fetch = Path(__file__).resolve().parents[2] / "scripts" / "fetch-ftpds"
    subprocess.run([fetch, place, "busybox-static", "ncftp", "inetutils-ftp"], check=True)
    return place / "root"


def test_busybox(inetd, run, unpacked):
    """A static program that others use."""
    login = ["-P", inetd.port, "-u", ftpds.USER, "-p", ftpds.PASSWORD, "127.0.0.1"]
    run.run(*words(inetd, unpacked / "bin/busybox", "ftpget", *login, "orders")).expect(0)
    assert fetched(run) == CONTENT
    run.run(*words(inetd, unpacked / "bin/busybox", "ftpput", *login, "sent", "orders")).expect(0)
    assert (inetd.server.home / "sent").read_bytes() == CONTENT


@pytest.mark.parametrize("mode", ["-E", "-F"])
def test_ncftp(inetd, run, unpacked, mode):
    """Active and passive."""
    login = ["-P", inetd.port, "-u", ftpds.USER, "-p", ftpds.PASSWORD]
    run.run(*words(inetd, unpacked / "usr/bin/ncftpget", mode, *login, "127.0.0.1", ".", "orders")).expect(0)
    assert fetched(run) == CONTENT


@pytest.mark.parametrize("mode", [[], ["-p"]])
def test_inetutils(inetd, run, unpacked, mode):
    script = f"open 127.0.0.1 {inetd.port}\nuser {ftpds.USER} {ftpds.PASSWORD}\nbinary\nget orders\nput orders sent\nbye\n"
    run.run(*words(inetd, unpacked / "usr/bin/inetutils-ftp", "-n", *mode), input=script.encode()).expect(0)
    assert fetched(run) == CONTENT and (inetd.server.home / "sent").read_bytes() == CONTENT


def test_threads_and_epoll(inetd, run):
    """A thread that is not the process's first; and a socket that is in an epoll set before it is connected, as event loops do."""
    code = """
        import selectors, socket, sys, threading
        def talk(seen):
            selector, s = selectors.EpollSelector(), socket.socket()
            s.setblocking(False)
            selector.register(s, selectors.EVENT_WRITE)
            number = s.fileno()
            s.connect_ex(("127.0.0.1", int(sys.argv[1])))
            while not selector.select(30) or s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                pass
            selector.modify(s, selectors.EVENT_READ)
            assert selector.select(30) and s.recv(3) == b"220" and s.fileno() == number and not s.getblocking()
            seen.append(1)
        seen = []
        threads = [threading.Thread(target=talk, args=(seen,)) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        sys.exit(len(seen) != 4)
    """
    run.run(*words(inetd, *python(code, inetd.port))).expect(0)


@pytest.mark.parametrize("mode", ["passive", "active"])
def test_ipv6(start_tls_server, run, mode):
    """The program sees IPv6 at both ends, as it expects."""
    inetd = start_tls_server("vsftpd", address="::1")
    inetd.server.put("orders", CONTENT)
    run.run(*words(inetd, *transfer(inetd, "::1", mode))).expect(0)
    assert (inetd.server.home / "sent").read_bytes() == CONTENT
    assert [line[0] for line in run.lines()] == [f"[::1]:{inetd.port}"]


# ---- which connections


def test_port_21_by_itself(run):
    """Nobody has to listen there: a reply in words comes from us, where the kernel alone would have refused."""
    code = """
        import socket
        print(socket.create_connection(("127.0.0.21", 21)).recv(1000).decode())
    """
    done = run.run("run", "--", *python(code)).expect(0)
    assert b"421 " in done.out and b"127.0.0.21" in done.out


def test_ports_that_are_known(inetd, run):
    """That of a URL in the command, and those of servers that were met before: nobody has to name them, and nothing goes in clear."""
    url = f"ftp://{LOGIN}@localhost:{inetd.port}/orders"
    run.run("run", "--", "curl", "-sS", "-4", "-o", "orders", url).expect(0)
    assert fetched(run) == CONTENT
    run.run("run", "--", *transfer(inetd, "127.0.0.1")).expect(0)


def test_others_are_untouched(run, tmp_path):
    """What is not FTP, UDP to an FTP port, a UNIX socket, a port where nobody is, a bad pointer: all as without us."""
    code = """
        import ctypes, errno, os, socket, sys
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        s.sendall(s.recv(100).upper())
        udp = socket.socket(type=socket.SOCK_DGRAM)
        udp.connect(("127.0.0.1", 21))
        assert udp.getpeername() == ("127.0.0.1", 21)
        u = socket.socket(socket.AF_UNIX)
        u.connect(sys.argv[2])
        s = socket.socket()
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        assert s.connect_ex(free.getsockname()) == errno.ECONNREFUSED
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.connect(s.fileno(), ctypes.c_void_p(1), 16) == -1 and ctypes.get_errno() == errno.EFAULT
        assert libc.connect(-1, ctypes.c_void_p(1), 16) == -1
    """
    listener = socket.create_server(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "s"))
    unix.listen()
    process = run.start("run", "--", *python(code, listener.getsockname()[1], tmp_path / "s"))
    listener.settimeout(SAFETY_NET)
    connection, _ = listener.accept()
    connection.sendall(b"words")
    assert connection.recv(100) == b"WORDS"
    _, err = process.communicate(timeout=SAFETY_NET)
    assert process.returncode == 0 and err.count(b"\n") == 1 and b"none of the command's connections was FTP" in err, err


def run_without_rights(run: Safetp, directory: Path, *arguments: str) -> subprocess.CompletedProcess:
    """As an ordinary user."""
    options = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    ftpds.hand_over(run.directory)
    everybodys = shutil.copy(run.command("run")[0], directory)  # the build's place may be ours alone
    command = [everybodys, "run", "--pins", str(run.pins), *arguments[1:]]
    return subprocess.run(
        command, cwd=run.directory, env=run.environment, capture_output=True, timeout=SAFETY_NET, check=False, **options
    )


def test_no_rights_are_needed(inetd, run, directory):
    """Also by whoever has come to another parent meanwhile."""
    done = run_without_rights(run, directory, *words(inetd, *transfer(inetd, "127.0.0.1")))
    assert done.returncode == 0, done
    assert (inetd.server.home / "sent").read_bytes() == CONTENT
    curl = f"curl -sS -u {shlex.quote(LOGIN)} ftp://127.0.0.1:{inetd.port}/orders -o orders"
    done = run_without_rights(run, directory, *words(inetd, "sh", "-c", f"({curl}) & exit 0"))
    assert done.returncode == 0 and fetched(run) == CONTENT, done


def test_who_cannot_be_looked_into_is_refused(inetd, run, directory):
    """Not knowing is no reason to let FTP go in clear. (Root may look into everybody.)"""
    code = """
        import ctypes, errno, os, socket, sys
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        error = socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1])))
        sys.exit(error)
    """
    done = run_without_rights(run, directory, *words(inetd, *python(code, inetd.port)))
    assert done.returncode == 13 and b"cannot be looked into" in done.stderr, done


# ---- whom it trusts


def test_refused_key(inetd, run):
    """The command's own output says it, ours too (many programs say no more than that it failed), and nothing was sent."""
    wrong = "SHA256:" + "A" * 43
    command = python(TRANSFER, "127.0.0.1", inetd.port, ftpds.USER, ftpds.PASSWORD, "passive")
    done = run.run(*words(inetd, *command, options=("--key", wrong)))
    assert done.code != 0 and "ftplib.error_temp: 421 " in done.err and "key" in done.err.split("421 ")[1], done
    curl = ["curl", "-sS", "-v", "-u", LOGIN, f"ftp://localhost:{inetd.port}/orders"]
    done = run.run(*words(inetd, *curl, options=("--key", wrong)))
    assert done.code != 0 and "< 421" in done.err and "> USER" not in done.err and run.lines() == [], done
    quiet = run.run(*words(inetd, *curl[:2], *curl[3:], options=("--key", wrong)))
    assert quiet.code != 0 and "key" in quiet.err, quiet


def test_known_name_counts_for_the_address(inetd, run):
    """A key that was noted under a name is not forgotten where a script goes to the address: no first use under the address."""
    run.pins.write_text(f"localhost:{inetd.port} SHA256:{'A' * 43} 2026-01-01T00:00:00Z by-hand - secure\n")
    run.pins.chmod(0o600)
    done = run.run(*words(inetd, *transfer(inetd, "127.0.0.1")))
    assert done.code != 0 and "421" in done.err, done
    assert [line[0] for line in run.lines()] == [f"localhost:{inetd.port}"]


def test_name_that_leads_elsewhere(start_tls_server, run):
    """Whoever forges the command's lookup and leaves ours alone does not get round the key of the server that the command names."""
    inetd = start_tls_server("vsftpd", address="127.0.0.2")
    run.pins.write_text(f"localhost:{inetd.port} SHA256:{'A' * 43} 2026-01-01T00:00:00Z by-hand - secure\n")
    run.pins.chmod(0o600)
    program = python("import ftplib, sys; ftplib.FTP().connect('127.0.0.' + '2', int(sys.argv[1]), 30)", inetd.port)
    done = run.run(*words(inetd, *program, f"ftp://localhost:{inetd.port}/"))
    assert done.code != 0 and "HAS CHANGED" in done.err, done
    run.run(*words(inetd, *program, f"ftp://localhost:{inetd.port}/", "127.0.0.2")).expect(0, "first time", "127.0.0.2")


def test_host(inetd, run):
    """The name is given where nobody could know it."""
    run.run(*words(inetd, *transfer(inetd, "127.0.0.1"), options=("--host", "FTP.example.com"))).expect(0)
    assert [line[0] for line in run.lines()] == [f"ftp.example.com:{inetd.port}"]


def test_policy_ca(inetd, run, authority):
    """Names count: the certificate is for localhost."""
    ca = ("--policy", "ca", "--ca", str(authority.root.certificate))
    curl = ["curl", "-sS", "-u", LOGIN, "-o", "orders", f"ftp://localhost:{inetd.port}/orders"]
    run.run(*words(inetd, *curl, options=ca)).expect(0)
    refused = run.run(*words(inetd, *curl, options=(*ca, "--host", "ftp.example.com")))
    assert refused.code != 0 and [line[0] for line in run.lines()] == [f"localhost:{inetd.port}"], refused


# ---- processes


def test_exit_codes(run):
    assert run.run("run", "--", "true").expect(0).err == ""
    run.run("run", "--", "sh", "-c", "exit 5").expect(5)
    run.run("run", "--", "sh", "-c", "kill -KILL $$").expect(128 + signal.SIGKILL)
    run.run("run", "--", "/no/such/program").expect(127, "/no/such/program", "No such file")
    run.run("run", "--", "/etc/passwd").expect(126, "/etc/passwd")
    run.run("run").expect(64, "no command")
    run.run("run", "--").expect(64, "no command")
    run.run("run", "--port", "0", "--", "true").expect(64)
    run.run("run", "--host", "a b", "--", "true").expect(64, "a b")
    run.run("run", "--", "safetp-no-such", "--help").expect(127)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_go_to_the_command(run, number):
    process = run.start("run", "--", "sh", "-c", f"trap 'exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.01; done")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    process.communicate(timeout=SAFETY_NET)
    assert process.returncode == 9


def test_command_is_as_it_would_be(run):
    """Its group, standard streams, open files and signals are those that it would have without us."""
    code = """
        import os, signal
        print(os.getpgid(0) == os.getpgid(os.getppid()), sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print(int(status["SigBlk"], 16))
    """
    done = run.run("run", "--", *python(code)).expect(0)
    assert done.out == b"True [0, 1, 2]\n0\n", done.out


def test_who_outlives_the_command_is_served(inetd, run):
    """A job in the background keeps its safe way, and safetp waits for it; the exit code is the command's."""
    curl = f"curl -sS -u {shlex.quote(LOGIN)} ftp://127.0.0.1:{inetd.port}/orders -o"
    script = f"(until [ -e go ]; do sleep 0.01; done; {curl} part && mv part orders) & exit 3"
    process = run.start(*words(inetd, "sh", "-c", script), stdout=subprocess.DEVNULL)
    time.sleep(0.1)  # most likely the shell has ended by now; the test holds also if it has not
    assert process.poll() is None
    (run.directory / "go").touch()
    _, err = process.communicate(timeout=SAFETY_NET)
    assert process.returncode == 3 and fetched(run) == CONTENT, err


def test_nothing_in_clear_without_us(inetd, run):
    """When safetp is killed, what it watches cannot connect at all."""
    code = """
        import socket, sys, time
        print("ready", flush=True)
        sys.stdin.readline()
        print(socket.socket().connect_ex(("127.0.0.1", int(sys.argv[1]))) != 0, flush=True)
    """
    process = run.start(*words(inetd, *python(code, inetd.port)), stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait(SAFETY_NET)
    out, _ = process.communicate(b"go\n", timeout=SAFETY_NET)
    assert out == b"True\n"


def test_verbose(inetd, run):
    """A server's key is shown when it is met for the first time. After that: silent by default, and able to say what it did."""
    first = run.run(*words(inetd, *transfer(inetd, "127.0.0.1"))).expect(0, "first time", run.lines()[0][1])
    assert len(first.err.splitlines()) == 1
    quiet = run.run(*words(inetd, *transfer(inetd, "127.0.0.1"))).expect(0)
    assert quiet.err == ""
    said = run.run(*words(inetd, *transfer(inetd, "127.0.0.1"), options=("-v",))).expect(0, "the command connects", "TLSv1.")
    assert ftpds.PASSWORD not in said.err


def test_run_in_run(run, inetd):
    """The kernel allows one watcher: said in words, and not silently without."""
    inner = run.command(*words(inetd, "true"))
    run.run("run", "--", *inner).expect(1, "watcher already")


def test_at_a_terminal(run):
    """Ctrl-C goes to the command, once, and safetp goes on; the terminal stays the command's."""
    code = """
        import os, signal, sys, time
        seen = []
        signal.signal(signal.SIGINT, lambda *_: seen.append(1))
        print("ready", os.isatty(0), os.tcgetpgrp(0) == os.getpgid(0), flush=True)
        while not seen:
            time.sleep(0.01)
        print("name:", flush=True)
        lines = [input(), input()]  # the first is what was typed behind Ctrl-C
        sys.exit(len(seen) + (lines[1] == "anna"))
    """
    code_seen, text = run.run_at_terminal("run", "--", *python(code), answers=[("ready True True", "\x03"), ("name:", "anna")])
    assert code_seen == 2, text


def in_shell(run, *words) -> list[str]:
    """A shell that a person has, with job control; ./job is the command under safetp run."""
    job = run.directory / "job"
    job.write_text(f"#!/bin/sh\nexec {shlex.join(run.command('run', '--', *words))}\n")
    job.chmod(0o755)
    (run.directory / "rc").write_text("set +o emacs; PS1='shell> '\n")
    return ["/bin/bash", "--noprofile", "--rcfile", str(run.directory / "rc"), "-i"]


def test_stopped_at_a_terminal(run):
    """Ctrl-Z: the command puts its terminal in order before the shell has it back, and fg goes on with both. Guards against a shell
    and a command that read the same terminal."""
    code = """
        import os, signal, sys, time
        def on_stop(*_):
            time.sleep(0.2)  # so long the shell must not have been told
            os.write(1, b"in order: %s\\n" % str(os.tcgetpgrp(0) == os.getpgid(0)).encode())
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            os.write(1, b"here again\\n")
        signal.signal(signal.SIGTSTP, on_stop)
        os.write(1, b"begun\\n")
        os.write(1, b"read:" + sys.stdin.readline().encode())
        sys.exit(7)
    """
    answers = [("shell> ", "./job"), ("begun", b"\x1a"), ("Stopped", "fg"), ("here again", "words"), ("read:words", "exit $?")]
    ended, seen = run.at_terminal(in_shell(run, *python(code)), answers)
    assert ended == 7 and seen.index("in order: True") < seen.index("Stopped"), seen


def test_not_stopped_at_a_terminal(run):
    """A command that minds no Ctrl-Z goes on, and keeps the terminal."""
    code = """
        import os, signal, sys
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        os.write(1, b"begun\\n")
        os.write(1, b"read:" + sys.stdin.readline().encode())
        sys.exit(7)
    """
    answers = [("shell> ", "./job"), ("begun", b"\x1awords\n"), ("read:words", "exit $?")]
    ended, seen = run.at_terminal(in_shell(run, *python(code)), answers)
    assert ended == 7 and "Stopped" not in seen, seen


def test_interrupted_script(run):
    """Ctrl-C ends a script that waits for us, as it does where the command stands there by itself."""
    shell = in_shell(run, *python("import os, signal; signal.signal(2, 0); os.write(1, b'begun\\n'); input()"))
    (run.directory / "script").write_text("for i in 1 2 3; do ./job; echo next$i; done\n")
    ended, seen = run.at_terminal(shell, [("shell> ", "bash script"), ("begun", b"\x03"), ("\nshell> ", "exit $?")])
    assert ended == 130 and "next1" not in seen, seen


def test_stopped_by_somebody_else(inetd, run):
    """SIGSTOP for the command alone, as a scheduler does it, is not our affair: others that it has started are served."""
    curl = f"curl -sS -u {shlex.quote(LOGIN)} ftp://127.0.0.1:{inetd.port}/orders -o part && mv part orders"
    process = run.start(*words(inetd, "sh", "-c", f"({curl}; kill -CONT $$) & kill -STOP $$; wait; exit 5"))
    process.communicate(timeout=SAFETY_NET)
    assert process.returncode == 5 and fetched(run) == CONTENT
