"""pyftpdlib's own functional tests, written by its authors for their server: through the gateway they must pass as well."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[2]


def suite() -> Path:
    path = Path(os.environ.get("SAFETP_PYFTPDLIB", ROOT / "build" / "source" / "python-pyftpdlib"))
    if not (path / "pyftpdlib" / "test" / "test_functional.py").exists():
        pytest.skip("the source package python-pyftpdlib could not be had from the Debian mirror")
    pytest.importorskip("psutil")
    return path


@pytest.mark.parametrize("uses_tls", [False, True], ids=["plain", "tls"])
def test_functional_suite(directory, certificate, uses_tls):
    """Guards against what nobody here has thought of: another author's idea of FTP."""
    source = suite()
    environment = os.environ | {
        "PYTHONPATH": f"{source}:{ROOT / 'tests' / 'e2e'}",
        "SAFETP_PYFTPDLIB_TLS": "1" if uses_tls else "0",
        "SAFETP_PYFTPDLIB_DIRECTORY": str(directory),
        "SAFETP_PYFTPDLIB_CERTIFICATE": str(certificate.certificate),
        "SAFETP_PYFTPDLIB_KEY": str(certificate.key),
    }
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "support.pyftpdlib_plugin", "-p", "no:xdist"]
        + ["-c", "/dev/null", "--rootdir", str(source), "-k", "not Throttle and not ThreadedFTP"]
        + [str(source / "pyftpdlib" / "test" / "test_functional.py")],
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=550,
    )
    summary = result.stdout.strip().splitlines()[-1] if result.stdout else ""
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-3000:]
    passed = int(re.search(r"(\d+) passed", result.stdout)[1])
    assert passed > 100, summary
