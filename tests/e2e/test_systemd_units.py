"""The units as systemd reads them; what it then does with them is tried on a machine of its own (tests/vm)."""

import subprocess
from pathlib import Path

import pytest

from support.gateway import binary

UNITS = Path(__file__).resolve().parents[2] / "packaging" / "systemd"


def unit(directory: Path, name: str) -> Path:
    """As installed, with the program under test."""
    text = (UNITS / f"{name}.in").read_text() if (UNITS / f"{name}.in").exists() else (UNITS / name).read_text()
    made = directory / name
    made.write_text(text.replace("@CMAKE_INSTALL_FULL_SBINDIR@", str(binary().parent)))
    return made


@pytest.mark.parametrize("name", ["safetpd.service", "safetpd.socket", "safetpd@.service"])
def test_systemd_understands_every_line(directory, name):
    """systemd passes over what it does not know, with a line in a log that nobody reads."""
    for each in ("safetpd.service", "safetpd@.service", "safetpd.socket"):
        unit(directory, each)
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", directory / name.replace("@", "@1")],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/sbin:/usr/bin", "SYSTEMD_UNIT_PATH": f"{directory}:"},
    )
    own = [line for line in (result.stdout + result.stderr).splitlines() if "safetpd" in line]
    assert own == [] and result.returncode == 0


def test_what_cannot_get_better_is_not_tried_again():
    """RestartPreventExitStatus does not hold for ExecStartPre, which must not be there therefore; the program checks by itself."""
    lines = (UNITS / "safetpd.service.in").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert "ExecStartPre" not in settings
    assert {"64", "69", "77", "78"} <= set(settings["RestartPreventExitStatus"].split())
    assert "75" not in settings["RestartPreventExitStatus"]  # an address that comes later
    reloads = [line for line in lines if line.startswith("ExecReload=")]
    assert "check" in reloads[0] and "HUP" in reloads[1]
