"""What cannot work is refused at start, in a sentence that says what would work."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import update
from support.engine import SEND, serving
from support.serve_processes import FLOW

from twilio_component.cli import exit_codes
from twilio_component.cli.main import main
from twilio_component.durable.errors import DurableError, StoreUnavailableError
from twilio_component.durable.startup_checks import warn_of_earlier_runs
from twilio_component.durable.store.database_url import database_url, display_database, display_url
from twilio_component.durable.store.schema import runs
from twilio_component.flows import Configuration
from twilio_component.flows.runner.connection_values import check_given_connections
from twilio_component.host import Host
from twilio_component.host.errors import InputError
from twilio_component.serving import database_startup, server
from twilio_component.serving.database_startup import start_with_database, wait_for_database
from twilio_component.serving.worker import Worker

SECRET = "s3cr3t-password"
SCHEDULED = """\
name: S
flows:
  - name: F
    steps: [{name: T, isTrigger: true, action: schedule-triggers.schedule, schedule: {type: value, value: "CRON"}}]
"""


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FLOW_TWILIO", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_COMPONENT_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")


def test_a_port_in_use_is_bad_input_before_anything_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "flow.yaml", "--port", str(port)]) == exit_codes.BAD_INPUT
    assert f"--port: cannot listen on port {port}: address already in use" in capsys.readouterr().err
    assert not (tmp_path / ".twilio-component").exists()


def test_a_host_that_is_not_this_machine_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "flow.yaml", "--port", "0", "--host", "nowhere.invalid"]) == exit_codes.BAD_INPUT
    assert "--host: 'nowhere.invalid' is not an address or a name of this machine" in capsys.readouterr().err


def test_a_connection_without_a_value_is_named_with_the_variables_that_give_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "flow.yaml", "--port", "0"]) == exit_codes.BAD_INPUT
    said = capsys.readouterr().err
    assert "configVars.Twilio: has no username and password" in said
    assert "FLOW_TWILIO, or the environment variables TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" in said


CONNECTION = """\
configVars:
  Twilio:
    key: basic
    fields:
      username: AC00000000000000000000000000000002
      password: the-token
      baseUrl: http://127.0.0.1:1
