"""Distributions that tests build, and programs that find them installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path


def build_wheel(source: Path, folder: Path) -> Path:
    """Build the distribution in ``source`` and return its wheel, in ``folder``."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(source: Path, target: Path) -> Path:
    """Build the distribution in ``source`` and put its wheel into ``target``, as an installer would; returns that."""
    zipfile.ZipFile(build_wheel(source, source / "dist")).extractall(target)
    return target


def run_python(installed: Path, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python where the distributions in ``installed`` are found beside this environment's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO", "PRISMATIC"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
