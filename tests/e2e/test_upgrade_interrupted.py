"""USR2 with other signals in between. The new program waits at a gate that the test opens, and the old one is stopped where it must
not be faster, so that each order of events is certain."""

import os
import shutil
import signal
import socket
import stat
import struct
import time
from pathlib import Path

import pytest

from support.gateway import binary
from test_upgrade import is_running, wait_until


class Gate:
    """In the place of the program: a script that becomes it once the gate is open."""

    def __init__(self, directory: Path):
        self.program = directory / "safetpd"
        self.opened, self.number, self.real = directory / "open", directory / "successor", directory / "real"
        shutil.copy(binary(), self.program)
        shutil.copy(binary(), self.real)

    def close(self) -> None:
        script = self.program.with_suffix(".new")
        script.write_text(
            f'#!/bin/sh\necho $$ >{self.number}.new && mv {self.number}.new {self.number}\n'
            f'until [ -e {self.opened} ]; do sleep 0.05; done\nexec {self.real} "$@"\n'
        )
        script.chmod(0o755)
        script.rename(self.program)

    def open(self) -> None:
        self.opened.touch()

    def waiting(self) -> int:
        """The process that stands before it."""
        wait_until(self.number.exists)
        return int(self.number.read_text())


@pytest.fixture
def gate(directory, monkeypatch):
    made = Gate(directory)
    monkeypatch.setenv("SAFETPD", str(made.program))
    return made


def ready_successor(gateway, gate) -> int:
    """A successor that is ready, while the old program stands still and knows nothing of it."""
    gate.close()
    gateway.process.send_signal(signal.SIGUSR2)
    successor = gate.waiting()
    gateway.process.send_signal(signal.SIGSTOP)
    begun = len(gateway.events("worker-start"))
    gate.open()
    wait_until(lambda: len(gateway.events("worker-start")) == begun + 2)
    return successor


def expect_nobody(gateway, pid_file=None) -> None:
    """Nothing of it lives, nothing listens, nothing is said to run."""
    wait_until(lambda: not gateway.leftovers())
    with pytest.raises(ConnectionRefusedError):
        gateway.connect()
    assert pid_file is None or not pid_file.exists()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_who_ends_the_program_ends_the_one_that_is_not_ready_yet(start_server, start_gateway, directory, gate, ending):
    """Guards against a stop after which the service runs on."""
    pid_file = directory / "safetpd.pid"
    gateway = start_gateway(start_server(), process={"pid_file": str(pid_file)})
    gate.close()
    gateway.process.send_signal(signal.SIGUSR2)
    gate.waiting()
    gateway.process.send_signal(ending)
    assert gateway.process.wait(60) == 0
    expect_nobody(gateway, pid_file)


def test_a_killed_program_leaves_no_successor(start_server, start_gateway, gate):
    """Which finds nobody there who could hand over to it."""
    gateway = start_gateway(start_server())
    gate.close()
    gateway.process.send_signal(signal.SIGUSR2)
    gate.waiting()
    gateway.process.kill()
    gateway.process.wait()
    gate.open()
    gateway.wait_for_log("so this one ends too")
    expect_nobody(gateway)


def test_a_stop_wins_over_a_successor_that_is_just_ready(start_server, start_gateway, directory, gate):
    """Both are there when the old program looks."""
    pid_file = directory / "safetpd.pid"
    gateway = start_gateway(start_server(), process={"pid_file": str(pid_file)})
    ready_successor(gateway, gate)
    assert int(pid_file.read_text()) == gateway.process.pid  # which is the one that is in charge
    gateway.process.terminate()
    gateway.process.send_signal(signal.SIGCONT)
    assert gateway.process.wait(60) == 0
    expect_nobody(gateway, pid_file)


@pytest.mark.parametrize("milliseconds", [0, 5, 10, 20, 40, 80, 160, 320, 640])
def test_a_stop_some_time_after_the_upgrade_began(start_server, start_gateway, directory, milliseconds):
    """Wherever it falls, it is a stop of the service."""
    pid_file = directory / "safetpd.pid"
    gateway = start_gateway(start_server(), process={"pid_file": str(pid_file)})
    idle = gateway.connect().greet()  # so that the old program does not end by itself
    gateway.process.send_signal(signal.SIGUSR2)
    time.sleep(milliseconds / 1000)
    gateway.process.terminate()
    assert gateway.process.wait(60) == 0
    idle.close()
    expect_nobody(gateway, pid_file)


def test_a_program_that_hangs_is_ended_and_the_next_upgrade_works(start_server, start_gateway, gate):
    """Guards against upgrades that are switched off by one that never came to an end, without a word."""
    gateway = start_gateway(start_server(), timeouts={"upgrade": "2s"})
    gate.close()
    gateway.process.send_signal(signal.SIGUSR2)
    hanging = gate.waiting()
    os.kill(hanging, signal.SIGSTOP)
    gateway.process.send_signal(signal.SIGUSR2)
    gateway.wait_for_log("the one before is still under way")
    gateway.wait_for_log("was not ready after 2 s and was ended")
    wait_until(lambda: not is_running(hanging))
    assert gateway.connect().reply().code == 220

    gate.number.unlink()
    gate.open()
    gateway.process.send_signal(signal.SIGUSR2)
    gateway.wait_for_log("the new program serves")
    os.kill(gate.waiting(), signal.SIGTERM)
    expect_nobody(gateway)


