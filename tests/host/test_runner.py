"""The host: envelopes, contexts, states, concurrency."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import twilio_component.host
from twilio_component.host import Action, Context, DataSource, Display, Host, Result, Trigger
from twilio_component.host.errors import HostStateError, InputError, PluginError, UnknownKeyError
from twilio_component.host.resources import Resources

MakePlugin = Callable[..., object]


async def invoked(
    plugin: object, inputs: Any = None, *, context: Context | None = None, **options: Any
) -> dict[str, Any]:
    async with Host([plugin], **options) as host:
        return await host.invoke_action("toy", "echo", inputs, context=context)


def returning(value: Any) -> Any:
    async def perform(_context: Context, _inputs: dict[str, Any]) -> Any:
        return value

    return perform


async def test_each_kind_of_operation_has_its_envelope(toy: MakePlugin) -> None:
    async with Host([toy()]) as host:
        envelopes = [
            await host.invoke_action("toy", "echo", {"number": "5"}),
            await host.invoke_trigger("toy", "receive", {"body": {}}, {"text": 5}),
            await host.invoke_data_source("toy", "offer"),
        ]

    assert envelopes == [
        {"data": {"number": 5}},
        {"payload": {"got": {"body": {}}, "with": {"text": "5"}}},
        {"result": [{"label": "One", "key": "1"}]},
    ]


async def test_a_result_carries_states_response_branch_and_more(toy: MakePlugin) -> None:
    result = Result(
        value=None,
        instance_state={"at": dt.datetime(2026, 1, 2, 3, 4, 5, 678_900, dt.UTC)},
        cross_flow_state={"a": 1},
        execution_state={},
        integration_state={"b": 2},
        response={"statusCode": 204},
        branch="New",
        extra={"polledNoChanges": True},
    )
    assert await invoked(toy(perform=returning(result))) == {
        "data": None,
        "instanceState": {"at": "2026-01-02T03:04:05.678Z"},
        "crossFlowState": {"a": 1},
        "executionState": {},
        "integrationState": {"b": 2},
        "response": {"statusCode": 204},
        "branch": "New",
        "polledNoChanges": True,
    }
    assert await invoked(toy(perform=returning(Result(value=1)))) == {"data": 1}


async def test_results_are_plain_and_json_ready(toy: MakePlugin) -> None:
    value = {1: (b"Ex", bytearray(b"Ex"), {"x"}), "at": dt.datetime(2026, 1, 1), "in": [[[None, 1.5]]]}  # noqa: DTZ001 - taken as UTC
    assert await invoked(toy(perform=returning(value))) == {
        "data": {
            "1": [{"type": "Buffer", "data": [69, 120]}, {"type": "Buffer", "data": [69, 120]}, ["x"]],
            "at": "2026-01-01T00:00:00.000Z",
            "in": [[[None, 1.5]]],
        }
    }


async def test_a_result_that_json_cannot_hold_names_the_operation(toy: MakePlugin) -> None:
    with pytest.raises(
        PluginError, match=r"perform function of the action 'echo': a result may hold only .* not object"
    ):
        await invoked(toy(perform=returning({"x": object()})))


async def test_a_perform_function_that_is_not_async_is_told_so(toy: MakePlugin) -> None:
    def perform(_context: Context, _inputs: dict[str, Any]) -> dict[str, Any]:
        return {}

    with pytest.raises(PluginError, match="of the action 'echo' returned dict; it must be an 'async def'"):
        await invoked(toy(perform=perform))


async def test_what_a_component_raises_comes_out_unchanged(toy: MakePlugin) -> None:
    error = LookupError("nothing there")

    async def perform(_context: Context, _inputs: dict[str, Any]) -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        await invoked(toy(perform=perform))
    assert caught.value is error


async def test_wrong_inputs_never_reach_the_component(toy: MakePlugin) -> None:
    with pytest.raises(InputError, match=r"\$\.inputs\.numbr: is not known; did you mean 'number'"):
        await invoked(toy(perform=None), {"numbr": 1})


@pytest.mark.parametrize(
    ("method", "arguments", "text"),
    [
        ("invoke_action", ("tyo", "echo"), "there is no component 'tyo'; did you mean 'toy'?"),
        ("invoke_action", ("other", "echo"), r"there is no component 'other' \(found: toy\)"),
        ("invoke_action", ("toy", "Echo"), "toy has no action 'Echo'; did you mean 'echo'?"),
        ("invoke_action", ("toy", "receive"), r"toy has no action 'receive' \(it has: echo\)"),
        ("invoke_trigger", ("toy", "recieve", {}), "toy has no trigger 'recieve'; did you mean 'receive'?"),
        ("invoke_data_source", ("toy", "x"), r"toy has no data source 'x' \(it has: offer\)"),
    ],
)
async def test_an_unknown_key_is_reported_with_the_nearest_one(
    toy: MakePlugin, method: str, arguments: Any, text: str
) -> None:
    async with Host([toy()]) as host:
        with pytest.raises(UnknownKeyError, match=text):
            await getattr(host, method)(*arguments)


# Contexts


async def test_a_context_passes_through_with_the_hosts_resources(toy: MakePlugin) -> None:
    seen: list[Context] = []

    async def perform(context: Context, _inputs: dict[str, Any]) -> None:
        seen.append(context)

    given = Context(step_id="step", execution_id="e", instance_state={"a": 1}, logger=logging.getLogger("mine"))
    await invoked(toy(perform=perform), context=given)
    (context,) = seen
    assert (context.step_id, context.execution_id, context.instance_state) == ("step", "e", {"a": 1})
    assert context.logger.name == "mine"
    assert isinstance(context.resources, Resources)
    assert "resources" not in repr(context)


@pytest.mark.parametrize("said_by", [[], ["host"], ["context"], ["host", "context"]])
async def test_debug_is_on_when_the_host_or_the_context_says_so(toy: MakePlugin, said_by: list[str]) -> None:
    async def perform(told: Context, _inputs: dict[str, Any]) -> bool:
        return told.debug

    given = Context(debug="context" in said_by)
    assert await invoked(toy(perform=perform), context=given, debug="host" in said_by) == {"data": bool(said_by)}
    assert await invoked(toy(perform=perform), debug="host" in said_by) == {"data": "host" in said_by}


async def test_how_a_component_waits_is_the_callers_choice(toy: MakePlugin) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def perform(context: Context, _inputs: dict[str, Any]) -> None:
        await context.resources.sleep(60)

    await invoked(toy(perform=perform), sleep=sleep)
    assert waited == [60]


# Resources


def test_a_resource_is_made_once_and_the_oldest_of_too_many_is_forgotten() -> None:
    resources = Resources()
    made = [resources.get_or_create(number, lambda number=number: [number]) for number in range(1_001)]  # type: ignore[misc]  # a loop's lambda
    assert resources.get_or_create(1_000, list) is made[1_000]
    assert resources.get_or_create(1, list) is made[1]
    assert resources.get_or_create(0, lambda: ["again"]) == ["again"]


async def test_an_injected_transport_is_left_open_and_an_own_one_is_closed() -> None:
    class Closing(httpx.MockTransport):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    injected = Closing(lambda _request: httpx.Response(200))
    async with Host(transport=injected):
        pass
    assert not injected.closed
    resources = Resources()
    assert resources.transport is resources.transport
    await resources.aclose()
    before = Resources(injected)
    assert before.transport is not resources.transport
    await before.aclose()
    assert not injected.closed


# States


async def test_a_host_that_is_not_open_says_how_to_open_it(toy: MakePlugin) -> None:
    with pytest.raises(HostStateError, match="this host is not open; use it inside 'async with'"):
        await Host([toy()]).invoke_action("toy", "echo")


async def test_a_closed_host_is_neither_used_nor_opened_again(toy: MakePlugin) -> None:
    host = Host([toy()])
    async with host:
        pass
    with pytest.raises(HostStateError, match="this host is closed"):
        await host.invoke_action("toy", "echo")
    with pytest.raises(HostStateError, match="this host was opened before; make a new one"):
        await host.__aenter__()


def test_a_host_belongs_to_the_loop_that_opened_it(toy: MakePlugin) -> None:
    host = Host([toy()])
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(host.__aenter__())
        with pytest.raises(HostStateError, match="this host belongs to another event loop; from threads use BlockingH"):
            second.run(host.invoke_action("toy", "echo"))
        assert first.run(host.invoke_action("toy", "echo")) == {"data": {}}


async def test_a_host_belongs_to_the_process_that_opened_it(toy: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Host([toy()]) as host:
        monkeypatch.setattr("twilio_component.host.host.process_id", lambda: -1)
        with pytest.raises(HostStateError, match="connections never cross a fork: open one here"):
            await host.invoke_action("toy", "echo")


async def test_a_hundred_calls_run_at_once_and_each_gets_its_own_answer(toy: MakePlugin) -> None:
    arrived: list[int] = []
    all_here = asyncio.Event()

    async def perform(_context: Context, inputs: dict[str, Any]) -> int:
        arrived.append(inputs["number"])
        if len(arrived) == 100:
            all_here.set()
        await all_here.wait()
        return inputs["number"]  # type: ignore[no-any-return]

    async with Host([toy(perform=perform)]) as host:
        calls = [host.invoke_action("toy", "echo", {"number": str(number)}) for number in range(100)]
        envelopes = await asyncio.wait_for(asyncio.gather(*calls), 10)

    assert envelopes == [{"data": number} for number in range(100)]


async def test_a_cancelled_call_is_cancelled_in_the_component(toy: MakePlugin) -> None:
    ended: list[str] = []

    async def perform(_context: Context, _inputs: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("yes")

    async with Host([toy(perform=perform)]) as host:
        task = asyncio.create_task(host.invoke_action("toy", "echo"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == ["yes"]


def test_kinds_of_operations_name_themselves() -> None:
    shown = Display(label="X")
    kinds = [kind(key="x", display=shown, perform="json:dumps").kind for kind in (Action, Trigger, DataSource)]
    assert kinds == ["action", "trigger", "data source"]


def test_the_package_gives_its_names_on_first_use_and_no_others() -> None:
    for name in twilio_component.host.__all__:
        assert getattr(twilio_component.host, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Hots'"):
        _ = twilio_component.host.Hots  # type: ignore[attr-defined]
