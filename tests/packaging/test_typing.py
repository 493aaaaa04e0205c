"""A user's program is checked against the installed package by mypy and pyright, in their strictest modes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import twilio_component

PROGRAMS = Path(__file__).parent / "typing"
FILES = ("program.py", "mistakes.py")
WRONG = [
    number
    for number, line in enumerate((PROGRAMS / "mistakes.py").read_text(encoding="utf-8").splitlines(), 1)
    if line.endswith("# wrong")
]


def check_by_mypy(folder: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(folder / "cache"),
        "--config-file",
        "",
        *FILES,
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300).stdout


def check_by_pyright(folder: Path) -> str:
    program = shutil.which("basedpyright", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("basedpyright is not installed; `make` installs it")
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}', encoding="utf-8")
    command = [program, "--pythonpath", sys.executable, *FILES]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300).stdout


@pytest.mark.parametrize("check", [check_by_mypy, check_by_pyright], ids=["mypy", "pyright"])
def test_a_correct_program_has_no_error_and_every_mistake_is_found_on_its_line(
    check: Callable[[Path], str], tmp_path: Path
) -> None:
    for file in FILES:
        shutil.copy(PROGRAMS / file, tmp_path)
    told = check(tmp_path)  # of both at once, since reading the package takes longest
    found = re.findall(r"(\w+\.py):(\d+)(?::\d+)?.* error", told)
    assert {(file, int(line)) for file, line in found} == {("mistakes.py", line) for line in WRONG}, told


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(twilio_component.__file__).parent / "py.typed").exists()
