"""An agent's session: the SDK's own client lists the tools, runs a flow, repeats itself, and one message is sent."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from support.pages import blocks

from twilio_component.agent_tools import flow_tools
from twilio_component.agent_tools.read_only import connection_to_look, read_only_tools
from twilio_component.agent_tools.server import ToolServer, http_app
from twilio_component.cli.commands.mcp import _tool_server
from twilio_component.cli.main import command_parser
from twilio_component.durable.engine import Engine
from twilio_component.durable.errors import StoreUnavailableError
from twilio_component.durable.operator.operations import Operations
from twilio_component.durable.store import schema
from twilio_component.durable.store.database import Database
from twilio_component.emulator import Emulator
from twilio_component.flows import Configuration, FlowError
from twilio_component.host import DocumentError, Host, InputError
from twilio_component.testing import emulator_connection

# The SDK is imported where it is used: it takes a second, of every worker that collects tests.
pytestmark = pytest.mark.skipif(find_spec("mcp") is None, reason="needs mcp, an extra that `make` installs")

TO, FROM = "+15558675310", "+15017122661"
FLOWS = """\
name: Bookings
requiredConfigVars:
  - {key: Twilio, dataType: connection, connection: {component: twilio, key: basic}}
flows:
  - name: Confirm Booking
    schemas:
      invoke:
        $schema: "https://json-schema.org/draft/2020-12/schema"
        title: confirmBooking
        description: Confirms a booking by SMS.
        type: object
        properties: {phone: {type: string, minLength: 5}, name: {type: string}}
        required: [phone, name]
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          to: {type: reference, value: trigger.results.body.data.phone}
          from: {type: value, value: "+15017122661"}
          message: {type: template, value: "See you soon, {{$trigger.results.body.data.name}}!"}
  - name: Count Words
    schemas: {invoke: {type: object, properties: {text: {type: string}}, required: [text], additionalProperties: {}}}
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Segments
        action: twilio.estimateMessage
        inputs: {message: {type: reference, value: trigger.results.body.data.text}}
  - name: Not A Tool
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - {name: Log, action: log.writeLog, inputs: {message: {type: value, value: x}}}
"""
FORGETTING = """\
  - name: Forget Message
    schemas: {invoke: {type: object, properties: {sid: {type: string}}, required: [sid]}}
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Delete
        action: twilio.deleteMessage
        inputs:
          twilioConnection: {type: configVar, value: Twilio}
          sid: {type: reference, value: trigger.results.body.data.sid}
