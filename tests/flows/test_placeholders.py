"""Texts that look as if a placeholder was meant: which they are, and what the warning says to write."""

from __future__ import annotations

import pytest

from twilio_component.flows.checking.checker import check_file
from twilio_component.flows.checking.placeholders import Names, placeholder_slips
from twilio_component.host import Host


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi {{ $trigger.results.name }}", ["{{ $trigger.results.name }}"]),
        ("Hi {$trigger.results.name}}", ["{$trigger.results.name}}"]),
        ("Hi {{$trigger.results.name}", ["{{$trigger.results.name}"]),
        ("Hi {{#Name", ["{{#Name"]),
        ("Hi {{ $trigger.results.name, welcome", ["{{ $trigger.results.name,"]),
        ("Hi {{trigger.results.name}} of {{ each.currentItem}", ["{{trigger.results.name}}", "{{ each.currentItem}"]),
        ("Hi {trigger.results.name} {$each.currentItem}", ["{trigger.results.name}", "{$each.currentItem}"]),
        ("Hi $trigger.results.name!", ["$trigger.results.name!"]),
        ("each.currentItem.name", ["each.currentItem.name"]),
        ("Hi {{Sender}} and {{#Sender}}", ["{{Sender}}"]),
        ("Hi {{$trigger.results.name}}", []),
        (
            "Hi {{name}}, {{ user.name }} and {{}} {{ $ }} {{#}}",
            ["{{name}}", "{{ user.name }}", "{{}}", "{{ $ }}", "{{#}}"],
        ),
        ("{1} {{1}} {#1} {$5} $each {{a | upcase}} {{user}", []),
        ("{% for user in users %}{{ user.name }} {{ forloop.index }}{{ each.name }}", ["{{ each.name }}"]),
        ("The results.pdf and each.results are here", []),
        ("{ $x }", []),
    ],
)
def test_slips_of_the_pen_in_placeholders_are_noticed(text: str, found: list[str]) -> None:
    assert placeholder_slips(text, Names(["Sender"], ["each"])) == found


FLOW = """
name: Test
requiredConfigVars: [{key: My Sender, defaultValue: "+15017122661"}]
flows:
  - name: Main
    steps:
      - {name: Incoming, isTrigger: true, action: webhook-triggers.webhook}
      - name: Everyone
        action: loop.loopOverItems
        inputs: {items: "{{$incoming.results.body.data}}"}
        steps: [{name: In, action: log.writeLog, inputs: {message: INSIDE}}]
      - {name: Out, action: log.writeLog, inputs: {message: AFTER}}
      - {name: From, action: log.writeLog, inputs: {message: "{{#My Sender}}"}}
"""
GENERIC = "{{$step.results.path}}, {{$loop.currentItem.path}} or {{#Config Variable}}, without a space after the braces"


def hints(inside: str = "-", after: str = "-") -> list[str]:
    text = FLOW.replace("INSIDE", f"'{inside}'").replace("AFTER", after if "type:" in after else f"'{after}'")
    found = check_file("test.yaml", Host.discover().components, text=text)
    assert {finding.code for finding in found} <= {"malformed-placeholder"}
    return [finding.hint.removeprefix("Write ").removesuffix(".").split(", if that is meant;")[0] for finding in found]


@pytest.mark.parametrize(
    ("inside", "after", "meant"),
    [
        ("{{name}}", "{{name}}", ["{{$everyone.currentItem.name}}", "{{$incoming.results.body.data.name}}"]),
        ("{{item.name}}", "{{item.name}}", ["{{$everyone.currentItem.name}}", GENERIC]),
        ("{{currentItem.a.b}}", "{{currentItem}}", ["{{$everyone.currentItem.a.b}}", GENERIC]),
        ("{{index}}", "{{everyone.index}}", ["{{$everyone.index}}", "{{$everyone.index}}"]),
        ("{{Everyone.name}}", "{{everyone.count}}", ["{{$everyone.currentItem.name}}", "{{$everyone.results.count}}"]),
        ("-", "{{results.body.data.name}}", ["{{$incoming.results.body.data.name}}"]),
        ("-", "{{trigger.body.data.name}}", ["{{$incoming.results.body.data.name}}"]),
        ("-", "{{incoming.body.data.name}}!", ["{{$incoming.results.body.data.name}}"]),
        ("-", "{{ #My Sender }} {{ My Sender }}", ["{{#My Sender}}"] * 2),
        ("-", "{{}} {{$}} {{#}} {{ #Yours }}", [GENERIC] * 4),
    ],
)
def test_the_warning_says_what_to_write_instead(inside: str, after: str, meant: list[str]) -> None:
    assert hints(inside, after) == meant


def test_text_that_is_typed_as_a_value_is_another_languages_unless_it_names_what_there_is_here() -> None:
    text = "{{ticket.id}} {{My Sender}} {{Everyone.count}} {{ $incoming.results }}"
    meant = ["{{#My Sender}}", "{{$everyone.results.count}}", "{{$incoming.results}}"]
    assert hints(after=f'{{type: value, value: "{text}"}}') == meant
