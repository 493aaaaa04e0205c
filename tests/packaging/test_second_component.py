"""A component in a distribution of its own, as the documentation writes it: built, installed, found, run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.distributions import install, run_python

PAGE = Path(__file__).parents[2] / "docs/tutorials/first-component.md"
PROGRAM = ("-m", "twilio_component")
SCRIPT = """
import asyncio, json
from twilio_component.host import Host
from twilio_component.testing import Harness

async def main():
    async with Host.discover() as host:
        forecast = await host.invoke_action("weather", "getForecast", {"city": "Sydney", "days": "2"})
        cities = await host.invoke_data_source("weather", "selectCity")
        failures = [str(failure) for failure in host.failures]
        components = sorted(host.components)
    async with Harness("weather") as harness:
        storm = await harness.trigger("storm", {"body": {"data": "wind"}})
        await harness.action("getForecast", {"city": "Sydney"})
    return [forecast, cities, failures, components, storm["payload"]["severe"], harness.logger.messages]

print(json.dumps(asyncio.run(main())))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the documented distribution was installed into."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name, code in re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(code)
    return install(source, target)


def run(installed: Path, *arguments: str) -> str:
    done = run_python(installed, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_found_and_run_beside_this_one(installed: Path) -> None:
    forecast, cities, failures, components, severe, logged = json.loads(run(installed, "-c", SCRIPT))

    assert forecast == {"data": {"city": "Sydney", "forecast": ["sunny", "sunny"]}}
    assert cities == {"result": [{"label": "Sydney, Australia", "key": "Sydney"}]}
    assert failures == []
    assert {"weather", "twilio"} <= set(components)
    assert severe is True
    assert logged == ["asked for 1 days"]


def test_when_it_is_broken_the_others_run_and_its_distribution_is_named(installed: Path) -> None:
    module = installed / "weather/forecast.py"
    source = module.read_text()
    module.write_text("import no_such_module\n" + source)
    try:
        script = (
            "import logging; logging.disable()\n"
            "from twilio_component.host import Host\n"
            "host = Host.discover()\n"
            "print('twilio' in host.components, [(f.distribution, str(f.error)) for f in host.failures])"
        )
        said = run(installed, "-c", script)
    finally:
        module.write_text(source)
    assert said.startswith("True [('weather-component'")
    assert "no_such_module" in said


class TestTheCommandLine:
    def test_it_describes_the_component_and_each_of_its_operations(self, installed: Path) -> None:
        described = run(installed, *PROGRAM, "describe", "weather")
        assert described.startswith("Weather: What the weather is like (component key: weather)")
        assert "`describe weather.KEY` shows the inputs of one of them." in described
        assert "days (whole number, default 1)" in run(installed, *PROGRAM, "describe", "weather.getForecast")
        assert json.loads(run(installed, *PROGRAM, "describe", "weather", "--json"))["key"] == "weather"
        assert re.search(r"^weather +Weather: What the", run(installed, *PROGRAM, "describe", "--list"), re.MULTILINE)

    def test_it_writes_its_documentation(self, installed: Path) -> None:
        page = run(installed, *PROGRAM, "describe", "weather", "--markdown")
        assert page.startswith("# Weather\n\nWhat the weather is like. Its key is `weather`.\n")
        assert "| `days` | whole number | default `1` | How many days ahead. At least 1. At most 10. |" in page
        one = run(installed, *PROGRAM, "describe", "weather.getForecast", "--markdown")
        assert one.startswith("# `weather.getForecast`\n\nTomorrow's weather.\n")

    def test_it_invokes_actions_and_data_sources(self, installed: Path) -> None:
        forecast = run(installed, *PROGRAM, "invoke", "weather.getForecast", "--input", "city=Sydney")
        assert json.loads(forecast) == {"data": {"city": "Sydney", "forecast": ["sunny"]}}
        cities = run(installed, *PROGRAM, "invoke", "weather.selectCity")
        assert json.loads(cities) == {"result": [{"label": "Sydney, Australia", "key": "Sydney"}]}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ("describe", "wether"),
                "there is no component 'wether', and no operation of twilio has this name; did you",
            ),
            (("describe", "wether.getForecast"), "there is no component 'wether'; did you mean 'weather'?"),
            (("invoke", "weather.getForcast"), "weather has no action, trigger or data source 'getForcast'; did you"),
            (("invoke", "weather.storm"), "weather.storm is a trigger, which needs a request"),
            (("invoke", "weather.getForecast"), "$.inputs.city: is required"),
            (
                ("invoke", "weather.getForecast", "--emulator"),
                "--emulator: emulates Twilio, and weather.getF",
            ),
            (("invoke", "weather.getForecast", "--connection", "x"), "--connection: getForecast takes no connection"),
            (("connection", "check", "--component", "weather"), "--component: weather needs no connection"),
        ],
    )
    def test_it_names_what_is_wrong(self, installed: Path, arguments: tuple[str, ...], message: str) -> None:
        done = run_python(installed, *PROGRAM, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr

    def test_the_documented_manifest_passes_the_check(self, installed: Path) -> None:
        assert run(installed, *PROGRAM, "component", "check", str(installed / "weather/component.yaml")) == ""
