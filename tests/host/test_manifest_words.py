"""Misspelt keys and types of a manifest are noticed when it is loaded, wherever they are, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from twilio_component.host import Host, ManifestError, PluginError, load_component
from twilio_component.host.hookspecs import hookimpl
from twilio_component.host.manifest.structure import KEYWORDS, TYPES, unknown_words
from twilio_component.host.model import Action, Component, Display

MANIFEST = """\
key: parcels
display: {label: Parcels, description: Where parcels are, category: Data}
connections:
  token:
    display: {label: Token, description: The key.}
    inputs:
      type: object
      additionalProperties: false
      required: [secret]
      properties:
        secret: {type: string, title: Secret, description: The key., writeOnly: true}
actions:
  track:
    display: {label: Track, description: Where it is}
    perform: json:dumps
    idempotent: true
    example: {data: there}
    inputs:
      type: object
      additionalProperties: false
      required: [parcel]
      properties:
        parcel: {type: string, title: Parcel, description: Its number., minLength: 1}
        parts:
          type: array
          title: Parts
          description: Which.
          items:
            anyOf: [{type: string}, {type: [integer, "null"]}]
dataSources:
  carriers:
    display: {label: Carriers, description: Who carries}
    perform: json:loads
"""


def mistaken(path: Path, right: str, wrong: str) -> str:
    assert MANIFEST.count(right) == 1
    path.write_text(MANIFEST.replace(right, wrong))
    with pytest.raises(ManifestError) as caught:
        load_component(path)
    return str(caught.value)


def test_the_manifest_of_these_tests_has_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "component.yaml").write_text(MANIFEST)
    assert [*load_component(tmp_path / "component.yaml").actions] == ["track"]


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("connections:", "conections:", "3:1: $.conections: is not known here; did you mean 'connections'?"),
        ("dataSources:", "datasources:", "30:1: $.datasources: is not known here; did you mean 'dataSources'?"),
        ("idempotent: true", "idempotend: true", "16:5: $.actions.track.idempotend: is not known here; did you mean"),
        ("example: {data", "exemple: {data", "17:5: $.actions.track.exemple: is not known here; did you mean"),
        ("perform: json:loads", "perfrom: json:loads", "33:5: $.dataSources.carriers.perfrom: is not known here"),
        ("type: array", "type: arry", "25:17: $.actions.track.inputs.properties.parts.type: must be array, boolean"),
        ("type: array", "type: arry", "not 'arry'; did you mean 'array'?"),
        ("{type: string}, {", "{type: sting}, {", "29:28: $.actions.track.inputs.properties.parts.items.anyOf[0].type"),
        ('[integer, "null"]', '[integr, "null"]', "items.anyOf[1].type"),
        ("minLength: 1", "minLenght: 1", "$.actions.track.inputs.properties.parcel.minLenght: is not a keyword"),
        ("minLength: 1", "minLenght: 1", "of JSON Schema; did you mean 'minLength'? (keywords of your own start with"),
        ("writeOnly: true", "writeonly: true", "$.connections.token.inputs.properties.secret.writeonly: is not a key"),
        ("perform: json:dumps", "perform: json:dumbs", None),
    ],
)
def test_a_misspelt_word_is_named_with_its_line(tmp_path: Path, right: str, wrong: str, message: str | None) -> None:
    path = tmp_path / "component.yaml"
    if message is None:  # a function is looked for when the component is used
        path.write_text(MANIFEST.replace(right, wrong))
        component = load_component(path)
        with pytest.raises(PluginError, match=r"component\.yaml:15:14: .*'json:dumbs' does not name a function"):
            Host([offering(component)])
        return
    text = mistaken(path, right, wrong)
    assert f"{path}:" in text
    assert message in text


def test_a_type_that_does_not_exist_in_a_component_written_in_python_names_its_action() -> None:
    inputs = {"type": "object", "properties": {"days": {"type": "intger"}}, "additionalProperties": False}

    async def perform(_context: object, _inputs: object) -> None: ...

    action = Action(key="getForecast", display=Display(label="Forecast"), perform=perform, inputs=inputs)
    component = Component(key="weather", display=Display(label="Weather"), actions={action.key: action})
    with pytest.raises(PluginError, match=r"weather\.getForecast: 'intger' is not a type .*; did you mean 'integer'\?"):
        Host([offering(component)])


def test_keywords_of_ones_own_start_with_x() -> None:
    schema = {"type": "object", "x-width": 3, "properties": {"a": {"x-unit": "kg", "unit": "kg"}}}
    assert [*unknown_words(schema, frozenset())] == [(("properties", "a", "unit"), "unit")]


def test_every_keyword_and_type_of_the_specification_is_known() -> None:
    from jsonschema import Draft202012Validator
    from jsonschema_specifications import REGISTRY

    described = set(Draft202012Validator.VALIDATORS) - {"$dynamicRef"}
    assert described <= KEYWORDS
    simple = REGISTRY.contents("https://json-schema.org/draft/2020-12/meta/validation")["$defs"]["simpleTypes"]["enum"]
    assert set(simple) == TYPES


def offering(component: Component) -> object:
    class Plugin:
        @hookimpl
        def register_component(self) -> Component:
            return component

    return Plugin()
