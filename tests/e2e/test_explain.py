"""`safetpd explain` and the tables in `safetpd check`: what they say is what the gateway then does, nothing that a rule would
run is run, and a mistake in a table is named before a client meets it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from support.gateway import binary


@pytest.fixture
def tables(directory):
    """tables(allow, deny) -> the two paths."""

    def write(allow: str = "", deny: str = "") -> tuple[str, str]:
        paths = directory / "hosts.allow", directory / "hosts.deny"
        for path, text in zip(paths, (allow, deny)):
            path.write_bytes(text.encode())
            path.chmod(0o644)
        return str(paths[0]), str(paths[1])

    return write


@pytest.fixture
def safetpd(directory):
    """safetpd("check", ...) with an empty configuration -> CompletedProcess."""
    config = directory / "explain.toml"
    config.write_text("")
    config.chmod(0o644)

    def run(verb: str, *arguments, config=config) -> subprocess.CompletedProcess:
        command = [binary(), verb, "-c", config, *arguments]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)

    return run


@pytest.fixture
def explain(safetpd, tables):
    """explain(client, options, allow=..., deny=...) -> CompletedProcess."""

    def run(client: str, *options, allow: str = "", deny: str = "") -> subprocess.CompletedProcess:
        allow_path, deny_path = tables(allow, deny)
        return safetpd("explain", client, "--allow", allow_path, "--deny", deny_path, *options)

    return run


# -- explain ------------------------------------------------------------------------------------------------------------------


def test_the_exit_status_is_the_verdict(explain):
    granted = explain("192.0.2.7", "--no-lookup", allow="safetpd: 192.0.2.\n", deny="ALL: ALL\n")
    assert granted.returncode == 0 and "granted by" in granted.stdout and granted.stderr == ""
    denied = explain("192.0.3.7", "--no-lookup", allow="safetpd: 192.0.2.\n", deny="ALL: ALL\n")
    assert denied.returncode == 1 and "denied by" in denied.stdout
    assert "hosts.deny:1" in denied.stdout and "421 Connection refused" in denied.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 64),
        (["192.0.2.7", "--reading", "loose"], 64),
        (["192.0.2.7", "--port", "0"], 64),
        (["192.0.2.7", "--listener", "4711"], 64),
        (["joe@"], 64),
        (["no-such-host.invalid"], 68),
    ],
)
def test_a_question_without_sense_has_no_verdict(safetpd, arguments, status):
    result = safetpd("explain", *arguments)
    assert result.returncode == status and result.stderr


def test_a_broken_configuration_has_no_verdict(safetpd, directory):
    broken = directory / "broken.toml"
    broken.write_text("nonsense = 1\n")
    assert safetpd("explain", "192.0.2.7", config=broken).returncode == 78


def test_the_name_is_looked_up_and_pretended(explain):
    found = explain("127.0.0.1", allow="safetpd: localhost\n", deny="ALL: ALL\n")
    assert found.returncode == 0 and "name of 127.0.0.1: localhost" in found.stdout
    told = explain("192.0.2.7", "--name", "a.example.org", allow="safetpd: .example.org\n", deny="ALL: ALL\n")
    assert told.returncode == 0
    untold = explain("192.0.2.7", "--no-lookup", allow="safetpd: .example.org\n", deny="ALL: ALL\n")
    assert untold.returncode == 1 and "not looked up" in untold.stdout


def test_each_address_of_a_name_is_judged(explain):
    result = explain("localhost", allow="safetpd: 127.0.0.1, [::1]\n", deny="ALL: ALL\n")
    assert result.returncode == 0 and "127.0.0.1 asks for safetpd" in result.stdout


def test_users_daemons_servers_and_ports_are_as_said(explain):
    allow = "in.ftpd@192.0.2.1: joe@10.\n2121: 11.\nin.ftpd@[2001:db8::1]: joe@[2001:db8:7::]/48\n"
    for options, status in [
        (["joe@10.1.2.3", "--daemon", "in.ftpd@192.0.2.1"], 0),
        (["10.1.2.3", "--user", "joe", "--daemon", "in.ftpd", "--server", "192.0.2.1"], 0),
        (["ann@10.1.2.3", "--daemon", "in.ftpd@192.0.2.1"], 1),
        (["joe@10.1.2.3", "--daemon", "in.ftpd@192.0.2.2"], 1),
        (["joe@10.1.2.3"], 1),
        (["joe@[2001:db8:7::1]", "--daemon", "in.ftpd@[2001:db8::1]"], 0),
        (["joe@2001:db8:7::1", "--daemon", "in.ftpd", "--server", "[2001:db8::1]"], 0),
        (["joe@2001:db8:7::1", "--daemon", "in.ftpd@2001:db8::2"], 1),
        (["11.1.2.3", "--port", "2121"], 0),
        (["11.1.2.3"], 1),
    ]:
        assert explain(*options, "--no-lookup", allow=allow, deny="ALL: ALL\n").returncode == status, options


def test_no_command_is_ever_run(explain, directory):
    mark = directory / "was-run"
    for option in (f"spawn touch {mark}", f"aclexec touch {mark}", f"twist touch {mark}"):
        for daemon in ("safetpd", "in.ftpd"):
            result = explain("192.0.2.7", "--no-lookup", "--daemon", daemon, allow=f"ALL: ALL : {option}\n")
            assert str(mark) in result.stdout, result.stdout
            assert result.returncode in (0, 1)
    assert not mark.exists()


def test_the_readings_differ_where_they_should(explain):
    for reading, status in (("strict", 0), ("safe", 1)):
        result = explain("192.0.2.7", "--no-lookup", "--reading", reading, deny="safetpd: 192.0.2.9/24\n")
        assert result.returncode == status, result.stdout
    for reading in ("strict", "safe"):
        result = explain("192.0.2.7", "--no-lookup", "--reading", reading, allow="safetpd: ALL", deny="ALL: ALL\n")
        assert result.returncode == 1, result.stdout
        assert "missing newline" in result.stdout


def test_json_has_the_documented_fields(explain):
    result = explain("joe@192.0.2.7", "--name", "a.example.org", "--json", allow="safetpd: joe@.example.org : keepalive\n")
    answer = json.loads(result.stdout)
    assert answer["granted"] is True and answer["reading"] == "safe" and answer["is_gateway"] is True and answer["notes"] == []
    (one,) = answer["answers"]
    assert one["client_address"] == "192.0.2.7" and one["client_name"] == "a.example.org" and one["client_user"] == "joe"
    assert one["daemon"] == "safetpd" and one["server_port"] == 21 and one["outcome"] == "granted" and one["granted"] is True
    assert one["matched"] == {"file": answer["hosts_allow"], "line": 1}
    assert one["refusal"] == one["twist"] == one["severity"] == "" and one["log"] == []
    assert [step["kind"] for step in one["steps"]] == ["daemon_pattern", "client_pattern", "user_pattern", "rule", "option"]
    assert [(event["kind"], event["text"]) for event in one["events"]] == [("effect", "keepalive")]
    assert one["client_gets"] == "the greeting"


@pytest.mark.parametrize("refusal", ["reply", "silent"])
def test_the_gateway_does_what_was_explained(play, start_gateway, safetpd, refusal):
    def script(session):
        session.say("220 the raw ftpd")
        session.serve_rest()

    gateway = start_gateway(play(script), access={"refusal": refusal}, start=False)
    gateway.allow_path.write_text("safetpd: 127.0.0.2, 127.0.0.4/30 EXCEPT 127.0.0.6\n")
    gateway.deny_path.write_text("ALL: ALL\n")
    gateway.start()
    for client in ("127.0.0.1", "127.0.0.2", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.8"):
        connection = gateway.connect(source=client)
        said = connection.socket.recv(4096).decode()
        connection.close()
        explained = safetpd("explain", client, "--no-lookup", "--json", config=gateway.config_path)
        answer = json.loads(explained.stdout)["answers"][0]
        assert (explained.returncode == 0) == answer["granted"] == said.startswith("220"), explained.stdout
        if not answer["granted"] and refusal == "reply":
            assert said.strip() in answer["client_gets"]
        if not answer["granted"] and refusal == "silent":
            assert said == "" and answer["client_gets"] == "the end of the connection"


# -- check --------------------------------------------------------------------------------------------------------------------


def test_check_lists_what_is_wrong_with_given_tables(safetpd, tables):
    allow, deny = tables("safetpd: 10.1.2.3/24, 2001:db8::1\nsafetpd: 10. # office\n", "safetpd: ALL : permit\nALL: ALL")
    result = safetpd("check", "--tables", allow, deny)
    assert result.returncode == 78
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{allow}:1: error: ") and "write [2001:db8::1]" in lines[0]
    assert lines[1].startswith(f"{allow}:2: warning: ") and "comments" in lines[1]
    assert lines[2].startswith(f"{deny}:1: error: ") and 'did you mean "allow"?' in lines[2]
    assert lines[3].startswith(f"{deny}:2: error: ") and "newline" in lines[3]
    assert len(lines) == 4, result.stdout


def traps_of_the_guide() -> list[str]:
    """The rules in the first column of the table of traps in docs/hosts-access.md."""
    guide = (Path(__file__).resolve().parents[2] / "docs" / "hosts-access.md").read_text()
    rows = re.findall(r"^\| (.+?) \|", guide.split("## Traps")[1], re.MULTILINE)
    return [rule for row in rows for rule in re.findall(r"`([^`]* ?: ?[^`]*)`", row)]


@pytest.mark.parametrize("rule", traps_of_the_guide())
def test_check_finds_every_trap_of_the_guide(safetpd, tables, rule):
    allow, deny = tables(rule + "\nALL : 198.51.100.7\n", "ALL: ALL\n")
    result = safetpd("check", "--strict", "--tables", allow, deny)
    found = [line for line in result.stdout.splitlines() if line.startswith(f"{allow}:1: ")]
    assert result.returncode in (1, 78) and any("no service here asks" not in line for line in found), result.stdout


def test_the_guide_has_traps():
    assert len(traps_of_the_guide()) >= 20


def test_check_is_content_with_good_tables_and_strict_with_warnings(safetpd, tables):
    good = tables("safetpd: 10., [2001:db8::]/32 EXCEPT 10.1.\n", "ALL: ALL\n")
    for options in ([], ["--strict"]):
        result = safetpd("check", *options, "--tables", *good)
        assert result.returncode == 0 and result.stdout.endswith("the tables are good\n"), result.stdout
    doubtful = tables("safetpd: 10.1.2.0\n", "ALL: ALL\n")
    assert safetpd("check", "--tables", *doubtful).returncode == 0
    assert safetpd("check", "--strict", "--tables", *doubtful).returncode == 1


def test_check_names_files_that_are_missing_or_open_to_others(safetpd, tables, directory):
    allow, deny = tables("safetpd: 10.\n", "ALL: ALL\n")
    assert safetpd("check", "--tables", allow, directory / "none").returncode == 78
    os.chmod(deny, 0o666)
    result = safetpd("check", "--tables", allow, deny)
    assert result.returncode == 78 and result.stdout.startswith(f"{deny}: error: may be written by others")


def test_check_looks_into_pattern_files(safetpd, tables, directory):
    patterns = directory / "office"
    patterns.write_text("10.1.2.3\n# 10.1.2.4\n")
    patterns.chmod(0o644)
    result = safetpd("check", "--tables", *tables(f"safetpd: {patterns}\n", "ALL: ALL\n"))
    assert result.returncode == 78 and result.stdout.startswith(f"{patterns}:2: error: "), result.stdout


def test_check_of_the_configuration_checks_the_tables_it_names(start_gateway, play, safetpd):
    gateway = start_gateway(play(lambda session: None), start=False)
    gateway.allow_path.write_text("safetpd: 10.\n")
    gateway.deny_path.write_text("ALL: ALL\n")
    assert safetpd("check", config=gateway.config_path).returncode == 0
    gateway.deny_path.write_text("ALL: 10.1.2.3/8\n")
    result = safetpd("check", config=gateway.config_path)
    assert result.returncode == 78 and f"{gateway.deny_path}:1: error: " in result.stdout
    gateway.change(access={"enabled": False})
    assert safetpd("check", config=gateway.config_path).returncode == 0
