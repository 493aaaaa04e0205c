"""How installed plugins are found, and what of their components is read before it is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from twilio_component.builtins import plugin as builtins_plugin
from twilio_component.host import Host, ManifestError, ManifestFile, UnknownKeyError, check_manifest, hookimpl
from twilio_component.host.discovery import GROUP, distribution_of, installed_plugins
from twilio_component.host.manifest.references import read_carefully
from twilio_component.twilio import plugin as twilio_plugin

MANIFEST = """\
key: KEY
display: {label: Toy, description: A toy}
actions:
  echo:
    display: {label: Echo, description: What went in}
    perform: json:dumps
    inputs: {type: object, properties: {}, additionalProperties: false}
    example: {}
"""


def distribution(folder: Path, name: str, entries: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entries, encoding="utf-8")


class Offering:
    """A plugin with manifests that are not read before they are needed."""

    def __init__(self, *manifests: ManifestFile) -> None:
        self.manifests = manifests

    @hookimpl
    def register_component(self) -> tuple[ManifestFile, ...]:
        return self.manifests


def manifest(folder: Path, key: str, text: str = MANIFEST) -> ManifestFile:
    path = folder / f"{key}.yaml"
    path.write_text(text.replace("KEY", key), encoding="utf-8")
    return ManifestFile(key=key, path=path, version="1.2")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the manifests that are read from here on."""
    names: list[str] = []

    def noted(path: Path) -> Any:
        names.append(path.name)
        return read_carefully(path)

    monkeypatch.setattr("twilio_component.host.manifest.references.read_carefully", noted)
    return names


def test_plugins_are_found_by_their_group_and_come_in_the_order_of_their_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    distribution(tmp_path, "late", f"[{GROUP}]\nz = json\na = json\n[console_scripts]\nq = json:dumps\n")
    distribution(tmp_path, "early", f"[console_scripts]\nr = json:dumps\n\n[{GROUP}]\nm = json\n")
    distribution(tmp_path, "other", f"# not {GROUP}\n[{GROUP}_of_others]\nx = json\n")
    monkeypatch.setattr("sys.path", [str(tmp_path)])

    found = [(entry.name, distribution_of(entry)) for entry in installed_plugins()]

    assert found == [("a", "late"), ("m", "early"), ("z", "late")]


def test_of_two_distributions_of_one_name_the_first_on_the_path_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    distribution(tmp_path / "first", "same", "[console_scripts]\nq = json:dumps\n")
    distribution(tmp_path / "second", "same", f"[{GROUP}]\na = json\n")
    monkeypatch.setattr("sys.path", [str(tmp_path / "first"), str(tmp_path / "second")])

    assert installed_plugins() == []


async def test_discovery_reads_no_manifest_of_ours_and_a_call_only_that_of_its_component(
    monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    for plugin, name in ((twilio_plugin, "_manifest"), (builtins_plugin, "_manifests")):
        monkeypatch.setattr(plugin, name, getattr(plugin, name).__wrapped__)  # as in a new process
    async with Host.discover() as host:
        assert len(host.components) > 10
        assert "twilio" in host.components
        assert read == []

        await host.invoke_action("text-manipulation", "upperCase", {"text": "a"})

    assert read == ["text-manipulation.yaml"]


def test_a_manifest_is_read_once_when_its_component_is_asked_for(tmp_path: Path, read: list[str]) -> None:
    plugin = Offering(manifest(tmp_path, "one"), manifest(tmp_path, "two"))
    first, second = Host([plugin]), Host([plugin])
    assert read == []

    component = first.components["one"]

    assert (component.key, component.version) == ("one", "1.2")
    assert second.components["one"] is component
    assert read == ["one.yaml"]
    assert [key for key, _ in first.components.items()] == ["one", "two"]
    assert read == ["one.yaml", "two.yaml"]


async def test_a_manifest_of_another_key_is_refused_where_the_component_is_needed(tmp_path: Path) -> None:
    wrong = ManifestFile(key="other", path=manifest(tmp_path, "toy").path)
    async with Host([Offering(wrong)]) as host:
        with pytest.raises(ManifestError, match=re.escape("$.key: must be 'other', the key that its plugin registers")):
            await host.invoke_action("other", "echo")
        with pytest.raises(UnknownKeyError):
            await host.invoke_action("toy", "echo")


async def test_a_manifest_with_a_mistake_is_refused_where_the_component_is_needed(tmp_path: Path) -> None:
    broken = manifest(tmp_path, "toy", MANIFEST.replace("perform:", "preform:"))
    assert [problem.path for problem in check_manifest(broken.path)] != []
    async with Host([Offering(broken)]) as host:
        with pytest.raises(ManifestError, match="preform"):
            await host.invoke_action("toy", "echo")
