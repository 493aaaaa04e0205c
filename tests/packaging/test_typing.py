"""A user's program is checked against the installed package by mypy and pyright, in their strictest modes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import twilio_component

PROGRAMS = Path(__file__).parent / "typing"
WRONG = [
    number
    for number, line in enumerate((PROGRAMS / "mistakes.py").read_text(encoding="utf-8").splitlines(), 1)
    if line.endswith("# wrong")
]


def check_by_mypy(folder: Path, file: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(folder / "cache"),
        "--config-file",
        "",
        file,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def check_by_pyright(folder: Path, file: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("basedpyright is not installed; `make` installs it")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', encoding="utf-8")
    command = [program, "--pythonpath", sys.executable, file]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


CHECKERS = pytest.mark.parametrize("check", [check_by_mypy, check_by_pyright], ids=["mypy", "pyright"])


@CHECKERS
def test_a_correct_program_has_no_error(check: object, tmp_path: Path) -> None:
    shutil.copy(PROGRAMS / "program.py", tmp_path)
    done = check(tmp_path, "program.py")  # type: ignore[operator]  # one of the two above
    assert done.returncode == 0, done.stdout


@CHECKERS
def test_every_mistake_is_found_on_its_line_and_nothing_else(check: object, tmp_path: Path) -> None:
    shutil.copy(PROGRAMS / "mistakes.py", tmp_path)
    done = check(tmp_path, "mistakes.py")  # type: ignore[operator]  # one of the two above
    found = {int(number) for number in re.findall(r"mistakes\.py:(\d+)(?::\d+)?.* error", done.stdout)}
    assert sorted(found) == WRONG, done.stdout


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(twilio_component.__file__).parent / "py.typed").exists()
