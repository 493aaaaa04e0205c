"""The host: whose it is, when it may be used, and what it puts around a call."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from twilio_component.host import Context, Host, Result
from twilio_component.host.errors import HostStateError, PluginError, UnknownKeyError

MakePlugin = Callable[..., object]


def invoked(plugin: object, **inputs: Any) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with Host([plugin]) as host:
            return await host.invoke_action("toy", "echo", inputs)

    return asyncio.run(run())


def test_an_action_a_trigger_and_a_data_source_have_their_envelopes(toy: MakePlugin) -> None:
    async def run() -> list[dict[str, Any]]:
        async with Host([toy()]) as host:
            return [
                await host.invoke_action("toy", "echo", {"number": "1"}),
                await host.invoke_trigger("toy", "receive", {"a": b"x"}, {"text": 1}),
                await host.invoke_data_source("toy", "offer"),
            ]

    assert asyncio.run(run()) == [
        {"data": {"number": 1}},
        {"payload": {"got": {"a": {"type": "Buffer", "data": [120]}}, "with": {"text": "1"}}},
        {"result": [{"label": "One", "key": "1"}]},
    ]


def test_what_a_function_returns_becomes_ready_for_json(toy: MakePlugin) -> None:
    async def odd(_context: Context, _inputs: dict[str, Any]) -> Any:
        noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=1)))
        return {1: (b"\x00\xff", noon), "set": {"a"}, "naive": dt.datetime(2026, 1, 1)}  # noqa: DTZ001 - that is the point

    assert invoked(toy(perform=odd))["data"] == {
        "1": [{"type": "Buffer", "data": [0, 255]}, "2026-01-01T11:00:00.000Z"],
        "set": ["a"],
        "naive": "2026-01-01T00:00:00.000Z",
    }


def test_what_json_cannot_hold_is_an_error_of_the_component(toy: MakePlugin) -> None:
    async def odd(_context: Context, _inputs: dict[str, Any]) -> Any:
        return {"x": object()}

    with pytest.raises(PluginError, match="only what JSON holds"):
        invoked(toy(perform=odd))


def test_a_result_may_carry_states_a_response_a_branch_and_more(toy: MakePlugin) -> None:
    async def rich(_context: Context, _inputs: dict[str, Any]) -> Result:
        return Result(
            value=1,
            instance_state={"a": 1},
            cross_flow_state={"b": 2},
            execution_state={"c": 3},
            integration_state={"d": 4},
            response={"statusCode": 204},
            branch="Yes",
            extra={"polledNoChanges": True},
        )

    assert invoked(toy(perform=rich)) == {
        "data": 1,
        "instanceState": {"a": 1},
        "crossFlowState": {"b": 2},
        "executionState": {"c": 3},
        "integrationState": {"d": 4},
        "response": {"statusCode": 204},
        "branch": "Yes",
        "polledNoChanges": True,
    }


def test_the_context_reaches_the_function_with_the_hosts_resources(toy: MakePlugin) -> None:
    seen: list[Context] = []

    async def look(context: Context, _inputs: dict[str, Any]) -> None:
        seen.append(context)

    async def run() -> None:
        async with Host([toy(perform=look)], debug=True) as host:
            await host.invoke_action("toy", "echo")
            await host.invoke_action("toy", "echo", context=Context(step_id="s-1"))

    asyncio.run(run())
    assert [context.step_id for context in seen] == ["", "s-1"]
    assert [context.debug for context in seen] == [True, True]
    assert seen[0].resources is seen[1].resources


def test_names_that_do_not_exist_are_named_with_the_nearest(toy: MakePlugin) -> None:
    async def run(component: str, action: str) -> None:
        async with Host([toy()]) as host:
            await host.invoke_action(component, action)

    with pytest.raises(UnknownKeyError, match="there is no component 'Toy'; did you mean 'toy'"):
        asyncio.run(run("Toy", "echo"))
    with pytest.raises(UnknownKeyError, match="toy has no action 'ecco'; did you mean 'echo'"):
        asyncio.run(run("toy", "ecco"))
    with pytest.raises(UnknownKeyError, match=r"toy has no action 'x' \(it has: echo\)"):
        asyncio.run(run("toy", "x"))


class TestWhenItMayBeUsed:
    def test_not_before_it_is_open(self, toy: MakePlugin) -> None:
        with pytest.raises(HostStateError, match="not open"):
            asyncio.run(Host([toy()]).invoke_action("toy", "echo"))

    def test_not_after_it_is_closed_and_not_opened_again(self, toy: MakePlugin) -> None:
        async def run() -> None:
            async with Host([toy()]) as host:
                pass
            with pytest.raises(HostStateError, match="closed"):
                await host.invoke_action("toy", "echo")
            with pytest.raises(HostStateError, match="opened before"):
                await host.__aenter__()

        asyncio.run(run())

    def test_not_in_another_event_loop(self, toy: MakePlugin) -> None:
        host = Host([toy()])
        asyncio.run(host.__aenter__())
        with pytest.raises(HostStateError, match="another event loop"):
            asyncio.run(host.invoke_action("toy", "echo"))

    def test_not_in_a_forked_process(self, toy: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
        async def run() -> None:
            async with Host([toy()]) as host:
                monkeypatch.setattr(os, "getpid", lambda: -1)
                with pytest.raises(HostStateError, match="never cross a fork"):
                    await host.invoke_action("toy", "echo")
                monkeypatch.undo()

        asyncio.run(run())


def test_calls_run_side_by_side(toy: MakePlugin) -> None:
    async def slow(_context: Context, inputs: dict[str, Any]) -> int:
        await asyncio.sleep(0.05)
        number: int = inputs["number"]
        return number

    async def run() -> tuple[list[dict[str, Any]], float]:
        async with Host([toy(perform=slow)]) as host:
            start = asyncio.get_running_loop().time()
            results = await asyncio.gather(*(host.invoke_action("toy", "echo", {"number": n}) for n in range(50)))
            return results, asyncio.get_running_loop().time() - start

    results, seconds = asyncio.run(run())
    assert [result["data"] for result in results] == [*range(50)]
    assert seconds < 50 * 0.05 / 2


def test_an_injected_transport_is_its_owners_to_close(toy: MakePlugin) -> None:
    class Transport(httpx.MockTransport):
        closed = False

        async def aclose(self) -> None:
            self.closed = True

    async def run() -> bool:
        transport = Transport(lambda _request: httpx.Response(200))
        async with Host([toy()], transport=transport) as host:
            assert host._resources.carrier is host._resources.carrier
        return transport.closed

    assert asyncio.run(run()) is False


def test_resources_forget_the_oldest_of_too_many() -> None:
    resources = Host()._resources
    made = [resources.once(number, object) for number in range(1_001)]
    assert resources.once(1_000, object) is made[1_000]
    assert resources.once(0, object) is not made[0]
