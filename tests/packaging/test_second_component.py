"""A component in a distribution of its own, as the documentation writes it: built, installed, found, run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/tutorials/first-component.md"
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
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(source / "dist"), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = (source / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)  # all that an installer does with a pure wheel without scripts
    return target


def run(installed: Path, script: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_found_and_run_beside_this_one(installed: Path) -> None:
    forecast, cities, failures, components, severe, logged = json.loads(run(installed, SCRIPT))

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
        said = run(installed, script)
    finally:
        module.write_text(source)
    assert said.startswith("True [('weather-component'")
    assert "no_such_module" in said
