"""Shells complete commands and options by scripts that they accept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twilio_component.cli import exit_codes
from twilio_component.cli.main import COMMANDS, main


@pytest.fixture(autouse=True)
def _the_library_is_there() -> None:
    pytest.importorskip("shtab")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == exit_codes.DONE
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)
    assert "--health-port" in script or "health-port" in script


def test_bash_completes_a_command_and_an_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    main(["completion", "bash"])
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out, encoding="utf-8")

    def complete(*words: str) -> set[str]:
        typed = " ".join(f"'{word}'" for word in ("twilio-component", *words))
        asked = (
            f". {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; "
            "$(complete -p twilio-component | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        found = subprocess.run([bash, "-c", asked], capture_output=True, text=True, check=True)
        return {word.strip() for word in found.stdout.split()}

    assert complete("sig") == {"signature"}
    assert "--migrate-only" in complete("serve", "--mig")


def test_no_command_but_this_one_imports_the_library_nor_those_of_metrics_and_traces() -> None:
    program = (
        "import sys; from twilio_component.cli.main import main; main(['describe', 'sendSMS']); "
        "main(['invoke', 'estimateMessage', '--emulator', '--input', 'message=Hi']); "
        "print([n for n in ('shtab', 'prometheus_client', 'opentelemetry', 'sqlalchemy', 'dbos') "
        "if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
