"""A name service that does not answer for names below slow.example, for whatever is started with these variables."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def slow_names(directory: Path) -> dict[str, str]:
    library = directory / "slow_names.so"
    source = Path(__file__).resolve().parent / "slow_names.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    library.chmod(0o755)
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
