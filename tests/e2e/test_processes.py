"""Supervisor and workers: a crash costs little, HUP changes the configuration, TERM drains, nothing stays behind."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from support.gateway import binary

# Gateway.stop(), at the end of every test, fails when TERM does not end safetpd with status 0 or a process stays behind.


def killed(gateway, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def test_a_killed_worker_costs_only_its_own_sessions(start_server, start_gateway, tls):
    """Guards against one crash taking the service down, or a counted place never given back."""
    server = start_server()
    gateway = start_gateway(server, limits={"sessions_per_client": 20})
    clients = [gateway.secure(tls).login(server.server.user, server.server.password) for _ in range(16)]
    before = gateway.workers()
    assert len(before) == 2
    killed(gateway, before[0])
    alive = 0
    for client in clients:
        try:
            client.expect("NOOP", 200)
            alive += 1
        except (EOFError, ConnectionError, Exception):
            pass
    assert 0 < alive < 16
    wait_until(lambda: len(gateway.workers()) == 2 and set(gateway.workers()) != set(before))
    more = [gateway.secure(tls) for _ in range(20 - alive)]  # the dead worker's places are free again
    assert len(more) == 20 - alive


def wait_until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.unsanitized
def test_workers_have_given_up_their_privileges(start_server, start_gateway):
    """As root: another user, no new privileges, no capabilities, seccomp, an empty root directory (architecture)."""
    if os.getuid() != 0:
        pytest.skip("only root has privileges to give up")
    gateway = start_gateway(start_server())
    wait_until(lambda: all("Seccomp:\t2" in Path(f"/proc/{worker}/status").read_text() for worker in gateway.workers()))
    for worker in gateway.workers():
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{worker}/status").read_text().splitlines() if ":\t" in line)
        assert status["Uid"].split()[0] == status["Uid"].split()[2] != "0"
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Groups"].split() in ([], [status["Gid"].split()[0]])
        assert os.listdir(f"/proc/{worker}/root") == []


def test_reload_with_a_transfer_under_way(start_server, start_gateway, tls):
    """HUP: new clients get the new configuration, the transfer under way is not disturbed."""
    server = start_server()
    gateway = start_gateway(server, greeting="before")
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR during-reload")
    data.send(b"one half, ")
    gateway.change(greeting="after")
    gateway.reload()
    assert gateway.connect().reply().text == "220 after"
    data.send(b"the other half")
    data.end()
    client.expect_reply(226)
    assert (server.server.home / "during-reload").read_bytes() == b"one half, the other half"
    client.upload("STOR after-reload", b"the old session goes on")
    client.expect("QUIT", 221)


def test_reload_with_a_bad_configuration_changes_nothing(start_server, start_gateway, tls):
    """Guards against a slip of the pen taking the service down. The log says what is wrong, with the line."""
    server = start_server()
    gateway = start_gateway(server, greeting="good")
    workers = gateway.workers()
    with open(gateway.config_path, "a") as file:
        file.write("[limits2]\nsesions = 1\n")
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for_log(r"limits2|sesions")
    assert gateway.connect().reply().text == "220 good"
    assert gateway.workers() == workers


def test_reload_with_a_missing_certificate_changes_nothing(start_server, start_gateway, tls, authority):
    """A renewal that goes wrong must not take the old certificate out of service."""
    gateway = start_gateway(start_server())
    gateway.change(tls={"certificates": [{"certificate": "/nonexistent.pem", "key": "/nonexistent.key"}]})
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for_log("nonexistent")
    gateway.secure(tls)


def test_reload_takes_up_a_new_certificate(start_server, start_gateway, tls, authority):
    """Renewal without a restart (seen: most need one)."""
    gateway = start_gateway(start_server())
    before = gateway.secure(tls).tls.getpeercert()["serialNumber"]
    gateway.change(tls={"certificates": [authority.issue("renewed", "localhost", ["DNS:localhost"]).toml]})
    gateway.reload()
    assert gateway.secure(tls).tls.getpeercert()["serialNumber"] != before


def test_reload_leaves_no_old_workers(start_server, start_gateway):
    """Old workers go when their sessions have gone."""
    gateway = start_gateway(start_server())
    before = set(gateway.workers())
    client = gateway.connect().greet()
    for _ in range(3):
        gateway.reload()
    client.expect("NOOP", 200, 530)
    client.expect("QUIT", 221)
    wait_until(lambda: len(gateway.workers()) == 2 and not before & set(gateway.workers()))


@pytest.mark.unsanitized
def test_a_reload_never_waits_for_clients(start_server, start_gateway, running):
    """Guards against clients that decide whether a reload is possible: in 128 workers of each generation somebody stays, and when
    room is short the oldest ones hear 421."""
    gateway = start_gateway(
        start_server(),
        limits={"sessions": 5000, "sessions_per_client": 5000, "startups": "4000:0:4000"},
        timeouts={"handshake": "10m", "login": "1h", "idle": "1h", "drain": "2s"},
        process={"workers": 128},
    )
    implicit = {"address": "127.0.0.1", "port": gateway.ports[1], "implicit_tls": True}
    gateway.change(listeners=[gateway.config["listener"][0], implicit], greeting="generation 2")
    gateway.config["data"]["passive_ports"] = f"{gateway.ports[2]}-{gateway.ports[-1]}"
    gateway.change()
    gateway.reload()
    first = gateway.connect().greet()
    silent = []
    try:
        for generation in range(3, 8):
            silent += [socket.create_connection(("127.0.0.1", gateway.ports[1])) for _ in range(170)]
            gateway.change(greeting=f"generation {generation}")
            gateway.reload()
            assert gateway.connect().reply().text == f"220 generation {generation}"
    finally:
        for connection in silent:
            connection.close()
    assert gateway.events("reload-failed") == []
    first.expect_reply(421)
    assert first.receive() == b""
    assert gateway.events("generation-end")[0]["sessions"] > 0


def test_term_lets_a_transfer_finish(start_server, start_gateway, tls):
    """Drain: a transfer under way is finished, the idle session gets a 421, nobody new is let in."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"drain": "30s"})
    idle = gateway.secure(tls).login(server.server.user, server.server.password)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR during-term")
    data.send(b"begun, ")
    gateway.process.terminate()
    idle.expect_reply(421)
    assert idle.receive() == b""
    data.send(b"finished")
    data.end()
    client.expect_reply(226)
    assert (server.server.home / "during-term").read_bytes() == b"begun, finished"
    assert gateway.process.wait(30) == 0
    with pytest.raises(ConnectionRefusedError):
        gateway.connect()