"""
READ_ONLY = ["getSMS", "listMessages", "why", "estimateMessage", "errors"]
CONFIRM = {"phone": TO, "name": "Ada", "requestKey": "booking-7"}


def tool_server(folder: Path, emulator: Emulator, flows: str = FLOWS, *, allow_send: bool = True) -> ToolServer:
    (folder / "flows.yaml").write_text(flows, encoding="utf-8")
    return ToolServer(
        files=[folder / "flows.yaml"],
        database=f"sqlite:///{folder / 'mcp.sqlite'}",
        connection=emulator_connection,
        configuration=Configuration(
            config_vars={"Twilio": emulator_connection()}, durability={"sending": {"timeout": 1, "lagBound": 0.2}}
        ),
        allow_send=allow_send,
        transport=emulator.transport,
    )


@asynccontextmanager
async def agent(tools: ToolServer, **options: Any) -> AsyncIterator[Any]:
    from mcp import Client

    async with tools.open() as server, Client(server, **options) as client:
        yield client


def elicit_result(**options: Any) -> Any:
    from mcp.types import ElicitResult

    return ElicitResult(**options)


async def call(client: Any, name: str, arguments: dict[str, Any]) -> tuple[bool, Any]:
    """Whether the call failed, and what it returned."""
    result = await client.call_tool(name, arguments)
    assert json.loads(result.content[0].text) is not None
    return result.is_error, result.structured_content


async def test_a_session_lists_runs_and_repeats_and_one_message_is_sent(tmp_path: Path) -> None:
    emulator = Emulator()
    async with agent(tool_server(tmp_path, emulator)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == [*READ_ONLY, "confirmBooking", "Count-Words"]

        failed, first = await call(client, "confirmBooking", CONFIRM)
        assert (failed, first["state"]) == (False, "succeeded")
        for key in ("booking-7", " booking-7\n"):
            failed, again = await call(client, "confirmBooking", {**CONFIRM, "requestKey": key})
            assert (failed, again["run"], again["repeated"]) == (False, first["run"], True)
        failed, changed = await call(client, "confirmBooking", {**CONFIRM, "name": "Bob"})
        assert (failed, "other arguments" in changed["message"], first["run"] in changed["message"]) == (True,) * 3
        assert [message.body for message in emulator.messages] == ["See you soon, Ada!"]

        failed, other = await call(client, "confirmBooking", {**CONFIRM, "requestKey": "B\xf6rse"})
        assert (failed, other["run"] != first["run"]) == (False, True)
        _, again = await call(client, "confirmBooking", {**CONFIRM, "requestKey": "Bo\u0308rse"})
        assert again["run"] == other["run"]
    assert len(emulator.messages) == 2


async def test_calls_of_a_flow_that_queues_take_their_turns_like_its_webhooks(tmp_path: Path) -> None:
    emulator = Emulator()
    flows = FLOWS.replace("Confirm Booking\n", "Confirm Booking\n    queueConfig: {usesFifoQueue: true}\n", 1)
    async with agent(tool_server(tmp_path, emulator, flows)) as client:
        keys = ("booking-7", "booking-8", "booking-9")
        told = await asyncio.gather(*(call(client, "confirmBooking", {**CONFIRM, "requestKey": key}) for key in keys))
        assert [(failed, run["state"]) for failed, run in told] == [(False, "succeeded")] * 3
    with closing(sqlite3.connect(tmp_path / "mcp.sqlite")) as connection:
        found = connection.execute("SELECT queue, queue_number FROM flow_runs ORDER BY queue_number").fetchall()
    assert found == [("Bookings/Confirm Booking", number) for number in (1, 2, 3)]
    assert len(emulator.messages) == 3


def test_the_same_key_after_a_restart_sends_nothing(tmp_path: Path) -> None:
    emulator = Emulator()

    async def session() -> Any:
        async with agent(tool_server(tmp_path, emulator)) as client:
            return await call(client, "confirmBooking", CONFIRM)

    outcomes = [asyncio.run(session()) for _ in range(2)]
    assert [(failed, outcome["state"]) for failed, outcome in outcomes] == [(False, "succeeded")] * 2
    assert len(emulator.messages) == 1


async def test_an_outcome_that_is_unknown_is_reported_as_that_and_not_repeated(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.faults.server_error(operation="messages.create", status=500)
    async with agent(tool_server(tmp_path, emulator)) as client:
        for repeated in (False, True):
            failed, error = await call(client, "confirmBooking", CONFIRM)
            assert (failed, error["code"], error["mayHaveHappened"]) == (True, "flow-outcome-unknown", True)
            assert "MAY have sent" in error["message"]
            assert TO not in error["message"]
            assert f"--database {tmp_path / 'mcp.sqlite'}" in error["message"]
            assert error.get("repeated", False) is repeated
    sends = [record for record in emulator.request_log.requests if record.operation == "messages.create"]
    assert len(sends) == 1


async def test_a_flow_that_failed_says_whether_it_did_something_before(tmp_path: Path) -> None:
    emulator = Emulator()
    failing = """\
      - name: Look
        action: twilio.getSMS
        inputs: {twilioConnection: {type: configVar, value: Twilio}, sid: SM00000000000000000000000000000000}
