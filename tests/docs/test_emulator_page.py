"""The page about the emulator is true: its examples run, and nothing is missing from it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.node import node_environment

from twilio_component.emulator import Emulator
from twilio_component.emulator.api.unsupported import NOT_EMULATED
from twilio_component.emulator.control.api import _HANDLERS
from twilio_component.emulator.faults import Faults
from twilio_component.emulator.messaging.magic_numbers import _RECIPIENTS, _SENDERS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "\n".join((DOCS / folder / "emulator.md").read_text(encoding="utf-8") for folder in ("how-to", "reference"))


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_shell_examples_run() -> None:
    if shutil.which("curl") is None:
        pytest.skip("without curl")
    emulator = Emulator()
    with emulator.serve_in_thread() as server:
        for block in examples("bash"):
            script = block.replace("http://127.0.0.1:8010", server.url)
            shown = subprocess.run(["bash", "-e", "-c", script], capture_output=True, text=True, check=True).stdout
            assert '"to":"+15558675310"' in shown
    emulator.assert_sent(to="+15558675310", status="delivered", times=2)


def test_the_node_example_runs() -> None:
    environment = node_environment("twilio")
    with Emulator().serve_in_thread() as server:
        (example,) = examples("javascript")
        program = example.replace("http://127.0.0.1:8010", server.url)
        shown = subprocess.run(["node", "-e", program], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout == "queued\n"


@pytest.mark.parametrize("path", _HANDLERS)
def test_every_path_of_the_control_api_is_documented(path: str) -> None:
    assert re.search(rf"`(GET|POST) /_emulator{f'/{path}' if path else ''}`", PAGE)


def test_every_fault_every_limit_and_every_magic_number_is_documented() -> None:
    faults = [name for name, value in vars(Faults).items() if callable(value) and not name.startswith("_")]
    undocumented = [name for name in faults if f"{name}(" not in PAGE and name != "take"]
    assert undocumented == []
    assert [sentence for sentence in NOT_EMULATED if f"- {sentence}\n" not in PAGE] == []
    assert [number for number, code in (_SENDERS | _RECIPIENTS).items() if f"{number} | {code}" not in PAGE] == []


def test_the_seed_of_the_page_is_a_valid_one(tmp_path: Path) -> None:
    (example,) = examples("yaml")
    seed = tmp_path / "seed.yaml"
    seed.write_text(example, encoding="utf-8")
    emulator = Emulator()
    emulator.load_seed(seed)
    assert [message.body for message in emulator.messages] == ["See you at nine"]
