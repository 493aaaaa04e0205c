"""Functions that a manifest names and that cannot be called as hosts call them: seen by the check, and when called."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from twilio_component.host import Action, Component, Display, Host, PluginError, hookimpl
from twilio_component.host.manifest.functions import misuse

PERFORM = ("actions", "act", "perform")


async def right(_context: Any, _inputs: Any) -> Any:
    return _inputs


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


def plain(_context: Any, _inputs: Any) -> Any:
    return _inputs


def awaitable(_context: Any, _inputs: Any) -> Awaitable[Any]:
    return right(_context, _inputs)


async def short(inputs: Any) -> Any:
    return inputs


async def generator(_context: Any, _inputs: Any) -> Any:
    yield _inputs


class Callee:
    async def __call__(self, _context: Any, inputs: Any) -> Any:
        return inputs


@pytest.mark.parametrize(
    "function", [right, wrapped(right), awaitable, functools.partial(right), Callee(), asyncio.wait_for]
)
def test_what_can_be_awaited_with_the_arguments_is_right(function: Callable[..., Any]) -> None:
    assert [*misuse(function, PERFORM)] == []


@pytest.mark.parametrize(
    ("function", "place", "wrong"),
    [
        (plain, PERFORM, "must be an 'async def'"),
        (wrapped(plain), PERFORM, "must be an 'async def'"),
        (generator, PERFORM, "must be an 'async def'"),
        (short, PERFORM, "takes (inputs), and is called with (context, inputs)"),
        (
            right,
            ("triggers", "t", "perform"),
            "takes (_context, _inputs), and is called with (context, payload, inputs)",
        ),
        (right, ("actions", "act", "page"), "takes (_context, _inputs), and is called with (context, inputs, after)"),
        (plain, ("connections", "c", "check"), "must be an 'async def'"),
        (
            short,
            ("actions", "a", "inputs", "properties", "x", "clean"),
            "takes (inputs), and is called with (value, inputs)",
        ),
    ],
)
def test_what_cannot_be_called_or_awaited_is_reported(
    function: Callable[..., Any], place: tuple[str, ...], wrong: str
) -> None:
    assert [*misuse(function, place)] == [wrong]


def test_everything_that_is_wrong_with_a_function_is_reported_at_once() -> None:
    def synchronous(inputs: Any) -> Any:
        return inputs

    assert [*misuse(synchronous, PERFORM)] == [
        "takes (inputs), and is called with (context, inputs)",
        "must be an 'async def'",
    ]


async def test_a_function_with_other_parameters_is_refused_by_its_name_when_it_is_called() -> None:
    action = Action(key="act", display=Display(label="A", description="A"), perform=short, example={})
    component = Component(key="toy", display=Display(label="T", description="T"), actions={"act": action})

    class Toy:
        @hookimpl
        def register_component(self) -> Component:
            return component

    async with Host([Toy()]) as host:
        with pytest.raises(PluginError, match=r"of the action 'act' cannot be called: short\(\) takes 1"):
            await host.invoke_action("toy", "act", {})


async def test_an_error_of_the_function_itself_stays_what_it_is() -> None:
    async def confused(_context: Any, _inputs: Any) -> Any:
        return 1 + "1"  # type: ignore[operator]

    action = Action(key="act", display=Display(label="A", description="A"), perform=confused, example={})
    component = Component(key="toy", display=Display(label="T", description="T"), actions={"act": action})

    class Toy:
        @hookimpl
        def register_component(self) -> Component:
            return component

    async with Host([Toy()]) as host:
        with pytest.raises(TypeError, match="unsupported operand"):
            await host.invoke_action("toy", "act", {})