"""
    flows = FLOWS.replace("  - name: Count Words\n", f"{failing}  - name: Count Words\n")
    async with agent(tool_server(tmp_path, emulator, flows)) as client:
        emulator.faults.api_error(21408, times=1, operation="messages.create")
        failed, refused = await call(client, "confirmBooking", CONFIRM)
        assert (failed, refused["code"], refused["mayHaveHappened"]) == (True, "flow-failed", False)
        assert (await call(client, "confirmBooking", CONFIRM))[1] == {**refused, "repeated": True}
        failed, sent = await call(client, "confirmBooking", {**CONFIRM, "requestKey": "booking-8"})
        assert (failed, sent["code"], sent["mayHaveHappened"]) == (True, "flow-failed", True)
        assert "do not run it with another requestKey" in sent["message"]
        assert f"--database {tmp_path / 'mcp.sqlite'}" in sent["message"]


async def test_what_an_operator_did_with_a_run_is_reported_as_it_is(tmp_path: Path) -> None:
    emulator = Emulator()
    server = tool_server(tmp_path, emulator)
    database = Database(server.database)

    async def set_state(state: str) -> None:
        await database.run(lambda connection: connection.execute(update(schema.runs).values(state=state)))

    async def outcome() -> tuple[Any, ...]:
        failed, told = await call(client, "confirmBooking", CONFIRM)
        return failed, told.get("state"), told.get("mayHaveHappened")

    async with agent(server) as client:
        emulator.faults.api_error(21408, times=1, operation="messages.create")
        _, first = await call(client, "confirmBooking", CONFIRM)
        (run,) = re.findall(r"mcp-\w+", first["message"])
        for stopped in ("paused", "stopped"):
            await set_state(stopped)
            assert await outcome() == (False, stopped, None)
        # Its only call was refused, so that nothing can have happened.
        for ended, may_have_happened in (("cancelled", False), ("resolved", True)):
            await set_state(ended)
            assert await outcome() == (True, None, may_have_happened)
        await set_state("failed")
        await Operations(database).retry(run)
        assert await outcome() == (False, "succeeded", None)
        assert await Operations(database).purge(0) == 2
        failed, told = await call(client, "confirmBooking", CONFIRM)
        assert (failed, told["mayHaveHappened"], told["repeated"]) == (True, True, True)
        assert "has been purged" in told["message"]
    database.close()
    assert len(emulator.messages) == 1


async def test_a_call_that_waits_says_why_and_once_cancelled_that_nothing_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_tools, "SECONDS", 0.5)
    emulator = Emulator()
    server = tool_server(tmp_path, emulator)
    async with agent(server) as client:
        emulator.faults.refuse(times=1000)
        while "waits" not in (told := (await call(client, "confirmBooking", CONFIRM))[1])["note"]:
            assert told["state"] == "running"
        assert re.search(r"send has sent nothing and waits until \S+ \(twilio-not-sent\)", told["note"])
        await Operations(server_database := Database(server.database)).cancel(told["run"])
        server_database.close()
        while "note" in (told := (await call(client, "confirmBooking", CONFIRM))[1]):
            assert told["state"] == "running"
        assert (told["mayHaveHappened"], told["repeated"]) == (False, True)
        assert "It has sent nothing, but an operator can resume it" in told["message"]
    assert emulator.messages == []


async def test_a_database_that_goes_away_under_a_call_does_not_make_it_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, wait = Emulator(), Engine.wait_for_outcome

    async def go_away(*_: Any) -> Any:
        raise StoreUnavailableError("the database is unavailable")

    async with agent(tool_server(tmp_path, emulator)) as client:
        monkeypatch.setattr(Engine, "wait_for_outcome", go_away)
        failed, error = await call(client, "confirmBooking", CONFIRM)
        assert (failed, error["mayHaveHappened"], "the same requestKey" in error["message"]) == (True, True, True)
        monkeypatch.setattr(Engine, "wait_for_outcome", wait)
        failed, told = await call(client, "confirmBooking", CONFIRM)
        assert (failed, told["state"]) == (False, "succeeded")
    assert len(emulator.messages) == 1


async def test_annotations_come_from_the_manifest(tmp_path: Path) -> None:
    async with agent(tool_server(tmp_path, Emulator(), FLOWS + FORGETTING)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    hints = {name: (tool.annotations.read_only_hint, tool.annotations.destructive_hint) for name, tool in tools.items()}
    changing = dict.fromkeys(["confirmBooking", "Forget-Message"], (False, True))
    assert hints == dict.fromkeys([*READ_ONLY, "Count-Words"], (True, False)) | changing
    assert all(tool.annotations.idempotent_hint for tool in tools.values())
    schema = tools["confirmBooking"].input_schema
    assert schema["required"] == ["phone", "name", "requestKey"]
    assert tools["confirmBooking"].description == "Confirms a booking by SMS. Does twilio.sendSMS."
    assert "requestKey" not in tools["Count-Words"].input_schema["properties"]
    # What a flow's own schema says of other properties stays as it is.
    assert [tools[name].input_schema["additionalProperties"] for name in ("confirmBooking", "Count-Words")] == [
        False,
        {},
    ]


async def test_without_permission_flows_that_send_are_not_offered_and_the_agent_is_told(tmp_path: Path) -> None:
    emulator = Emulator()
    async with agent(tool_server(tmp_path, emulator, FLOWS + FORGETTING, allow_send=False)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == [*READ_ONLY, "Count-Words"]
        assert "--allow-send" in client.instructions
        failed, error = await call(client, "confirmBooking", CONFIRM)
        assert (failed, error["code"]) == (True, "tool-unknown")
    assert emulator.messages == []


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize(("content", "sent"), [({"confirm": True}, 1), ({"confirm": False}, 0), (None, 0)])
async def test_a_client_that_can_ask_its_user_does_so_before_a_send(
    tmp_path: Path, content: dict[str, bool] | None, sent: int, mode: str
) -> None:
    emulator, asked = Emulator(), []

    async def ask(_context: Any, params: Any) -> Any:
        asked.append(params.message)
        return elicit_result(action="decline" if content is None else "accept", content=content)

    async with agent(tool_server(tmp_path, emulator), elicitation_callback=ask, mode=mode) as client:
        failed, outcome = await call(client, "confirmBooking", CONFIRM)
        await call(client, "estimateMessage", {"message": "Hi"})
    words = "\n".join(f"{name}: {json.dumps(value)}" for name, value in CONFIRM.items())
    assert asked == [f"Run Confirm Booking? It does twilio.sendSMS.\n{words}"]
    assert (len(emulator.messages), failed) == (sent, not sent)
    assert sent or outcome["code"] == "not-confirmed"


async def test_a_repeated_call_asks_nobody_since_it_sends_nothing(tmp_path: Path) -> None:
    emulator, answers = Emulator(), iter([True, False])

    async def ask(_context: Any, _params: Any) -> Any:
        return elicit_result(action="accept", content={"confirm": next(answers)})

    async with agent(tool_server(tmp_path, emulator), elicitation_callback=ask) as client:
        await call(client, "confirmBooking", CONFIRM)
        failed, again = await call(client, "confirmBooking", CONFIRM)
        assert (failed, again["state"], again["repeated"]) == (False, "succeeded", True)
        failed, other = await call(client, "confirmBooking", {**CONFIRM, "requestKey": "booking-8"})
        assert (failed, other["code"], other["mayHaveHappened"]) == (True, "not-confirmed", False)
    assert len(emulator.messages) == 1


async def test_the_read_only_tools_look_at_messages_and_explain_failures(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.lifecycle.fail(30003)
    async with agent(tool_server(tmp_path, emulator)) as client:
        await call(client, "confirmBooking", CONFIRM)
        await emulator.clock.advance(60)
        _, listed = await call(client, "listMessages", {"limit": 1})
        (message,) = listed["items"]
        _, got = await call(client, "getSMS", {"sid": message["sid"]})
        _, reason = await call(client, "why", {"sid": message["sid"]})
        _, code = await call(client, "errors", {"code": 21610})
    assert (got["sid"], got["status"]) == (message["sid"], "failed")
    assert (reason["status"], reason["code"], bool(reason["remedy"])) == ("failed", 30003, True)
    assert code["code"] == 21610


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("getSMS", {"sid": "x"}, "$.sid: must be the SID of a message (SM…)"),
        ("getSMS", {}, "$.sid: is required"),
        ("errors", {"code": 1}, "$.code: 1 is not known"),
        ("listMessages", {"limit": 1000}, "$.limit: must be at most 50, not 1000"),
        ("confirmBooking", {"phone": TO, "name": "Ada"}, "$.requestKey: is required"),
        ("confirmBooking", {**CONFIRM, "requestKey": " \n"}, "$.requestKey: must not be blank"),
        ("confirmBooking", {**CONFIRM, "fone": "x"}, "$.fone: is not known here; did you mean 'phone'?"),
        ("estimateMessage", {"mesage": "x"}, "$.mesage: is not known here; did you mean 'message'?"),
    ],
)
async def test_wrong_arguments_are_named(tmp_path: Path, name: str, arguments: dict[str, Any], message: str) -> None:
    emulator = Emulator()
    async with agent(tool_server(tmp_path, emulator)) as client:
        failed, error = await call(client, name, arguments)
    assert failed
    assert message in error["message"]
    assert emulator.messages == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda text: text.replace("sendSMS", "sendSms"), FlowError, "did you mean 'sendSMS'"),
        (lambda text: text.replace("title: confirmBooking", "title: getSMS"), InputError, "getSMS would be two tools"),
        (
            lambda text: text.replace("{type: object, prop", "{type: array, prop"),
            DocumentError,
            "must be the JSON Schema",
        ),
        (
            lambda text: text.replace("required: [phone, name]", "required: [phone, nam]"),
            DocumentError,
            "flows.yaml:8:9: .*it has no property nam, which it requires; did you mean 'name'",
        ),
    ],
)
async def test_flows_that_cannot_be_tools_are_refused_at_the_start(
    tmp_path: Path, change: Callable[[str], str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        async with tool_server(tmp_path, Emulator(), change(FLOWS)).open():
            pytest.fail("it has started")


async def test_a_receiver_of_alarms_that_cannot_be_there_is_refused_at_the_start(tmp_path: Path) -> None:
    for receiver, problem in (
        ({"flow": "Cont Words"}, "onFailure.flow: must be a flow that is served; did you mean 'Count Words'?"),
        ({"command": ["no-such-program"]}, "onFailure.command: must begin with a program of this machine"),
    ):
        tools = tool_server(tmp_path, Emulator())
        tools = replace(tools, configuration=replace(tools.configuration, durability={"onFailure": receiver}))
        with pytest.raises(InputError, match=re.escape(problem)):
            async with tools.open():
                pass


async def test_over_http_a_client_needs_the_token(tmp_path: Path) -> None:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with tool_server(tmp_path, Emulator()).open() as server:
        app = http_app(server, "the-token")
        inner = app._app  # type: ignore[attr-defined]  # its lifespan starts the sessions
        async with inner.router.lifespan_context(inner):
            transport = httpx2.ASGITransport(app)
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "the-token"}):
                async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                    assert (await client.post("/mcp", headers=headers, json={})).status_code == 401
            async with httpx2.AsyncClient(transport=transport, headers={"Authorization": "Bearer the-token"}) as client:
                connection = streamable_http_client("http://127.0.0.1:8000/mcp", http_client=client)
                async with Client(connection) as agent_client:
                    assert len((await agent_client.list_tools()).tools) == 7


async def test_the_pages_example_returns_the_message_that_it_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator()
    (example,) = [block.code for block in blocks("docs/how-to/agent-tools.md") if block.kind == "yaml"]
    async with agent(tool_server(tmp_path, emulator, example)) as client:
        _, told = await call(client, "confirmBooking", CONFIRM)
        assert told["response"]["sid"] == emulator.messages[0].sid
    assert caplog.messages == []


async def test_what_is_not_offered_is_said_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with agent(tool_server(tmp_path, Emulator(), allow_send=False)):
        assert [message.partition("flows.yaml: ")[2] for message in caplog.messages] == [
            "the flow Confirm Booking is not offered: it does twilio.sendSMS, which needs --allow-send",
            "the flow Not A Tool is not offered: it declares no schemas.invoke",
        ]


async def test_the_tools_that_look_take_the_connection_of_the_flows_and_are_not_offered_without_any(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator()
    server = replace(tool_server(tmp_path, emulator), connection=None)
    async with agent(server) as client:
        await call(client, "confirmBooking", CONFIRM)
        _, listed = await call(client, "listMessages", {})
    assert [message["sid"] for message in listed["items"]] == [emulator.messages[0].sid]
    async with Host.discover() as host:
        assert connection_to_look([], host, {}) is None
        assert [tool.name for tool in read_only_tools(host, None)] == ["estimateMessage", "errors"]
    assert caplog.messages[-1].startswith("getSMS, listMessages and why are not offered: no flow has a connection")


def test_the_database_lies_beside_the_flows_since_the_client_chooses_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWILIO_COMPONENT_DATABASE", raising=False)

    def database(folder: str, *arguments: object) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        options = command_parser("mcp").parse_args(["mcp", *map(str, arguments)])
        with ExitStack() as stack:
            return _tool_server(options, stack).database

    flows = tmp_path / "flows" / "flows.yaml"
    expected = f"sqlite:///{tmp_path}/flows/.twilio-component/mcp.sqlite"
    assert {database("x1", flows), database("x2", flows), database("flows", "flows.yaml")} == {expected}
    for given in ("mcp.sqlite", "sqlite:///mcp.sqlite"):
        with pytest.raises(InputError, match="--database: must be an absolute path"):
            database("x1", flows, "--database", given)
    assert database("x1", "flows.yaml", "--database", "own.sqlite") == f"sqlite:///{tmp_path}/x1/own.sqlite"


async def test_the_command_serves_a_client_over_standard_input_and_output(tmp_path: Path) -> None:
    (tmp_path / "flows.yaml").write_text(FLOWS, encoding="utf-8")
    command = ["-m", "twilio_component", "mcp", "flows.yaml", "--emulator", "--allow-send"]
    from mcp import Client, StdioServerParameters

    parameters = StdioServerParameters(command=sys.executable, args=command, cwd=tmp_path)
    async with Client(parameters) as client:
        _, outcome = await call(client, "confirmBooking", CONFIRM)
        assert outcome["state"] == "succeeded"
        _, listed = await call(client, "listMessages", {})
    assert [message["to"] for message in listed["items"]] == [TO]


async def test_the_tools_cost_an_agent_few_tokens(tmp_path: Path) -> None:
    async with agent(tool_server(tmp_path, Emulator())) as client:
        tools = (await client.list_tools()).tools
    text = json.dumps([tool.model_dump(by_alias=True, exclude_none=True) for tool in tools if tool.name in READ_ONLY])
    # A token is about four characters, and words and marks are at most as many again.
    assert len(re.findall(r"\w+|[^\w\s]", text)) < 700
    assert len(text) / 4 < 500
