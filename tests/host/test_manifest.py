"""Component manifests: read into the model, and all mistakes found at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from twilio_component.host import check_manifest, load_component
from twilio_component.host.errors import DocumentError, ManifestError
from twilio_component.host.model import Action, DataSource, Trigger
from twilio_component.twilio.plugin import manifest_file

CASES = Path(__file__).parents[2] / "fixtures" / "manifests"


def expected(path: Path) -> list[str]:
    """A case says in its comments what is found: ``# expect: 3:5: $.path: message``."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


@pytest.mark.parametrize("path", sorted((CASES / "negative").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_mistake_of_a_manifest_is_found_at_once_with_its_place(path: Path) -> None:
    found = [str(problem).removeprefix(f"{path}:") for problem in check_manifest(path)]
    assert found == expected(path)
    assert found


@pytest.mark.parametrize("path", sorted((CASES / "positive").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_manifest_without_mistakes_is_read(path: Path) -> None:
    assert check_manifest(path) == []
    assert load_component(path).file == path


def test_the_components_own_manifest_has_no_mistake() -> None:
    assert check_manifest(manifest_file()) == []


def test_a_manifest_becomes_a_component_with_its_references_resolved() -> None:
    component = load_component(CASES / "positive" / "everything.yaml", version="1.2.3")
    assert (component.key, component.display.label, component.version) == ("everything", "Everything", "1.2.3")
    assert component.connections["token"].secrets == {"secret"}
    action = component.actions["act"]
    assert isinstance(action, Action)
    assert action.example == {"data": {"ok": True}}
    assert action.inputs["properties"]["name"] == {
        "type": "string",
        "minLength": 1,
        "title": "Name",
        "description": ".",
    }
    assert action.idempotent
    assert isinstance(component.triggers["wait"], Trigger)
    assert dict(component.triggers["wait"].options) == {"documentation": "Waits."}
    assert isinstance(component.data_sources["choose"], DataSource)
    assert component.data_sources["choose"].inputs["properties"] == {}
    assert [operation.key for operation in component.operations()] == ["act", "wait", "choose"]


def test_reading_a_manifest_whose_shape_is_wrong_tells_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "component.yaml"
    path.write_text("key: broken\nactions:\n  act:\n    display: {label: Act}\n    perform: json:nothing\n")
    with pytest.raises(ManifestError) as caught:
        load_component(path)
    text = str(caught.value)
    assert text.startswith(f"{path} is not a valid component manifest\n")
    assert f"{path}:1:1: $.display: is required" in text
    assert f"{path}:4:14: $.actions.act.display.description: is required" in text
    assert f"{path}:5:14: $.actions.act.perform: 'json:nothing' does not name a function" in text


@pytest.mark.parametrize(
    "text", ["[]", "5", "", "key: [x]\ndisplay: 3\nactions: [1]\nconnections: {a: 1, b: {inputs: 1}}\n"]
)
def test_a_manifest_of_any_shape_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "component.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=r"\$"):
        load_component(path)


def test_a_manifest_that_is_not_yaml_is_a_document_error(tmp_path: Path) -> None:
    path = tmp_path / "component.yaml"
    path.write_text("key: [")
    with pytest.raises(DocumentError):
        check_manifest(path)


def test_references_across_files_and_within_the_manifest_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": {"$ref": "sub/b.yaml#/list/1"}}')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").write_text("list: [0, {$ref: '#/odd~1name~0'}]\nodd/name~: {type: string}\n")
    path = tmp_path / "component.yaml"
    path.write_text(
        "key: k\ndisplay: {label: K, description: K, category: K}\n"
        "actions:\n"
        "  one:\n    display: &d {label: L, description: D}\n    perform: asyncio:wait_for\n    example: {data: one}\n"
        "    outputSchema: {$ref: 'a.json#/x', title: Mine}\n"
        "  two: {$ref: '#/actions/one', example: {data: two}}\n"
    )
    assert check_manifest(path) == []
    component = load_component(path)
    assert component.actions["one"].output_schema == {"type": "string", "title": "Mine"}
    assert (component.actions["two"].perform, component.actions["two"].example) == ("asyncio:wait_for", {"data": "two"})


def test_references_in_a_circle_across_files_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"x": {"$ref": "b.json#/y"}}')
    (tmp_path / "b.json").write_text('{"y": {"items": {"$ref": "a.json#/x"}}}')
    path = tmp_path / "component.yaml"
    path.write_text("key: k\ndisplay: {$ref: 'a.json#/x'}\n")
    with pytest.raises(
        ManifestError, match=r"component\.yaml:2:10: \$\.display\.items: the \$ref 'a\.json#/x' refers to itself"
    ):
        load_component(path)