def test_term_does_not_wait_for_ever(start_server, start_gateway, tls):
    """drain bounds it."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"drain": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR endless")
    data.send(b"x")
    gateway.process.terminate()
    assert gateway.process.wait(30) == 0
    client.expect_reply(421)


def test_pid_file(start_server, start_gateway, directory):
    """Written when ready, gone at the end."""
    path = directory / "safetpd.pid"
    gateway = start_gateway(start_server(), process={"pid_file": str(path)})
    assert int(path.read_text()) == gateway.process.pid
    gateway.stop()
    assert not path.exists()


def test_a_taken_port_is_a_clear_error(start_server, start_gateway, certificate, directory):
    """What, where, what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AssertionError, match=f"{port}.*in use|in use.*{port}"):
            start_gateway(start_server(), listener={"port": port})


def run(*arguments, **options) -> subprocess.CompletedProcess:
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60, **options)


def test_check_of_a_good_configuration(start_server, start_gateway):
    """`safetpd check`: 0, and it starts nothing."""
    gateway = start_gateway(start_server())
    assert run("check", "-c", gateway.config_path).returncode == 0


def test_check_names_all_problems_at_once(directory):
    """With file and line, and the nearest known key; what is wrong on this machine as well."""
    path = directory / "bad.toml"
    path.write_text(
        '[server]\nadress = "127.0.0.1"\nport = 99999\n[tls]\nminimum_version = "1.0"\n[log]\nxferlog = "/nonexistent/dir/log"\n'
    )
    result = run("check", "-c", path)
    assert result.returncode == 78
    for wanted in (f"{path}:2", f"{path}:3", f"{path}:5", "address", f"{path}:7", "/nonexistent/dir"):
        assert wanted in result.stderr + result.stdout


def test_a_missing_configuration_is_named(directory):
    """Exit status 78, as sysexits.h has it for configuration."""
    result = run("-c", directory / "missing.toml")
    assert result.returncode == 78
    assert "missing.toml" in result.stderr


def test_version_and_help():
    """-v and -h, and a wrong option: status 2 or 64 and how to get help."""
    assert run("-v").returncode == 0 and "safetp" in run("-v").stdout.lower()
    assert run("-h").returncode == 0 and "-c" in run("-h").stdout
    assert run("--no-such-option").returncode in (2, 64)
