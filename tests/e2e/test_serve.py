"""`safetpd serve DIR`: a folder shared at once, without configuration and without a raw port, by an ordinary user."""

import os
import re
import shlex
import subprocess
import time

import pytest

from support import ports
from support.ftpds import ftpds_directory, hand_over, identity, make_home
from support.gateway import binary


def read_screen(process, path) -> str:
    """What serve prints; it is whole when the log's first line follows."""
    for _ in range(600):
        text = path.read_text()
        if "safetpd started" in text:
            return text
        assert process.poll() is None, text
        time.sleep(0.05)
    raise AssertionError(text)


@pytest.fixture
def serve(directory):
    """serve(PROGRAM): starts it for one ftpd by its path, gives the folder, the port and the screen, and stops it by TERM."""
    started = []

    def start(ftpd):
        home = make_home(directory)
        folder = home / "shared"
        folder.mkdir()
        hand_over(folder)
        (folder / "there").write_text("was there")
        leased = ports.lease()
        port = leased[0]
        screen = directory / "screen"
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
        with open(screen, "wb") as output:
            process = subprocess.Popen(
                [binary(), "serve", folder, "--ftpd", ftpd, "--port", str(port)], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env=environment, user=identity()[0], group=identity()[1], cwd=home,
            )
        started.append((process, leased))
        return folder, port, read_screen(process, screen)

    yield start
    for process, leased in started:
        process.terminate()
        assert process.wait(30) == 0
        ports.release(leased)


@pytest.mark.parametrize("name", ["proftpd", "vsftpd"])
def test_the_printed_command_works(serve, directory, name):
    """Guards against a screen whose commands fail when they are pasted, and against a folder that cannot be written."""
    folder, port, screen = serve(ftpds_directory() / "bin" / name)
    assert f"127.0.0.1:{port}" in screen and re.search(r"SHA-256 (\w\w:){31}\w\w", screen)
    command = shlex.split(re.search(r"^\s*(curl .*)$", screen, re.MULTILINE)[1])
    run = {"capture_output": True, "timeout": 60}
    assert b"there" in subprocess.run([*command, "-sS"], check=True, **run).stdout
    url = command[-1]
    (directory / "new").write_bytes(b"content")
    subprocess.run([*command[:-1], "-sS", "-T", directory / "new", url], check=True, **run)
    assert (folder / "new").read_bytes() == b"content"
    without_tls = [part for part in command if part != "--ssl-reqd"]
    assert subprocess.run([*without_tls, "-sS"], **run).returncode == 67, "a login in the clear"


def test_an_ftpd_that_is_not_there(directory):
    """The message says how to get one, or that the path is wrong."""
    result = subprocess.run(
        [binary(), "serve", directory, "--ftpd", "/nonexistent/ftpd"], capture_output=True, text=True, timeout=30
    )
    assert result.returncode not in (0, 1) and "/nonexistent/ftpd" in result.stderr


def test_it_takes_no_place_that_others_may_change(directory):
    """su and sudo -E hand on XDG_RUNTIME_DIR: its owner could swap the scratch folder, and the ftpd would run as root with his
    configuration."""
    theirs = directory / "runtime"
    theirs.mkdir()
    theirs.chmod(0o777)
    if os.getuid() == 0:
        theirs.chmod(0o700)
        os.chown(theirs, *identity())
    folder = directory / "shared"
    folder.mkdir()
    leased = ports.lease()
    screen = directory / "screen"
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(theirs)}
    with open(screen, "wb") as output:
        process = subprocess.Popen(
            [binary(), "serve", folder, "--ftpd", ftpds_directory() / "bin" / "proftpd", "--port", str(leased[0])],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
        )
    try:
        read_screen(process, screen)
        assert list(theirs.iterdir()) == []
    finally:
        process.terminate()
        process.wait(30)
        ports.release(leased)


def test_an_ftpd_that_somebody_else_could_put_there(directory):
    """Guards against root that runs a program from a folder that everybody may write to."""
    everybodys = directory / "open"
    everybodys.mkdir()
    everybodys.chmod(0o777)
    program = everybodys / "vsftpd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    result = subprocess.run([binary(), "serve", directory, "--ftpd", program], capture_output=True, text=True, timeout=30)
    assert result.returncode == 78 and "open may be written by everybody" in result.stderr