def test_a_reload_during_an_upgrade_is_not_lost(start_server, start_gateway, gate):
    """The new program has read the configuration before it was changed."""
    gateway = start_gateway(start_server(), greeting="before")
    successor = ready_successor(gateway, gate)
    gateway.change(greeting="after")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.process.send_signal(signal.SIGCONT)
    assert gateway.process.wait(60) == 0
    wait_until(lambda: gateway.connect().reply().text == "220 after")
    os.kill(successor, signal.SIGTERM)
    expect_nobody(gateway)


def test_a_stop_of_the_new_program_lets_transfers_of_the_old_one_end(start_server, start_gateway, tls, gate):
    """Guards against a service manager that takes the end of the new one for the end of all, and kills what is left."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"drain": "50s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR during-stop")
    data.send(b"one half, ")
    gate.close()
    gate.open()
    gateway.process.send_signal(signal.SIGUSR2)
    successor = gate.waiting()
    gateway.wait_for_log("the new program serves")
    os.kill(successor, signal.SIGTERM)
    wait_until(lambda: len(gateway.events("stop")) == 2)  # both are stopping
    data.send(b"the other half")
    assert is_running(successor) and gateway.process.poll() is None
    data.end()
    client.expect_reply(226)
    assert (server.server.home / "during-stop").read_bytes() == b"one half, the other half"
    assert gateway.process.wait(60) == 0
    expect_nobody(gateway)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_what_the_service_manager_is_told(start_server, start_gateway):
    """systemd believes the main process only, and looks at whose child the next one is at the moment it hears of it: one that is no
    child of its own is killed without having been asked to end."""
    gateway = start_gateway(start_server())
    notices = gateway.notifications.socket
    notices.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    notices.settimeout(60)
    main = gateway.process.pid
    gateway.connect().greet()  # the old program stays
    gateway.process.send_signal(signal.SIGUSR2)
    told = []
    while "READY=1" not in (told[-1][1] if told else []):
        data, ancillary, _, _ = notices.recvmsg(4096, socket.CMSG_SPACE(struct.calcsize("3i")))
        sender = struct.unpack("3i", ancillary[0][2])[0]
        fields = data.decode().splitlines()
        told.append((sender, fields))
        assert sender == main, f"{fields} would not be believed: {told}"
        for field in fields:
            if field.startswith("MAINPID="):
                main = int(field.removeprefix("MAINPID="))
                assert parent_of(main) != gateway.process.pid
    assert main != gateway.process.pid
    os.kill(main, signal.SIGTERM)
    expect_nobody(gateway)


def test_a_service_manager_that_reads_nothing_holds_nobody_up(start_server, start_gateway):
    """Guards against a supervisor that waits for ever for room in its queue."""
    gateway = start_gateway(start_server())
    for generation in range(2, 16):
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda generation=generation: any(e["generation"] == generation for e in gateway.events("reload")))
    assert gateway.connect().reply().code == 220
    gateway.process.terminate()
    assert gateway.process.wait(60) == 0


def test_workers_have_no_descriptor_of_whoever_started_the_program(start_server, start_gateway, directory):
    """Guards against a secret file or a socket, open by accident at the start, in the hands of who takes a worker over."""
    secret = directory / "secret"
    secret.write_text("secret")
    with open(secret) as leaked:
        os.set_inheritable(leaked.fileno(), True)
        gateway = start_gateway(start_server(), start=False)
        gateway.prefix = ["sh", "-c", f'exec 7<{secret} 9<{secret}; exec "$0" "$@"']
        gateway.start()
    for process in [gateway.process.pid, *gateway.workers()]:
        for entry in Path(f"/proc/{process}/fd").iterdir():
            assert "secret" not in os.readlink(entry), process


def test_workers_share_no_descriptor_but_those_they_need(start_server, start_gateway):
    """Sockets, event machinery and the log: nothing of the supervisor's own."""
    gateway = start_gateway(start_server())
    supervisor = {os.readlink(e) for e in Path(f"/proc/{gateway.process.pid}/fd").iterdir()}
    for worker in gateway.workers():
        shared = [os.readlink(e) for e in Path(f"/proc/{worker}/fd").iterdir() if int(e.name) > 2]
        shared = [each for each in shared if each in supervisor and not each.startswith("anon_inode:[event")]
        assert len(shared) == 1 and shared[0].startswith("socket:"), shared  # its listening socket
        assert not any(stat.S_ISREG(os.stat(e).st_mode) for e in Path(f"/proc/{worker}/fd").iterdir() if int(e.name) > 2)
