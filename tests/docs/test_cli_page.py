"""The reference of the command line has every command and every option."""

from __future__ import annotations

import argparse
from pathlib import Path

from twilio_component.cli.main import command_parser
from twilio_component.durable.store import call_states

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parser and all that are below it."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [parser, *(below for group in groups for command in group.choices.values() for below in commands(command))]


def test_every_state_of_a_run_and_of_a_step_is_explained() -> None:
    (listing,) = (command for command in commands(command_parser("")) if command.prog.endswith("runs list"))
    (state,) = (action for action in listing._actions if "--state" in action.option_strings)
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "operate-runs.md").read_text(encoding="utf-8")
    assert state.choices
    assert [one for one in state.choices if f"\n| `{one}` | " not in page] == []
    _, _, of_steps = page.partition("The steps that `runs show` prints have states")
    assert [
        one for one in (*call_states.OPEN, call_states.SETTLED, call_states.UNKNOWN) if f"| `{one}` |" not in of_steps
    ] == []


def test_every_option_of_every_command_is_in_its_section() -> None:
    for command in commands(command_parser("")):
        options = [
            name for action in command._actions for name in action.option_strings if name not in ("-h", "--help")
        ]
        introduction, *_ = PAGE.partition("\n## ")
        section = (
            introduction
            if command.prog == "twilio-component"
            else PAGE.partition(f"\n## {command.prog.removeprefix('twilio-component ')}\n")[2].partition("\n## ")[0]
        )
        assert [name for name in options if f"`{name}`" not in section and f"`{name} " not in section] == []


def test_every_argument_has_a_description() -> None:
    undescribed = [
        f"{command.prog} {action.dest}"
        for command in commands(command_parser(""))
        for action in command._actions
        if not isinstance(action, argparse._SubParsersAction) and not action.help
    ]
    assert undescribed == []
