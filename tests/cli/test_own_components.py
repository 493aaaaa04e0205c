"""What the command line says when a component of one's own fails: where, and without its secrets."""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from twilio_component.cli.commands import component as component_command
from twilio_component.cli.main import main
from twilio_component.host.discovery import installed_plugins

MANIFEST = """\
key: ferry
display: {label: Ferry, description: Books ferries, category: Examples}
connections:
  account:
    display: {label: Account, description: An account}
    inputs:
      type: object
      additionalProperties: false
      required: [apiKey]
      properties:
        apiKey: {type: string, title: Key, description: The secret., writeOnly: true, environment: FERRY_API_KEY}
actions:
  book:
    display: {label: Book, description: Books a place}
    perform: ferry_functions:book
    inputs:
      type: object
      additionalProperties: false
      required: [connection]
      properties:
        connection: {format: connection, title: Connection, description: The account.}
        how: {type: string, title: How, description: How it fails.}
    example: {data: {}}
"""

FUNCTIONS = """\
import json

from twilio_component.host import PerformError


async def book(context, inputs):
    key = inputs["connection"]["fields"]["apiKey"]
    if inputs["how"] == "refuses":
        raise PerformError(f"the ferry does not know the key {key}")
    if inputs["how"] == "decodes":
        json.loads("{" + key)
    return {key: 1}[inputs["how"]]
"""

PLUGIN = """\
from pathlib import Path

from twilio_component.host import hookimpl, load_component


@hookimpl
def register_component():
    return load_component(Path(__file__).with_name("component.yaml"))
"""


@pytest.fixture
def ferry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A component beside the installed ones, and its key in the environment."""
    for name, text in (("component.yaml", MANIFEST), ("ferry_functions.py", FUNCTIONS), ("ferry_plugin.py", PLUGIN)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    installed = installed_plugins()
    entry = EntryPoint("ferry", "ferry_plugin", "integration_components")
    monkeypatch.setattr("twilio_component.host.host.installed_plugins", lambda: [*installed, entry])
    for module in ("ferry_functions", "ferry_plugin"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setenv("FERRY_API_KEY", "a key of nobody")
    return tmp_path


def test_a_secret_in_its_error_is_hidden(ferry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ferry.is_dir()
    assert main(["invoke", "ferry.book", "--input", "how=refuses"]) == 1
    assert capsys.readouterr().err == "the ferry does not know the key [hidden]\n"


@pytest.mark.parametrize(("how", "line", "error"), [("decodes", 11, "JSONDecodeError"), ("dies", 12, "KeyError")])
def test_an_unexpected_error_names_the_line_of_the_component_and_none_of_its_values(
    ferry: Path, capsys: pytest.CaptureFixture[str], how: str, line: int, error: str
) -> None:
    assert main(["invoke", "ferry.book", "--input", f"how={how}"]) == 70
    said = capsys.readouterr().err
    assert said == (
        f"{ferry / 'ferry_functions.py'}:{line}: unexpected {error} in 'book'; --debug shows the whole traceback\n"
    )


def test_the_check_says_that_hosts_find_it(ferry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = ferry / "component.yaml"
    assert main(["component", "check", str(manifest)]) == 0
    assert capsys.readouterr().err == f"{manifest} has no mistakes, and hosts find 'ferry'\n"


def test_an_operation_that_succeeds_prints_its_result(ferry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ferry.is_dir()
    assert main(["invoke", "ferry.book", "--input", "how=a key of nobody"]) == 0
    assert json.loads(capsys.readouterr().out) == {"data": 1}


def test_the_installed_components_are_listed_with_what_they_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["component", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()
    (twilio,) = [line for line in shown if line.startswith("twilio ")]
    assert "actions sendSMS, " in twilio
    assert "triggers webhook, " in twilio

    assert main(["component", "list", "--json"]) == 0
    listed = {one["key"]: one for one in json.loads(capsys.readouterr().out)}
    assert "loop" in listed
    assert "sendSMS" in listed["twilio"]["actions"]


FLOW = """\
name: Trips
requiredConfigVars:
  - {key: Ferry Account, dataType: connection, connection: {component: ferry, key: account}}
flows:
  - name: Book
    steps:
      - {name: Begin, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Trip, action: ferry.book, inputs: {connection: Ferry Account, how: HOW}}
"""


def test_what_it_prints_never_gets_between_the_results(ferry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("ferry_functions.py", "ferry_plugin.py"):
        text = (ferry / file).read_text().replace("    key = inputs", '    print("works"); key = inputs')
        (ferry / file).write_text(f'print("imported")\n{text}')
    (ferry / "flow.yaml").write_text(FLOW.replace("HOW", "a key of nobody"))
    for command in (
        ["invoke", "ferry.book", "--json", "--input", "how=a key of nobody"],
        ["flow", "run", str(ferry / "flow.yaml"), "--live", "--json"],
        ["describe", "ferry", "--json"],
    ):
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert isinstance(json.loads(out), dict)
        assert ("works" in err) is (command[0] != "describe")


def test_the_text_of_its_exception_in_a_flow_is_shown_on_request_without_secrets(
    ferry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = ferry / "ferry_functions.py"
    functions.write_text(functions.read_text() + '\n\ndef fail(key):\n    raise ValueError(f"no place with {key}")\n')
    functions.write_text(functions.read_text().replace("return {key: 1}", "return fail(key) or {key: 1}"))
    (ferry / "flow.yaml").write_text(FLOW.replace("HOW", "dies"))
    run = ["flow", "run", str(ferry / "flow.yaml"), "--live"]
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)  # set back in the end
    assert main(run) != 0
    said = capsys.readouterr().err
    assert ["builtins.ValueError\n" in said, "ValueError: no" in said] == [True, False]
    assert "--debug shows it" in said

    monkeypatch.setattr(logging.root, "handlers", [])
    assert main([*run, "--debug"]) != 0
    assert "ValueError: no place with [hidden]\n" in capsys.readouterr().err


def test_a_flow_says_why_it_cannot_be_used_though_it_is_installed(
    ferry: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ferry / "ferry_plugin.py").write_text("import no_such_module\n")
    (ferry / "flow.yaml").write_text(FLOW.replace("HOW", "dies"))
    assert main(["flow", "check", str(ferry / "flow.yaml")]) == 2
    said = capsys.readouterr().out
    assert (
        "the component 'ferry' cannot be used: the plugin 'ferry' of an unknown distribution cannot be loaded" in said
    )
    assert ("No module named 'no_such_module'" in said, "pip install" in said) == (True, False)

    (ferry / "flow.yaml").write_text(FLOW.replace("ferry.book", "bridge.cross"))
    assert main(["flow", "check", str(ferry / "flow.yaml")]) == 2
    assert "the component 'bridge' is not installed" in (said := capsys.readouterr().out)
    assert "or mend it: the plugin 'ferry'" in said


@pytest.mark.parametrize("files", [(), ("__init__.py",)])
def test_another_copy_of_a_package_is_found_with_and_without_an_init_file(
    files: tuple[str, ...], tmp_path: Path
) -> None:
    for place in ("mine", "installed"):
        folder = tmp_path / place / "meteo"
        folder.mkdir(parents=True)
        for name in ("component.yaml", *files):
            (folder / name).touch()
    manifest, mine, installed = Path("meteo/component.yaml"), tmp_path / "mine", tmp_path / "installed"
    assert component_command._other_copy(manifest, mine, [str(installed)]) == installed / "meteo"
    assert component_command._other_copy(manifest, mine, [str(mine), str(installed)]) is None
