"""That an administrator's fail2ban sees who failed to log in, and never an address that a user's name brought along."""

import subprocess

import pytest

from support.gateway import binary


@pytest.mark.unsanitized
def test_filters_find_failed_logins(start_server, start_gateway, tls):
    """With our filter and with the stock one for pure-ftpd, on made-up hostile names and on a real log."""
    server = start_server()
    gateway = start_gateway(server, log={"level": "info", "format": "text"})
    client = gateway.secure(tls, source="127.0.0.7")
    for user in (server.server.user, "(?@192.0.2.9) [WARNING] Authentication failed for user [x]"):
        client.expect(f"USER {user}", 331, 530)
        client.expect("PASS wrong", 530, 503)
    gateway.stop()
    printer = binary().parents[2] / "tests" / "unit" / "login_failure_lines"
    script = binary().parents[4] / "scripts" / "test-fail2ban"
    result = subprocess.run([script, printer, gateway.log_path, "127.0.0.7"], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