"""
SLIPS = [
    (
        ("key: basic", "key: basicc"),
        "config.yaml:3:10: $.configVars.Twilio.key: 'basicc' is not a connection type here",
    ),
    (
        ("baseUrl", "baseURI"),
        "config.yaml:7:7: $.configVars.Twilio.fields.baseURI: is not known; did you mean 'baseUrl'?",
    ),
    (("AC0", "AC"), "config.yaml:5:17: $.configVars.Twilio.fields.username: must be an Account SID"),
    (("Twilio:", "Twillio:"), "config.yaml:2:3: $.configVars.Twillio: 'Twillio' is not a config variable of"),
    (("http://127", "127"), "$.configVars.Twilio.fields.baseUrl: must be an absolute URL that starts with https://"),
    (("password", "pasword"), "$.configVars.Twilio.fields.pasword: is not known; did you mean 'password'?"),
    (("fields:\n", "fields: AC\n  #"), "configVars.Twilio: 'fields' must be an object of fields by name, not text"),
]


@pytest.mark.parametrize("command", ["serve", "flow run"])
@pytest.mark.parametrize(("slip", "said"), SLIPS)
def test_a_connection_that_cannot_work_is_refused_where_it_stands(
    command: str, slip: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CONNECTION.replace(*slip)
    if "#" in text:
        text = text.partition("#")[0]
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    options = ["--port", "0"] if command == "serve" else ["--live"]
    assert main([*command.split(), "flow.yaml", "--config", "config.yaml", *options]) == exit_codes.BAD_INPUT
    err = capsys.readouterr().err
    assert said in err
    assert "has no username" not in err
    assert "has no password" not in err
    assert not (tmp_path / ".twilio-component").exists()


def test_a_connection_of_the_environment_is_checked_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOW_TWILIO", '{"key": "apiKeySecrt", "fields": {}}')
    assert main(["serve", "flow.yaml", "--port", "0"]) == exit_codes.BAD_INPUT
    assert "FLOW_TWILIO.key: 'apiKeySecrt' is not a connection type here; did you mean 'apiKeySecret'?" in (
        capsys.readouterr().err
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("key", "username", "said"),
    [
        ("basicc", "AC00000000000000000000000000000002", "configVars.Any.key: 'basicc' is not a connection type here"),
        ("basic", "AC1", "configVars.Any.fields.username: must be an Account SID"),
    ],
)
async def test_a_worker_checks_what_looks_like_a_connection(key: str, username: str, said: str) -> None:
    value = {"key": key, "fields": {"username": username, "password": "p", "region": "ie1"}}
    worker = Worker(database="postgresql://u@h/d", configuration=Configuration(config_vars={"Any": value}))
    with pytest.raises(InputError, match=said):
        await worker.run()


def test_a_worker_leaves_other_values_alone() -> None:
    values = {"Limits": {"key": "weather", "fields": {"a": 1}}, "Sender": "+15017122661", "Good": {"key": "basic"}}
    check_given_connections(Configuration(config_vars=values), Host.discover().components)


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30-31 feb *", "0 0 31 4,6,sep,11 *", "0 0 31 2-11/9 */1"])
def test_a_schedule_that_never_fires_is_refused(cron: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flow.yaml").write_text(SCHEDULED.replace("CRON", cron), encoding="utf-8")
    assert main(["flow", "check", "flow.yaml"]) == exit_codes.BAD_INPUT
    assert "it never fires" in capsys.readouterr().out


@pytest.mark.parametrize(
    "cron", ["0 0 29 2 *", "0 0 31 1-2 *", "0 0 31 2 1", "0 0 */31 2 *", "0 0 31 */2 *", "0 0 1 2/1 *"]
)
def test_a_schedule_that_fires_some_day_is_taken(cron: str, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(SCHEDULED.replace("CRON", cron), encoding="utf-8")
    assert main(["flow", "check", "flow.yaml"]) == exit_codes.DONE


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("x.sqlite", "sqlite:///{cwd}/x.sqlite"),
        ("./a/x.sqlite", "sqlite:///{cwd}/a/x.sqlite"),
        ("/var/x.sqlite", "sqlite:////var/x.sqlite"),
        ("sqlite:///x.sqlite", "sqlite:///{cwd}/x.sqlite"),
        ("sqlite:////var/x.sqlite", "sqlite:////var/x.sqlite"),
        ("postgres://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p%40@h:1/d?sslmode=require", "postgresql://u:p%40@h:1/d?sslmode=require"),
        (" postgresql+psycopg://h/d\n", "postgresql://h/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d?host=%2Frun%2Fpostgresql"),
    ],
)
def test_a_database_is_a_path_or_a_url(text: str, url: str) -> None:
    assert database_url(text) == url.format(cwd=Path.cwd())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sqlite://",
        "sqlite:///:memory:",
        f"mysql://u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h:port/d",
        f"postgresql://u:{SECRET}@h:0/d",
        f"postgresql://u:{SECRET}@{SECRET}@h/d",
        f"postgresql+asyncpg://u:{SECRET}@h/d",
    ],
)
def test_any_other_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InputError, match=r"--database: must be the path of a SQLite file.*postgresql://") as refused:
        database_url(text)
    assert SECRET not in str(refused.value)


def test_a_database_is_shown_as_the_path_that_it_has() -> None:
    assert display_database(database_url("/var/Mein Ordner/Läufe.sqlite")) == "/var/Mein Ordner/Läufe.sqlite"
    assert display_database(f"postgresql://u:{SECRET}@h/d") == "postgresql://u:***@h/d"


def test_a_password_is_not_shown() -> None:
    assert display_url(f"postgresql://u:{SECRET}@h/d") == "postgresql://u:***@h/d"


def test_the_database_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWILIO_COMPONENT_DATABASE", "one.sqlite")
    assert main(["runs", "list"]) == exit_codes.BAD_INPUT
    assert "one.sqlite" in capsys.readouterr().err
    (tmp_path / "url").write_text("two.sqlite\n")
    monkeypatch.setenv("TWILIO_COMPONENT_DATABASE_FILE", str(tmp_path / "url"))
    assert main(["runs", "list"]) == exit_codes.BAD_INPUT
    assert "TWILIO_COMPONENT_DATABASE: is set, and so is TWILIO_COMPONENT_DATABASE_FILE" in capsys.readouterr().err
    monkeypatch.delenv("TWILIO_COMPONENT_DATABASE")
    assert main(["runs", "list"]) == exit_codes.BAD_INPUT
    assert "two.sqlite" in capsys.readouterr().err
    assert main(["runs", "list", "--database", "three.sqlite"]) == exit_codes.BAD_INPUT
    assert "three.sqlite" in capsys.readouterr().err
    monkeypatch.setenv("TWILIO_COMPONENT_DATABASE_FILE", str(tmp_path / "nothing"))
    assert main(["runs", "list"]) == exit_codes.BAD_INPUT
    assert "TWILIO_COMPONENT_DATABASE_FILE: must name a text file that can be read" in capsys.readouterr().err


@pytest.mark.anyio
async def test_a_database_that_is_not_up_yet_is_waited_for_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reasons: list[str | None] = ["connection refused", "connection refused", "starting up", None]
    monkeypatch.setattr(database_startup, "_refusal", lambda _url: reasons.pop(0))
    monkeypatch.setattr(database_startup, "_PAUSE_SECONDS", 0.0)
    said: list[str] = []
    await wait_for_database("postgresql://u@h/d", said.append)
    assert said == [f"waiting for the database: {one}" for one in ("connection refused", "starting up")]


@pytest.mark.anyio
async def test_a_database_that_stays_away_is_worth_a_later_try_and_says_why() -> None:
    said: list[str] = []
    url = f"postgresql://u:{SECRET}@127.0.0.1:1/d"
    with pytest.raises(StoreUnavailableError, match=r"unavailable: .*refused") as away:
        await wait_for_database(url, said.append, patience=-1)
    assert away.value.retryable
    assert SECRET not in str(away.value)


@pytest.mark.anyio
async def test_a_database_that_will_never_take_us_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = 'FATAL: database "d" does not exist'
    monkeypatch.setattr(database_startup, "_refusal", lambda _url: reason)
    with pytest.raises(InputError, match="does not exist"):
        await wait_for_database("postgresql://u@h/d", print)
    await wait_for_database("sqlite:////nowhere/x.sqlite", print)


def test_only_migrating_needs_no_flow_and_serves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--migrate-only", "--database", "runs.sqlite"]) == exit_codes.DONE
    said = f"the database has the format of this release: {tmp_path / 'runs.sqlite'}\n"
    assert capsys.readouterr().out == said
    with closing(sqlite3.connect("runs.sqlite")) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"flow_runs", "flow_database_format", "workflow_status"} <= tables


def test_serving_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == exit_codes.BAD_INPUT
    assert "FILE: name at least one flow definition" in capsys.readouterr().err


def test_a_database_of_a_later_release_is_refused_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    main(["serve", "--migrate-only", "--database", "runs.sqlite"])
    with closing(sqlite3.connect("runs.sqlite")) as connection:
        connection.execute("UPDATE flow_database_format SET format = 99")
        connection.commit()
    capsys.readouterr()
    for command in (["runs", "list"], ["serve", "--migrate-only"]):
        assert main([*command, "--database", "runs.sqlite"]) != exit_codes.DONE
        said = capsys.readouterr().err
        assert said.startswith("the database has format 99, and this release knows formats up to ")
        assert said.count("\n") == 1


def _serve_with(configuration: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    Path("config.yaml").write_text(configuration, encoding="utf-8")
    assert main(["serve", "flow.yaml", "--port", "0", "--config", "config.yaml", *options]) == exit_codes.BAD_INPUT
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ("retention:\n  days: long", "2:9: $.retention.days: must be a number from 0 to 3,650"),
        ("lists: {stopAfter: 0}", "1:20: $.lists.stopAfter: must be a number"),
        ('rateLimits:\n  "+15017122661": 2\n  "+15017122662": fast', '3:19: $.rateLimits["…2662"]: must be a number'),
        ("senders:\n  A: '+15017122661'\n  Me: 5", "3:7: $.senders.Me: must be a name"),
        (
            'quietHours:\n  "+15017122661": {from: 25, to: "08:00"}',
            '2:26: $.quietHours["…2661"].from',
        ),
        ("sending: {timeuot: 3}", "1:11: $.sending.timeuot: is not known; did you mean 'timeout'?"),
        ("webhooks:\n  replays: never", "2:12: $.webhooks.replays: must be token or strict"),
        ("optOuts:\n  keywords:\n    stop: STOP", "3:11: $.optOuts.keywords.stop: must be a list of words"),
        ("onFailure: {url: 5}", "1:18: $.onFailure.url: must be a URL"),
        ("onFailure:\n  flow: Nope", "2:9: $.onFailure.flow: must be a flow that is served (served: "),
        (
            "onFailure: {command: [nosuchprogram]}",
            "1:22: $.onFailure.command: must begin with a program",
        ),
        ("retention: {days: 3}\nlost: 1", "2:1: $.lost: is not known"),
        ("endpointKeys:\n  Repli: [a]", "2:3: $.endpointKeys.Repli: is not a flow that is served"),
        ("order: {'+1': conversation}", '1:9: $.order["+1"]: is not a sender'),
    ],
)
def test_what_is_wrong_in_a_configuration_is_named_with_its_line(
    section: str, place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "serve_until_stopped", None)  # a configuration that passes must not be served
    text = section if "lost" in section else f"{section}\n{CONNECTION}"
    assert f"config.yaml:{place}" in _serve_with(text, capsys)


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ('rateLimits: {"+15017122661": 2, "501-712-2661": 3}', '1:33: $.rateLimits["…2661"]: is not unique'),
        ("webhooks: {replays: never}", "1:21: $.webhooks.replays: must be token or strict"),
        (
            "optOuts: {keywords: {stop: [START]}}",
            "1:28: $.optOuts.keywords.stop: has the word START, which always",
        ),
        ("endpointKeys: {Reply: [short]}", "1:23: $.endpointKeys.Reply: each key must be at least"),
        ("senders: {A: '+15017122661', B: '+15017122661'}", "1:33: $.senders.B: A and B are the same sender"),
    ],
)
def test_running_a_flow_here_checks_the_sections_of_served_flows_too(
    section: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_text(f"{section}\n{CONNECTION}", encoding="utf-8")
    for options in (["--live"], ["--dry-run"]):
        assert main(["flow", "run", "flow.yaml", "--config", "config.yaml", *options]) == exit_codes.BAD_INPUT
        assert f"config.yaml:{place}" in capsys.readouterr().err


def test_secrets_that_a_configuration_names_need_not_be_where_a_flow_is_only_tried() -> None:
    alarms = "onFailure: {url: 'https://a.example', secret: {environment: NOT_SET}}"
    keys = "endpointKeys: {Reply: {file: none}}"
    Path("config.yaml").write_text(f"{alarms}\n{keys}\n{CONNECTION}", encoding="utf-8")
    options = ["--config", "config.yaml", "--payload", "{}", "--dry-run"]
    assert main(["flow", "run", "flow.yaml", *options]) != exit_codes.BAD_INPUT


@pytest.mark.parametrize("public", [[], ["--public-url", "https://flows.example.com"]])
def test_an_order_after_delivery_that_will_not_hear_of_deliveries_is_a_warning(
    public: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: object) -> None:
        raise DurableError("far enough")

    monkeypatch.setattr(database_startup, "wait_for_database", stop)
    order = "{by: conversation, after: delivery}"
    Path("config.yaml").write_text(f'order: {{"+15017122661": {order}}}\n{CONNECTION}', encoding="utf-8")
    main(["serve", "flow.yaml", "--port", "0", "--config", "config.yaml", *public])
    warns = "after: delivery} of the sender …2661 needs --public-url" in capsys.readouterr().out
    assert warns is not bool(public)


async def test_an_earlier_run_whose_connection_has_gone_is_warned_of_and_its_error_says_what_gives_one(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    async with serving(tmp_path, SEND.replace("value: Twilio}", "value: Old Account}")) as served:
        served.text = served.text.replace("key: Twilio,", "key: Old Account,")
        served.definition = served.deployment.load("test.yaml", served.text)
        error = (await served.run("run-1"))["error"]
        await warn_of_earlier_runs(served.deployment, (), served.engine.database, said.append)
        assert said == []  # it has ended
        await served.engine.database.run(lambda one: one.execute(update(runs).values(state="paused")) and None)
        await warn_of_earlier_runs(served.deployment, [served.definition], served.engine.database, said.append)
        assert said == []  # it is served now, so it has been refused already
        await warn_of_earlier_runs(served.deployment, (), served.engine.database, said.append)
    assert error["code"] == "input-invalid"
    assert "(the config variable 'Old Account', from --config or FLOW_OLD_ACCOUNT)" in error["message"]
    (warning,) = said
    assert "warning: 1 unfinished run of an earlier test.yaml will fail where a step needs" in warning
    assert "has no username and password: give the connection in --config" in warning
    assert "FLOW_OLD_ACCOUNT" in warning


def test_a_connection_that_is_given_as_a_configuration_is_recognized(capsys: pytest.CaptureFixture[str]) -> None:
    said = _serve_with("key: basic\nfields: {username: AC1}\n", capsys)
    assert "config.yaml:1:1: $: this is a connection: give it in configVars" in said


def test_a_database_in_a_folder_that_does_not_exist_is_said_to_be_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(*_: object) -> None:
        """Stand in for serving: it ends at once."""

    monkeypatch.setattr(server, "serve_until_stopped", stop)
    Path("config.yaml").write_text(CONNECTION, encoding="utf-8")
    serve = ["serve", "flow.yaml", "--port", "0", "--config", "config.yaml", "--database", "nowhere/runs.sqlite"]
    assert main(serve) == exit_codes.DONE
    assert f"state: {tmp_path / 'nowhere' / 'runs.sqlite'} (a new database, in a new folder)" in capsys.readouterr().out
    assert main(serve) == exit_codes.DONE
    assert "new database" not in capsys.readouterr().out


def test_webhooks_are_not_registered_at_an_emulator(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--register: sets webhooks at Twilio" in _serve_with(CONNECTION, capsys, "--emulator", "--register")


def test_text_that_looks_like_a_placeholder_is_a_warning_of_serve_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW.replace("{{$", "{{", 1), encoding="utf-8")
    assert main(["serve", "flow.yaml", "--port", "0"]) == exit_codes.BAD_INPUT  # for want of a connection
    assert "looks like a placeholder but is text (malformed-placeholder)" in capsys.readouterr().out


async def test_a_start_that_loses_its_database_begins_anew(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said, connect = new_database(), list[str](), psycopg.connect
    opened = 0

    def connect_and_lose_others(*arguments: Any, **options: Any) -> Any:
        nonlocal opened
        opened += 1
        if opened in (3, 8):  # before the workflow engine has begun, and the next time while it begins
            with connect(url, autocommit=True) as ending:
                ending.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        return connect(*arguments, **options)

    monkeypatch.setattr(psycopg, "connect", connect_and_lose_others)
    monkeypatch.setattr(database_startup, "_PAUSE_SECONDS", 0.0)
    opening = lambda _report: serving(tmp_path, SEND, database=url)  # noqa: E731 - it is passed on
    async with start_with_database(url, said.append, opening) as served:
        assert (await served.run("run-1"))["state"] == "succeeded"
    assert said
    assert all(one.startswith("waiting for the database: the database is unavailable (") for one in said)


async def test_a_start_gives_up_on_its_database_after_a_while_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_startup, "_refusal", lambda _url: None)
    monkeypatch.setattr(database_startup, "_PAUSE_SECONDS", 0.0)
    said, starts = list[str](), list[str]()

    @asynccontextmanager
    async def opening(report: Callable[[str], None]) -> AsyncIterator[None]:
        starts.append("start")
        report("a warning")
        if starts:
            raise StoreUnavailableError("the database is unavailable (it shuts down)")
        yield

    refused = r"^the database is unavailable \(it shuts down\): postgresql://u:\*\*\*@h/d$"
    with pytest.raises(StoreUnavailableError, match=refused):
        async with start_with_database(f"postgresql://u:{SECRET}@h/d", said.append, opening, patience=0.05):
            pass
    assert len(starts) > 1
    assert said == ["a warning", "waiting for the database: the database is unavailable (it shuts down)"]
    with pytest.raises(StoreUnavailableError):
        async with start_with_database("sqlite:////x.sqlite", said.append, opening):
            pass
