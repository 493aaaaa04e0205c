"""Every command on odd terminals: without UTF-8, interrupted, without colours, and in folders with blanks."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.ports import reserve_port
from support.waiting import PATIENCE, until

from twilio_component.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "twilio_component"]
FLOW = """\
name: Café
flows:
  - name: Hello
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Say, action: log.writeLog, inputs: {message: {type: value, value: Grüße}}}
"""


def run(
    *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_is_utf_8_in_the_c_locale(command: str) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    done = run(command, "--help", environment=plain)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("utf-8").startswith(f"usage: __main__.py {command}") or b"usage: " in done.stdout


def test_what_a_library_in_c_prints_is_not_among_the_results() -> None:
    program = """
import ctypes, os, sys
from twilio_component.cli import entry, main

def command():
    ctypes.CDLL(None).puts(b"from a buffer of C, at exit")
    os.write(1, b"at once\\n")
    print('{"result": "Grüße"}')
    return 3

main.main = command
sys.exit(entry.main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.decode()) == (3, '{"result": "Grüße"}\n')
    assert sorted(done.stderr.splitlines()) == [b"at once", b"from a buffer of C, at exit"]


def redirected(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command of the shell, in which ``$P`` is the program."""
    script = command.replace("$P", shlex.join(PROGRAM))
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, check=False, timeout=60)


SEND = "$P invoke sendSMS --emulator --input to=+15558675310 --input from=+15017122661 --input message=Hi"


def test_without_an_output_nothing_is_done(tmp_path: Path) -> None:
    done = redirected(f"{SEND} >&-", tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        b"standard output is closed; redirect it, for example to /dev/null. Nothing was done.\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_is_full_is_not_a_bug_and_does_not_say_that_nothing_was_done(
    tmp_path: Path, unbuffered: str
) -> None:
    done = redirected(f"export PYTHONUNBUFFERED={unbuffered}; {SEND} >/dev/full", tmp_path)
    said = b"the output could not be written: No space left on device. The command's effects remain: check them\n"
    assert (done.returncode, done.stderr) == (3, said)


def test_without_an_input_or_messages_commands_work_and_a_payload_is_missed(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    assert redirected("$P flow check flow.yaml <&- 2>&-", tmp_path).returncode == 0
    done = redirected("$P flow run flow.yaml --live --payload - <&-", tmp_path)
    assert done.returncode == 2
    assert b"<standard input>: is empty" in done.stderr


def test_output_is_utf_8_in_the_c_locale(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("flow", "run", "flow.yaml", "--live", folder=tmp_path, environment=plain)
    assert done.returncode == 0, done.stderr
    assert "Grüße" in (done.stdout + done.stderr).decode("utf-8")


def test_arguments_and_files_are_utf_8_in_the_c_locale(tmp_path: Path) -> None:
    (tmp_path / "größe.yaml").write_text("message: Grüße\n", encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for given in (["--input", "message=Grüße"], ["--inputs", "größe.yaml"]):
        done = run("invoke", "estimateMessage", *given, folder=tmp_path, environment=plain)
        assert json.loads(done.stdout)["data"]["units"] == 5, done.stderr


def test_a_terminal_with_another_encoding_gets_escapes_and_no_error() -> None:
    done = run(
        "invoke", "estimateMessage", "--input", "message=漢", "--json", environment={"PYTHONIOENCODING": "latin-1"}
    )
    assert done.returncode == 0, done.stderr


def test_paths_may_have_blanks(tmp_path: Path) -> None:
    folder = tmp_path / "my flows"
    folder.mkdir()
    (folder / "a flow.yaml").write_text(FLOW, encoding="utf-8")
    assert run("flow", "check", "a flow.yaml", folder=folder).returncode == 0
    assert run("flow", "run", str(folder / "a flow.yaml"), "--live", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        (["emulator", "--port", "PORT"], "PORT"),
        (["serve", "flow.yaml", "--port", "PORT"], "webhook of Hello"),
        (["mcp", "flow.yaml", "--port", "PORT"], "tools: "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_interrupt_ends_a_command_that_serves_without_a_traceback(
    arguments: list[str], ready: str, tmp_path: Path
) -> None:
    if arguments[0] == "mcp":
        pytest.importorskip("mcp", reason="an extra that `make` installs")
    port = str(reserve_port())
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen(
            [*PROGRAM, *(port if word == "PORT" else word for word in arguments)],
            cwd=tmp_path,
            env={**os.environ, "TWILIO_COMPONENT_MCP_TOKEN": "the-token"},
            stdout=output,
            stderr=output,
        )
        try:
            shown = ready.replace("PORT", port)
            until(lambda: shown in (tmp_path / "out").read_text(), f"{arguments[0]} is ready")
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) in (0, 130)
        finally:
            process.kill()
            process.wait(PATIENCE)
    assert "Traceback" not in (tmp_path / "out").read_text()


def test_an_interrupt_while_the_command_line_is_read_is_told_in_a_word() -> None:
    program = (
        "import sys, twilio_component.cli.main as main\n"
        "def interrupt(_command): raise KeyboardInterrupt\n"
        "main.command_parser = interrupt\n"
        "sys.exit(main.main(['describe']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("arguments", [["describe"], ["errors", "30007"], ["describe", "--help"], ["demo"]])
def test_without_colours_there_is_none_on_a_terminal(arguments: list[str]) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdout=follower, stderr=follower, env={**os.environ, "NO_COLOR": "1", "TERM": "xterm"}
    )
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 65536):
            shown += part
    except OSError:  # what Linux says when the other end is closed
        pass
    finally:
        os.close(leader)
    assert process.wait(PATIENCE) == 0
    assert shown
    assert not re.search(rb"\x1b\[[0-9;]*m", shown)


@pytest.mark.parametrize(
    "start",
    ["import runpy; runpy.run_module('twilio_component', run_name='__main__')", "from {0} import {1}; sys.exit({1}())"],
    ids=["module", "script"],
)
@pytest.mark.parametrize("module", ["argparse", "twilio_component.cli.main", "twilio_component.host.errors"])
def test_ctrl_c_leaves_no_traceback_while_modules_are_imported(start: str, module: str) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entry = project["scripts"]["twilio-component"].split(":")
    program = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        f"sys.modules.pop({module!r}, None)\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "sys.argv = ['twilio-component', 'demo']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + start.format(*entry)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
