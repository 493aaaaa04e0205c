"""The wheel, built from this checkout, and environments with nothing else. Tests of it import none of the package."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.distributions import build_wheel

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with nothing but the wheel and what it depends on."""
    return new_environment(tmp_path_factory.mktemp("clean"), str(wheel))


@pytest.fixture(scope="session")
def able_to_serve(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel and its extra ``serve``."""
    return new_environment(tmp_path_factory.mktemp("able to serve"), f"{wheel}[serve]")


def new_environment(folder: Path, requirement: str) -> Path:
    """Install this and what it needs into a new environment; what is imported is compiled when it is."""
    python = str(folder / "bin/python")
    has_pip = find_spec("pip") is not None  # one of its own takes as long as what it installs
    venv.create(folder, with_pip=not has_pip)
    pip = [sys.executable, "-m", "pip", "--python", python] if has_pip else [python, "-m", "pip"]
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "install", *options, requirement], check=True, timeout=600)
    return folder / "bin"
