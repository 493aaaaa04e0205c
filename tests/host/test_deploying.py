"""What triggers do when an instance is deployed or removed, and what plugins do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twilio_component.host import (
    BlockingHost,
    Component,
    Context,
    Display,
    Host,
    Result,
    Trigger,
    check_manifest,
    hookimpl,
    load_component,
)
from twilio_component.host.errors import PluginError

SHOWN = Display(label="Shown")
INPUTS = {"type": "object", "additionalProperties": False, "properties": {"n": {"type": "integer"}}}


async def _receive(_context: Context, payload: dict[str, Any], _inputs: dict[str, Any]) -> Any:
    return payload


async def deploy(context: Context, inputs: dict[str, Any]) -> Result:
    await context.keep_instance_state({"before": inputs["n"]})
    return Result(value=context.webhook_urls["Flow"], instance_state={"before": None, "after": inputs["n"]})


async def delete(context: Context, _inputs: dict[str, Any]) -> Any:
    return dict(context.instance_state)


class Toy:
    def __init__(self, **functions: Any) -> None:
        self.trigger = Trigger(key="wait", display=SHOWN, perform=_receive, inputs=INPUTS, **functions)

    @hookimpl
    def register_component(self) -> Component:
        return Component(key="toy", display=SHOWN, triggers={"wait": self.trigger})


def context(kept: list[Any] | None = None) -> Context:
    async def keep(state: Any) -> None:
        if kept is not None:
            kept.append(state)

    urls = {"Flow": "https://flows.example.com/flow"}
    return Context(instance_state={"after": 1}, keep_instance_state=keep, webhook_urls=urls)


async def test_a_trigger_is_deployed_and_removed_with_clean_inputs_and_the_states_that_it_keeps() -> None:
    kept: list[Any] = []
    async with Host([Toy(on_instance_deploy=deploy, on_instance_delete=delete)]) as host:
        envelopes = [
            await host.deploy_trigger("toy", "wait", {"n": "4"}, context=context(kept)),
            await host.delete_trigger("toy", "wait", context=context(kept)),
        ]

    assert envelopes == [
        {"result": "https://flows.example.com/flow", "instanceState": {"before": None, "after": 4}},
        {"result": {"after": 1}},
    ]
    assert kept == [{"before": 4}]


def test_a_host_that_keeps_states_only_at_the_end_can_deploy_too() -> None:
    with BlockingHost(lambda: Host([Toy(on_instance_deploy=deploy, on_instance_delete=delete)])) as host:
        plain = Context(webhook_urls={"Flow": "https://flows.example.com/flow"})
        assert host.deploy_trigger("toy", "wait", {"n": 1}, context=plain)["instanceState"]["after"] == 1
        assert host.delete_trigger("toy", "wait", context=plain) == {"result": {}}


async def test_a_plugin_stands_in_for_a_deployment_and_around_a_removal() -> None:
    class Watching:
        @hookimpl
        def perform_instance_deploy(self, trigger: Trigger, inputs: dict[str, Any]) -> Any:
            async def instead() -> dict[str, Any]:
                return {"result": f"{trigger.key} {inputs['n']} is not deployed"}

            return instead()

        @hookimpl(wrapper=True)
        def perform_instance_delete(self) -> Any:
            inner = yield

            async def around() -> dict[str, Any]:
                return {**(await inner), "seen": True}

            return around()

    async with Host([Toy(on_instance_deploy=deploy, on_instance_delete=delete), Watching()]) as host:
        envelopes = [
            await host.deploy_trigger("toy", "wait", {"n": 4}, context=context()),
            await host.delete_trigger("toy", "wait", context=context()),
        ]

    assert envelopes == [
        {"result": "wait 4 is not deployed"},
        {"result": {"after": 1}, "seen": True},
    ]


def test_functions_that_do_not_resolve_are_refused_with_the_plugin() -> None:
    for name in ("on_instance_deploy", "on_instance_delete"):
        with pytest.raises(PluginError, match="nowhere"):
            Host([Toy(**{name: "nowhere:function"})])


def test_a_manifest_names_both_functions_and_mistakes_in_them_are_found(tmp_path: Path) -> None:
    path = tmp_path / "component.yaml"
    text = """\
key: toy
display: {label: Toy, description: A toy., category: Toys}
triggers:
  wait:
    display: {label: Wait, description: Waits.}
    perform: tests_of_nothing:receive
    onInstanceDeploy: asyncio:wait_for
    onInstanceDelete: asyncio:open_connection
    example: {payload: {}}
"""
    path.write_text(text.replace("tests_of_nothing:receive", "asyncio:start_server"))
    assert check_manifest(path) == []
    trigger = load_component(path).triggers["wait"]
    assert (trigger.on_instance_deploy, trigger.on_instance_delete) == ("asyncio:wait_for", "asyncio:open_connection")
    assert dict(trigger.options) == {}

    path.write_text(text.replace("asyncio:open_connection", "json:dump_it"))
    assert any("json has no callable 'dump_it'" in str(problem) for problem in check_manifest(path))
