"""The command line: what it prints where, and what its exit codes say."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from twilio_component.cli import exit_codes
from twilio_component.cli.commands import emulator as emulator_command
from twilio_component.cli.main import COMMANDS, command_parser, main
from twilio_component.durable.errors import DurableError, StoreBusyError, StoreUnavailableError
from twilio_component.emulator import Emulator
from twilio_component.host.errors import HostStateError, InputError, PluginError
from twilio_component.testing import emulator_connection
from twilio_component.twilio.errors import NotSentError, OutcomeUnknownError, RateLimitedError, TwilioAPIError

SMS = ["--input", "to=+15558675310", "--input", "from=+15017122661", "--input", "message=Hi=there"]
TWILIO_VARIABLES = [
    "PRISMATIC_CONNECTION_VALUE",
    *(f"TWILIO_{name}" for name in ("ACCOUNT_SID", "AUTH_TOKEN", "API_KEY", "API_SECRET", "REGION", "EDGE")),
]


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TWILIO_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of the commands that do something."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for one in group.choices.values():
            yield from leaves(one)


def program(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twilio_component", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


class TestDescribe:
    def test_the_component_for_a_person(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe"]) == 0
        said = capsys.readouterr().out
        for word in ("component key: twilio", "apiKeySecret", "basic", "webhook", "sendSMS", "rawRequest"):
            assert word in said

    def test_descriptions_are_in_one_column_however_long_a_key_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe"]) == 0
        shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
        assert any("selectMessagingService" in line for line in shown)
        assert len({re.match(r"  \S+ {2,}", line).end() for line in shown}) == 1  # type: ignore[union-attr]

    def test_one_operation_with_its_inputs_and_example(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", "sendSMS"]) == 0
        said = capsys.readouterr().out
        assert "to (text, required)" in said
        assert "validityPeriod (whole number)" in said
        assert '"accountSid"' in said

    def test_the_complete_manifest_as_json_with_every_reference_resolved(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["describe", "--json"]) == 0
        said = capsys.readouterr().out
        assert '"$ref"' not in said
        manifest = json.loads(said)
        assert manifest["key"] == "twilio"
        assert manifest["actions"]["sendSMS"]["inputs"]["properties"]["to"]["type"] == "string"

    def test_one_operation_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", "--json", "getSMS"]) == 0
        assert json.loads(capsys.readouterr().out)["display"]["label"] == "Get SMS"

    def test_an_unknown_operation_is_bad_input(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", "sendSms"]) == 2
        assert "did you mean 'sendSMS'" in capsys.readouterr().err

    def test_it_starts_without_validator_and_http_client(self) -> None:
        code = (
            "import sys; from twilio_component.cli.main import main; main(['describe']);"
            "print(sorted({'httpx', 'aiohttp', 'jsonschema', 'asyncio', 'phonenumbers', 'rich'} & set(sys.modules)),"
            " file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("option", "most"),
    [
        ("--help", {"json", "twilio_component.durable.store", "twilio_component.durable.store.default_database"}),
        ("--version", {"json", "logging", "datetime", "socket"}),
    ],
)
def test_help_and_version_load_little(option: str, most: set[str]) -> None:
    code = (
        "import atexit, sys; from twilio_component.cli.main import main;"
        "heavy = {'yaml', 'json', 'logging', 'datetime', 'socket', 'asyncio', 'jsonschema', 'httpx'};"
        "loaded = lambda: {name for name in sys.modules if name in heavy or '.flows.' in name or '.durable.' in name};"
        "atexit.register(lambda: print(*loaded(), file=sys.stderr)); main(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stderr.split()) <= most


class TestInvoke:
    def test_a_send_starts_without_validator_http_libraries_and_other_manifests(self, tmp_path: Path) -> None:
        code = (
            "import sys; from twilio_component.cli.main import main; from pathlib import Path;"
            "from twilio_component.host.manifest import references; read = [];"
            "original = references.read_carefully;"
            "references.read_carefully = lambda path: read.append(Path(path).name) or original(path);"
            "code = main(sys.argv[1:]);"
            "heavy = {'aiohttp', 'httpx', 'jsonschema', 'yarl', 'certifi', 'anyio', 'sqlalchemy'} & set(sys.modules);"
            "print(code, sorted(heavy), read, file=sys.stderr)"
        )
        with Emulator().serve_in_thread() as served:
            connection = emulator_connection()
            connection["fields"]["baseUrl"] = served.url
            file = tmp_path / "connection.yaml"
            file.write_text(json.dumps(connection))
            command = [sys.executable, "-c", code, "invoke", "sendSMS", "--connection", str(file), *SMS]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert done.stderr == "0 [] ['component.yaml']\n"
        assert json.loads(done.stdout)["data"]["body"] == "Hi=there"

    def test_json_on_standard_output_and_nothing_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["invoke", "sendSMS", "--emulator", *SMS]) == 0
        said = capsys.readouterr()
        assert json.loads(said.out)["data"]["body"] == "Hi=there"
        assert said.err == ""

    @pytest.mark.parametrize(
        "text", ['{"to": "+15558675310", "from": "MyBrand"}', "to: '+15558675310'\nfrom: MyBrand\n"]
    )
    def test_inputs_from_a_file_completed_on_the_command_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
    ) -> None:
        file = tmp_path / "inputs"
        file.write_text(text)
        assert main(["invoke", "sendSMS", "--emulator", "--inputs", str(file), "--input", "message=x"]) == 0
        assert json.loads(capsys.readouterr().out)["data"]["from"] == "MyBrand"

    def test_inputs_from_standard_input(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{limit: 5}")))
        assert main(["invoke", "listMessages", "--emulator", "--inputs", "-"]) == 0
        assert json.loads(capsys.readouterr().out) == {"data": []}

    def test_a_refusal_of_twilios_is_exit_code_1_without_a_traceback(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            main(["invoke", "sendSMS", "--emulator", *(word.replace("+15558675310", "+15005550001") for word in SMS)])
            == 1
        )
        said = capsys.readouterr()
        assert said.out == ""
        assert "21211" in said.err
        assert "Traceback" not in said.err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["invoke", "sendSms", "--emulator"], "did you mean 'sendSMS'"),
            (["invoke", "sendSMS", "--emulator", "--input", "to"], "must be of the form key=value"),
            (["invoke", "sendSMS", "--emulator", "--inputs", "/does/not/exist"], "/does/not/exist"),
            (["invoke", "sendSMS", "--emulator", "--input", "to=1"], "$.inputs.to"),
            (["invoke", "sendSMS", *SMS], "TWILIO_ACCOUNT_SID"),
            (["invoke", "sendSMS", *SMS, "--connection", "/does/not/exist"], "/does/not/exist"),
        ],
    )
    def test_bad_input_is_exit_code_2_and_named(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
    ) -> None:
        assert main(arguments) == 2
        assert said in capsys.readouterr().err

    def test_a_list_of_inputs_must_be_an_object(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "inputs").write_text("- 1\n")
        assert main(["invoke", "getSMS", "--emulator", "--inputs", str(tmp_path / "inputs")]) == 2
        assert "must be an object" in capsys.readouterr().err

    def test_a_table_where_a_person_looks(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert main(["invoke", "sendSMS", "--emulator", *SMS]) == 0
        assert "status               queued" in capsys.readouterr().out
        assert main(["invoke", "sendSMS", "--emulator", "--json", *SMS]) == 0
        assert json.loads(capsys.readouterr().out)["data"]

    @pytest.mark.parametrize(
        ("environment", "kind"),
        [
            ({"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t"}, "basic"),
            (
                {
                    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
                    "TWILIO_API_KEY": "SK" + "0" * 32,
                    "TWILIO_API_SECRET": "s",
                    "TWILIO_AUTH_TOKEN": "t",
                    "TWILIO_REGION": "ie1",
                },
                "apiKeySecret",
            ),
        ],
    )
    def test_the_connection_comes_from_twilios_variables(self, environment: dict[str, str], kind: str) -> None:
        from twilio_component.host import load_component
        from twilio_component.host.connections import connection_from_environment
        from twilio_component.twilio.plugin import manifest_file

        connection = connection_from_environment(load_component(manifest_file()), environment)
        assert connection["key"] == kind
        whole = json.dumps({"key": "basic", "fields": {"username": "x"}})
        assert connection_from_environment(
            load_component(manifest_file()), {**environment, "PRISMATIC_CONNECTION_VALUE": whole}
        ) == json.loads(whole)

    @pytest.mark.parametrize(("value", "said"), [("{", "is not JSON"), ("[]", "must be a connection as JSON")])
    def test_a_whole_connection_that_is_not_valid_is_named(
        self, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PRISMATIC_CONNECTION_VALUE", value)
        assert main(["invoke", "listMessages"]) == 2
        assert said in capsys.readouterr().err

    def test_a_connection_file_has_key_and_fields_or_the_fields_alone(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from twilio_component.emulator import Emulator

        with Emulator().serve_in_thread() as server:
            fields = f"{{username: AC{'0' * 32}, password: x, baseUrl: '{server.url}'}}"
            for text in (f"key: basic\nfields: {fields}\n", f"{fields}\n"):
                (tmp_path / "c.yaml").write_text(text)
                assert main(["invoke", "listMessages", "--connection", str(tmp_path / "c.yaml")]) == 0
        (tmp_path / "c.yaml").write_text("[]")
        assert main(["invoke", "listMessages", "--connection", str(tmp_path / "c.yaml")]) == 2
        assert "must be a connection" in capsys.readouterr().err


class TestExitCodes:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (InputError("x", []), exit_codes.BAD_INPUT),
            (TwilioAPIError(400, 21211, "x", None), exit_codes.FAILED),
            (OutcomeUnknownError("x"), exit_codes.OUTCOME_UNKNOWN),
            (RateLimitedError(429, 20429, "x", None), exit_codes.TRY_LATER),
            (NotSentError("x"), exit_codes.TRY_LATER),
            (StoreUnavailableError("x"), exit_codes.TRY_LATER),
            (StoreBusyError("x"), exit_codes.TRY_LATER),
            (HostStateError("x"), exit_codes.FAILED),
            (PluginError("x"), exit_codes.FAILED),
            (DurableError("x"), exit_codes.BAD_INPUT),
        ],
    )
    def test_they_say_whether_it_happened_and_whether_to_try_again(self, error: Any, code: int) -> None:
        assert exit_codes.exit_code(error) == code

    def test_a_bug_is_70_and_shows_its_place_only_in_debug(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(_options: Any) -> int:
            raise RuntimeError("the number +15558675310")

        monkeypatch.setattr("twilio_component.cli.commands.invoke.run", broken)
        assert main(["invoke", "getSMS"]) == exit_codes.BUG
        said = capsys.readouterr().err
        assert "unexpected RuntimeError" in said
        assert "15558675310" not in said
        with pytest.raises(RuntimeError):
            main(["invoke", "getSMS", "--debug"])

    def test_what_is_said_of_a_bug_names_no_option_that_the_command_lacks(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(_options: Any) -> int:
            raise RuntimeError("the number +15558675310")

        for parser in leaves(command_parser("")):
            options = argparse.Namespace(**{one.dest: one.default for one in parser._actions} | {"run": fail})
            parsing = SimpleNamespace(parse_args=lambda _words, options=options: options)
            monkeypatch.setattr("twilio_component.cli.main.command_parser", lambda _word, parsing=parsing: parsing)
            assert main([]) == exit_codes.BUG
            said = capsys.readouterr().err
            has_debug = "--debug" in parser._option_string_actions
            assert ("--debug shows where" if has_debug else "unexpected RuntimeError at twilio_component/cli/") in said
            assert set(re.findall(r"--[a-z-]+", said)) <= parser._option_string_actions.keys(), parser.prog
            assert "15558675310" not in said

    def test_an_interruption_is_130(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(_options: Any) -> int:
            raise KeyboardInterrupt

        monkeypatch.setattr("twilio_component.cli.commands.invoke.run", interrupted)
        assert main(["invoke", "getSMS"]) == exit_codes.INTERRUPTED

    def test_a_reader_that_has_seen_enough_is_not_an_error(self) -> None:
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as closed:
            done = subprocess.run(
                [sys.executable, "-m", "twilio_component", "describe", "--json"],
                stdout=closed,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                timeout=60,
            )
        assert (done.returncode, done.stderr) == (0, "")

    def test_no_command_is_a_usage_error(self) -> None:
        assert program().returncode == 2


def test_the_version_is_that_of_the_installed_package() -> None:
    done = program("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"twilio-component {version('twilio-component')}\n", "")


@pytest.mark.parametrize("port", ["-1", "65536", "http", "1.5", "٣", ""])
@pytest.mark.parametrize("command", [["emulator"], ["serve", "flow.yaml"]])
def test_a_port_that_does_not_exist_is_bad_input(
    command: list[str], port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--port", port])
    assert ended.value.code == exit_codes.BAD_INPUT
    assert "must be a port number from 0 to 65535" in capsys.readouterr().err


def test_help_teaches() -> None:
    done = program("--help")
    assert done.returncode == 0
    for word in ("describe", "invoke", "emulator", "demo", "signature", "examples:", "exit codes:"):
        assert word in done.stdout
    assert "TWILIO_ACCOUNT_SID" in program("invoke", "--help").stdout


def test_the_demo_shows_the_four_actions_and_leaves_nothing_on_standard_error() -> None:
    done = program("demo")
    assert (done.returncode, done.stderr) == (0, "")
    for action in ("sendSMS", "getSMS", "listMessages", "rawRequest"):
        assert f"▸ {action}" in done.stdout


class TestEmulator:
    def test_names_of_hosts_are_handed_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given: list[dict[str, Any]] = []
        monkeypatch.setattr(emulator_command, "serve_emulator", lambda **options: given.append(options))
        names = ["--allow-host", "twilio.test", "--webhook-host", "app.test", "--webhook-host", "other.test"]
        assert main(["emulator", "--port", "0", *names]) == 0
        assert given[0]["allowed_hosts"] == ["twilio.test"]
        assert given[0]["webhook_hosts"] == ["app.test", "other.test"]

    def test_a_port_that_is_taken_is_reported(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            assert main(["emulator", "--port", str(port)]) == exit_codes.BAD_INPUT
        assert f"--port: cannot listen on port {port}: address already in use" in capsys.readouterr().err


def test_every_command_has_a_parser_of_its_own_that_is_found_by_its_name() -> None:
    for name in COMMANDS:
        (choices,) = (action.choices for action in command_parser(name)._actions if action.choices)
        assert set(choices) == {name}
    (everything,) = (action.choices for action in command_parser("")._actions if action.choices)
    assert set(everything) == set(COMMANDS)
