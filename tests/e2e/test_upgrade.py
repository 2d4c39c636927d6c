"""USR2: a new program takes the place of the running one, and no connection is lost."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

SAFETY_NET = 60


def wait_until(condition) -> None:
    deadline = time.monotonic() + SAFETY_NET
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def new_program(gateway) -> int:
    """Sends USR2; the new process's id when it serves."""
    gateway.process.send_signal(signal.SIGUSR2)
    gateway.wait_for_log("the new program serves")
    return next(e["pid"] for e in gateway.events("upgrade") if "the new program serves" in e["message"])


@pytest.fixture
def ended():
    """What to end at the test's end: a program that took over is no child of the test's."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda pid=pid: not is_running(pid))


def test_nobody_notices_an_upgrade(start_server, start_gateway, tls, directory, ended):
    """Guards against refused or reset connections while the sockets change hands, and against cut transfers."""
    server = start_server()
    pid_file = directory / "safetpd.pid"
    gateway = start_gateway(server, process={"pid_file": str(pid_file)})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR during-upgrade")
    data.send(b"one half, ")

    stop, failures = threading.Event(), []

    def knock() -> None:
        while not stop.is_set():
            try:
                with_greeting = gateway.connect()
                assert with_greeting.reply().code == 220
                with_greeting.close()
            except Exception as error:  # whatever it is, a client would have noticed
                failures.append(repr(error))

    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        ended.append(new_program(gateway))
        assert gateway.process.poll() is None  # the transfer goes on in the old one
        for _ in range(20):
            assert gateway.connect().reply().code == 220
    finally:
        stop.set()
        knocking.join()
    assert failures == []
    assert int(pid_file.read_text()) == ended[0]

    data.send(b"the other half")
    data.end()
    client.expect_reply(226)
    client.expect("QUIT", 221)
    assert (server.server.home / "during-upgrade").read_bytes() == b"one half, the other half"
    assert gateway.process.wait(SAFETY_NET) == 0
    assert int(pid_file.read_text()) == ended[0]  # the old one has left it alone
    assert gateway.connect().reply().code == 220


def test_a_new_program_that_does_not_start_changes_nothing(start_server, start_gateway, tls, directory):
    """Guards against an upgrade with a broken configuration taking the service down."""
    server = start_server()
    pid_file = directory / "safetpd.pid"
    gateway = start_gateway(server, process={"pid_file": str(pid_file)})
    good = gateway.config_path.read_text()
    gateway.config_path.write_text(good + "\n[nonsense]\n")
    gateway.process.send_signal(signal.SIGUSR2)
    gateway.wait_for_log("the new program did not start, this one goes on")
    assert int(pid_file.read_text()) == gateway.process.pid
    gateway.secure(tls).login(server.server.user, server.server.password)
    gateway.config_path.write_text(good)


def test_an_upgrade_takes_the_configuration_of_the_moment(start_server, start_gateway, ended):
    """Listeners that are gone from the file are not taken over by others, and the greeting is the new one."""
    gateway = start_gateway(start_server(), greeting="before")
    old_port, gateway.port = gateway.port, gateway.ports[1]
    gateway.change(greeting="after", listener={"port": gateway.port}, data={"passive_ports": f"{gateway.ports[2]}-{gateway.ports[-1]}"})
    ended.append(new_program(gateway))
    assert gateway.connect().reply().text == "220 after"
    wait_until(lambda: gateway.process.poll() is not None)
    with pytest.raises(ConnectionRefusedError):
        gateway.connect(port=old_port)


def test_limits_count_on_over_an_upgrade(start_server, start_gateway, ended):
    """Guards against limits that begin at zero with each new program while the old one's sessions live (seen: 9 with a limit of 3)."""
    gateway = start_gateway(start_server(), limits={"sessions_per_client": 3})
    clients = [gateway.connect().greet() for _ in range(2)]
    ended.append(new_program(gateway))
    clients.append(gateway.connect().greet())
    assert gateway.connect().reply().code == 421
    gateway.connect(source="127.0.0.2").greet()
    clients[0].quit()
    wait_until(lambda: gateway.connect().reply().code == 220)
    assert gateway.connect().reply().code == 421


def test_what_a_killed_predecessor_counted_is_given_back(start_server, start_gateway, ended):
    """Rows of dead workers are cleared whoever owned them."""
    gateway = start_gateway(start_server(), limits={"sessions_per_client": 2})
    clients = [gateway.connect().greet() for _ in range(2)]
    ended.append(new_program(gateway))
    assert gateway.connect().reply().code == 421
    gateway.process.kill()
    gateway.process.wait()
    for client in clients:
        client.close()
    wait_until(lambda: gateway.connect().reply().code == 220)
    gateway.process = None  # killed, and nothing to stop: `ended` stops the new one
