"""The wheel, built from this checkout, and environments with nothing else. Tests of it import none of the package."""

from __future__ import annotations

import subprocess
import venv
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
    # What is imported is compiled when it is; all of it would take half a minute.
    return new_environment(tmp_path_factory.mktemp("able to serve"), "--no-compile", f"{wheel}[serve]")


def new_environment(folder: Path, *arguments: str) -> Path:
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(pip, check=True, timeout=600)
    return folder / "bin"
