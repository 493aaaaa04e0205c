"""Plugins: what is refused, and why; what they can wrap and replace."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.host import Action, Component, Display, Host, hookimpl, load_component
from twilio_component.host import host as host_module
from twilio_component.host.discovery import GROUP
from twilio_component.host.errors import DuplicateComponentError, PluginError, UnknownKeyError
from twilio_component.host.model import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    MakePlugin = Callable[..., object]

CASES = Path(__file__).parents[2] / "fixtures" / "manifests"


def plugin(**functions: Any) -> ModuleType:
    module = ModuleType("a_plugin")
    vars(module).update({name: hookimpl(function) for name, function in functions.items()})
    return module


def plain(function: Any, *arguments: Any) -> Any:
    """A plain function, as a hook must be, that returns the coroutine."""
    return lambda: function(*arguments)


def decline(action: Action) -> None:
    assert action.key


def refusal(module: object) -> str:
    host = Host()
    with pytest.raises(PluginError) as caught:
        host.register(module)
    assert host.components == {}
    return str(caught.value)


def test_a_misspelt_hook_is_refused_with_the_nearest_name() -> None:
    assert refusal(plugin(perform_acton=decline)) == (
        "the plugin 'a_plugin' implements an unknown hook 'perform_acton'; did you mean 'perform_action'? "
        "(hooks: perform_action, perform_data_source, perform_instance_delete, perform_instance_deploy, "
        "perform_trigger and register_component)"
    )


def test_a_plugin_without_any_hook_is_refused() -> None:
    assert refusal(ModuleType("a_plugin")).startswith("the plugin 'a_plugin' implements no hook (hooks: perform_action")


def test_an_async_hook_is_refused_since_it_could_never_decline() -> None:
    async def perform_action(action: Action) -> None: ...

    async def perform_trigger(trigger: Any) -> Any:
        yield trigger

    for function in (perform_action, perform_trigger):
        text = refusal(plugin(**{function.__name__: function}))
        assert f"implements '{function.__name__}' as 'async def': it would handle every call and could never" in text


def test_a_misspelt_parameter_is_refused() -> None:
    text = refusal(plugin(perform_action=lambda acton: acton))
    assert text.startswith("the plugin 'a_plugin' cannot be registered: ")
    assert "acton" in text


def test_a_parameter_with_a_default_is_refused_since_it_would_never_be_passed() -> None:
    text = refusal(plugin(perform_action=lambda action, inputs=None: action or inputs))
    assert "gives 'inputs' of 'perform_action' a default, so that it would never be passed" in text


def test_a_plugin_is_registered_once(toy: MakePlugin) -> None:
    host, offering = Host(), toy()
    host.register(offering)
    with pytest.raises(PluginError, match="the plugin 'Offering' is registered already"):
        host.register(offering)
    assert list(host.components) == ["toy"]


def test_a_plugin_that_offers_something_else_is_refused() -> None:
    text = refusal(plugin(register_component=lambda: {"key": "toy"}))
    assert text == "the plugin 'a_plugin' registered dict, which is not a Component"


def test_a_plugin_that_fails_to_give_its_component_is_refused_with_the_reason() -> None:
    def register_component() -> Component:
        raise ZeroDivisionError("a bug")

    assert refusal(plugin(register_component=register_component)) == (
        "the plugin 'a_plugin' failed to register its component: ZeroDivisionError: a bug"
    )


def test_all_mistakes_of_a_broken_manifest_are_in_the_refusal() -> None:
    manifest = CASES / "negative" / "all_kinds_at_once.yaml"
    text = refusal(plugin(register_component=lambda: load_component(manifest)))
    assert f"{manifest}:5:3: $.display.colour: is not known here" in text
    assert f"{manifest}:18:14: $.actions.act.perform: 'json:dumbs' does not name a function" in text


def test_functions_that_do_not_resolve_are_all_found_with_their_places_when_a_plugin_is_added() -> None:
    manifest = CASES / "negative" / "functions.yaml"
    text = refusal(plugin(register_component=lambda: load_component(manifest)))
    assert text.startswith("the plugin 'a_plugin' has mistakes:\n")
    assert f"  {manifest}:6:14: $.actions.noModule.perform: " in text
    assert f"  {manifest}:25:87: $.actions.cleans.inputs.properties.many.items.clean: " in text


def test_a_function_of_a_component_written_in_python_is_resolved_too() -> None:
    action = Action(key="act", display=Display(label="Act"), perform="json:nothing")
    component = Component(key="toy", display=Display(label="Toy"), actions={"act": action})
    assert refusal(plugin(register_component=lambda: component)) == (
        "the plugin 'a_plugin' has mistakes:\n"
        "  toy.act: 'json:nothing' does not name a function: json has no callable 'nothing'"
    )


@pytest.mark.parametrize("name", ["json", "json:", ":dumps"])
def test_a_functions_name_has_a_module_and_a_function(name: str) -> None:
    action = Action(key="act", display=Display(label="Act"), perform=name)
    with pytest.raises(PluginError, match=f"'{name}' is not of the form package.module:function"):
        _ = action.function


def test_two_components_of_one_key_are_an_error_that_names_both(toy: MakePlugin) -> None:
    host = Host([toy()])
    second = plugin(
        register_component=lambda: (load_component(CASES / "positive" / "smallest.yaml"), host.components["toy"])
    )
    with pytest.raises(DuplicateComponentError, match="register a component 'toy': 'Offering' and 'a_plugin'"):
        host.register(second)
    assert list(host.components) == ["toy"]


def test_one_plugin_with_one_key_twice_is_an_error_too(toy: MakePlugin) -> None:
    component = Host([toy()]).components["toy"]
    assert "two plugins register a component 'toy'" in refusal(
        plugin(register_component=lambda: [component, component])
    )


def test_a_hook_may_have_a_name_of_its_own() -> None:
    module = ModuleType("a_plugin")
    component = Component(key="toy", display=Display(label="Toy"))
    vars(module)["our_component"] = hookimpl(specname="register_component")(lambda: component)
    assert list(Host([module]).components) == ["toy"]


# Discovery


def entry(name: str, load: Any, distribution: str | None = "some-distribution") -> EntryPoint:
    made = EntryPoint(name, "somewhere", GROUP)
    vars(made).update(dist=SimpleNamespace(name=distribution, version="1.2") if distribution else None, load=load)
    return made


def failing(error: BaseException) -> Any:
    def load() -> None:
        raise error

    return load


def discovered(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> Host:
    ordered = sorted(entries, key=lambda one: one.name)
    monkeypatch.setattr(host_module, "installed_plugins", lambda: ordered)
    return Host.discover()


def test_the_component_itself_is_discovered() -> None:
    host = Host.discover()
    assert host.failures == []
    assert list(host.components["twilio"].actions)[:4] == ["sendSMS", "sendAndWait", "getSMS", "listMessages"]


def test_a_component_that_names_no_version_has_that_of_its_distribution(
    monkeypatch: pytest.MonkeyPatch, toy: MakePlugin
) -> None:
    def versioned() -> ModuleType:
        module = ModuleType("versioned")
        component = Component(key="versioned", display=Display(label="V"), version="7")
        vars(module)["register_component"] = hookimpl(lambda: component)
        return module

    components = discovered(monkeypatch, entry("toy", toy), entry("versioned", versioned)).components
    assert (components["toy"].version, components["versioned"].version) == ("1.2", "7")


@pytest.mark.parametrize(
    "error", [ImportError("no such module"), SyntaxError("what"), RuntimeError("a bug"), SystemExit(3)]
)
def test_a_plugin_that_fails_to_load_names_its_distribution_and_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, toy: MakePlugin, error: BaseException
) -> None:
    with caplog.at_level(logging.ERROR, "twilio_component.host"):
        host = discovered(monkeypatch, entry("bad", failing(error)), entry("good", toy))
    assert list(host.components) == ["toy"]
    ((name, distribution, reason),) = [(item.plugin, item.distribution, str(item.error)) for item in host.failures]
    assert (name, distribution) == ("bad", "some-distribution")
    assert reason == (f"the plugin 'bad' of some-distribution cannot be loaded: {type(error).__name__}: {error}")
    assert caplog.messages == [reason]


async def test_a_plugin_with_mistakes_is_a_failure_and_a_missing_component_tells_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with discovered(monkeypatch, entry("bad", lambda: ModuleType("empty"), None)) as host:
        with pytest.raises(
            UnknownKeyError, match=r"no component 'bad' \(found: none\); the plugin 'bad' of an unknown dis"
        ):
            await host.invoke_action("bad", "act")
    assert "implements no hook" in caplog.text


def test_a_function_whose_module_exits_while_it_is_imported_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exits_at_import.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="'exits_at_import:perform' cannot be imported: SystemExit: 0"):
        resolve("exits_at_import:perform")


def test_an_interruption_while_plugins_load_is_not_a_failure_of_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        discovered(monkeypatch, entry("slow", failing(KeyboardInterrupt())))


def test_two_distributions_with_one_component_key_stop_discovery_and_are_both_named(
    monkeypatch: pytest.MonkeyPatch, toy: MakePlugin
) -> None:
    with pytest.raises(DuplicateComponentError, match="'a' of one and 'b' of other"):
        discovered(monkeypatch, entry("b", toy, "other"), entry("a", toy, "one"))


# Around and instead of an invocation


class Tracing:
    """Notes each action with what became of it."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @hookimpl(wrapper=True)
    def perform_action(self, action: Action) -> Generator[None, Awaitable[dict[str, Any]], Awaitable[dict[str, Any]]]:
        return self._traced(action.key, (yield))

    async def _traced(self, key: str, inner: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        try:
            result = await inner
        except Exception as error:
            self.notes.append(f"{key}: {type(error).__name__}")
            raise
        self.notes.append(f"{key}: done")
        return result


class DryRun:
    """Answers instead of what would have an effect."""

    @hookimpl
    def perform_action(self, action: Action, inputs: dict[str, Any]) -> Awaitable[dict[str, Any]] | None:
        return None if action.idempotent else self._described(inputs)

    async def _described(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"data": {"dryRun": inputs}}


async def invoked(*plugins: object, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
    async with Host(plugins) as host:
        return await host.invoke_action("toy", "echo", inputs)


async def test_a_wrapper_sees_results_and_errors_at_the_await(toy: MakePlugin) -> None:
    async def fail(_context: Any, _inputs: Any) -> None:
        raise LookupError("nothing there")

    tracing = Tracing()
    assert await invoked(toy(), tracing, inputs={"number": "5"}) == {"data": {"number": 5}}
    with pytest.raises(LookupError):
        await invoked(toy(perform=fail), tracing)
    assert tracing.notes == ["echo: done", "echo: LookupError"]


async def test_a_plugin_that_answers_first_replaces_the_call_and_is_wrapped_too(toy: MakePlugin) -> None:
    tracing = Tracing()
    assert await invoked(toy(), DryRun(), tracing, inputs={"number": "5"}) == {"data": {"dryRun": {"number": 5}}}
    assert tracing.notes == ["echo: done"]


async def test_a_plugin_that_declines_leaves_the_call_to_the_component(toy: MakePlugin) -> None:
    assert await invoked(toy(), plugin(perform_action=decline)) == {"data": {}}


async def test_a_later_plugin_is_asked_before_an_earlier_one(toy: MakePlugin) -> None:
    async def answer(name: str) -> dict[str, Any]:
        return {"data": name}

    early, late = (plugin(perform_action=plain(answer, name)) for name in ("early", "late"))
    assert await invoked(toy(), early, late) == {"data": "late"}


async def test_a_wrapper_may_drop_the_call_without_a_warning(toy: MakePlugin) -> None:
    async def instead() -> dict[str, Any]:
        return {"data": "instead"}

    def perform_action() -> Generator[None, Any, Any]:
        yield
        return instead()

    module = ModuleType("a_plugin")
    vars(module)["perform_action"] = hookimpl(wrapper=True)(perform_action)
    assert await invoked(toy(), module) == {"data": "instead"}


@pytest.mark.parametrize("answer", [{"data": 1}, 5, [1]])
async def test_a_hook_that_returns_a_result_instead_of_an_awaitable_is_told_so(toy: MakePlugin, answer: Any) -> None:
    with pytest.raises(PluginError, match=f"a perform hook returned {type(answer).__name__}; it must return an await"):
        await invoked(toy(), plugin(perform_action=lambda: answer))


async def test_a_hook_whose_awaitable_gives_no_envelope_is_told_so(toy: MakePlugin) -> None:
    async def wrong() -> Any:
        return "done"

    with pytest.raises(PluginError, match="a perform hook's awaitable returned str; it must return a dict"):
        await invoked(toy(), plugin(perform_action=plain(wrong)))


async def test_triggers_and_data_sources_can_be_replaced_like_actions(toy: MakePlugin) -> None:
    async def answer(name: str) -> dict[str, Any]:
        return {name: "replaced"}

    module = plugin(
        perform_trigger=lambda trigger, payload: answer(f"{trigger.key} {payload['n']}"),
        perform_data_source=lambda data_source: answer(data_source.key),
    )
    async with Host([toy(), module]) as host:
        received = await host.invoke_trigger("toy", "receive", {"n": 1})
        offered = await host.invoke_data_source("toy", "offer")

    assert (received, offered) == ({"receive 1": "replaced"}, {"offer": "replaced"})
