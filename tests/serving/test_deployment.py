"""The files of a deployment: well formed, without privileges or secrets, and with commands that this program takes.

No container engine is needed: what the files say is read, and the commands of the composition are run as they stand.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from support.forked_programs import start_program
from support.ports import reserve_port
from support.serve_processes import ACCOUNT_SID, AUTH_TOKEN, FLOW, inbound, post
from support.waiting import PATIENCE, until

from twilio_component.cli.main import command_parser

if TYPE_CHECKING:
    from support.forked_programs import ForkedProcess

    from twilio_component.emulator import Emulator

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HEALTH = "9464"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, continued lines joined."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines]


def composition() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


def unit() -> configparser.ConfigParser:
    # Keys may come twice, and % is systemd's.
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / "twilio-component.service").read_text(encoding="utf-8"))
    return parser


def is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
    except httpx.TransportError:
        return False


def succeeds(script: str) -> bool:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def commands() -> Iterator[list[str]]:
    for service in composition()["services"].values():
        if "command" in service:
            yield service["command"]
    yield shlex.split(unit()["Service"]["ExecStart"])[1:]


@pytest.mark.parametrize("command", [*commands()], ids=lambda command: command[0])
def test_each_command_is_one_that_this_program_takes(command: list[str]) -> None:
    assert command_parser(command[0]).parse_args(command)


def test_the_image_copies_what_exists_runs_as_nobody_and_checks_its_health() -> None:
    found = instructions()
    assert [name for name, _ in found].count("FROM") == 2
    for name, text in found:
        if name == "COPY" and not text.startswith("--from"):
            assert all((ROOT / part).exists() for part in text.split()[:-1]), text
        if name == "FROM":
            assert re.search(r":\d+\.\d+-slim", text)  # a version, and not whatever is newest
        if name in ("ENV", "ARG"):
            assert not re.search(r"TOKEN|PASSWORD|SECRET", text)
    by_name = dict(found)
    assert by_name["USER"].isdigit()
    assert by_name["USER"] != "0"
    assert HEALTH in by_name["HEALTHCHECK"]
    assert by_name["ENTRYPOINT"] == '["twilio-component"]'


def test_the_composition_gives_secrets_as_files_and_no_privileges() -> None:
    compose = composition()
    names = set(compose["secrets"])
    for name, service in compose["services"].items():
        assert set(service["secrets"]) <= names
        for variable, value in service["environment"].items():
            if re.search(r"TOKEN|PASSWORD|DATABASE_F", variable):
                assert variable.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"]
        if name != "database":
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
        for needed in service.get("depends_on", {}):
            assert needed in compose["services"]
    assert compose["services"]["worker"]["deploy"] == {"replicas": 2}
    # Only this machine reaches the webhooks, and nobody from outside the health port.
    assert compose["services"]["serve"]["ports"] == ["127.0.0.1:8000:8000"]
    ignored = subprocess.run(["git", "check-ignore", "deploy/secrets/x"], cwd=ROOT, capture_output=True, check=False)
    assert ignored.returncode == 0 or not (ROOT / ".git").exists()


def test_the_unit_has_a_user_of_its_own_a_state_and_a_credential() -> None:
    service = unit()["Service"]
    assert service["DynamicUser"] == "yes"
    assert f"/var/lib/{service['StateDirectory']}/" in service["ExecStart"]
    (credential, _, file) = service["LoadCredential"].partition(":")
    assert service["Environment"] == f"TWILIO_AUTH_TOKEN_FILE=%d/{credential}"
    assert file.startswith("/etc/twilio-component/")
    assert service["ProtectSystem"] == "strict"


def test_the_commands_of_the_composition_work_with_secrets_from_files_and_nothing_else(
    emulator: Emulator, twilio: str, tmp_path: Path, empty_database: Callable[[], str]
) -> None:
    """An empty environment, the commands as they stand; only ports, paths and the public URL are this test's."""
    services = composition()["services"]
    ports = {"8000": reserve_port(), HEALTH: reserve_port()}
    worker_port = reserve_port()
    secrets = {"database_url": empty_database(), "twilio_auth_token": f"{AUTH_TOKEN}\n"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    connection = f'{{fields: {{username: {ACCOUNT_SID}, baseUrl: "{twilio}", password: {AUTH_TOKEN}}}}}'
    (tmp_path / "configuration.yaml").write_text(f"configVars: {{Twilio: {connection}}}\n", encoding="utf-8")
    public = f"http://127.0.0.1:{ports['8000']}"
    environment = {
        "PATH": os.defpath,
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "twilio_auth_token"),
        "TWILIO_COMPONENT_DATABASE_FILE": str(tmp_path / "database_url"),
    }

    def start(service: str, health: int) -> ForkedProcess:
        words = [re.sub(r"\$\{PUBLIC_URL:[^}]*\}", public, word) for word in services[service]["command"]]
        words = [word.replace("--port=8000", f"--port={ports['8000']}").replace(HEALTH, str(health)) for word in words]
        with (tmp_path / f"{service}.log").open("wb") as log:
            return start_program("support.crashing_serve", words, environment, log.fileno(), tmp_path)

    assert start("migrate", 0).wait(2 * PATIENCE) == 0
    processes = [start("serve", ports[HEALTH]), start("worker", worker_port)]
    check = next(text for name, text in instructions() if name == "HEALTHCHECK")
    code = re.search(r'"-c", "(.*)"\]', check)
    assert code is not None
    try:
        for port in (ports[HEALTH], worker_port):
            until(partial(is_ready, port), f"the process at {port} is ready", 2 * PATIENCE)
            assert succeeds(code[1].replace(HEALTH, str(port)))
            assert succeeds(code[1].replace(HEALTH, str(port)).replace("healthz", "readyz"))
        assert post(f"{public}/demo/reply", inbound(1)).status_code == 204
        until(lambda: len(emulator.messages) == 1, "the message is sent")
    finally:
        for process in processes:
            process.terminate()
        assert [process.wait(PATIENCE) for process in processes] == [0, 0]
