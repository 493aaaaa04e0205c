"""The command line, from its argument parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from textwrap import dedent, wrap

from pagewriters import NOTE
from twilio_component.cli.main import command_parser

_INTRODUCTION = """\
Results go to standard output: JSON in a pipe, and a table on a terminal where one helps. Everything else goes to
standard error. `--json` prints one JSON document, an array where a command has several records, and `--jsonl` each
record as an object on a line of its own, as soon as it is there. In a pipe `runs items`, `runs follow`, `opt-outs
list` and `flow run` print such lines, other commands a document; what explains (`errors`, `why`, `flow check`, `runs
doctor`) is text unless you ask otherwise. `twilio-component COMMAND --help` shows the same text as this page, and the
option `--version` of the program prints its version.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | permanent failure |
| 2 | bad input; nothing was attempted |
| 3 | outcome unknown: it may have happened, so look before you repeat it |
| 4 | not processed, safe to retry |
| 5 | partly failed: some items of a list failed |
| 70 | a bug in this package |
| 130 | interrupted |"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("# Command line", "", NOTE.format(source="the argument parser"), "", _INTRODUCTION)
    for parser in _leaves(command_parser("")):
        yield from _section(parser)


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that runs something: those that only group others are left out."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        yield parser
    for group in groups:
        for command in dict.fromkeys(group.choices.values()):
            yield from _leaves(command)


def _section(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from ("", f"## {parser.prog.removeprefix('twilio-component ')}", "")
    if parser.description:
        yield from (" ".join(parser.description.replace("``", "`").split()), "")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    indent = " " * (len(parser.prog) + 1)
    lines = wrap(usage, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    yield from ("```text", *lines, "```", "")
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]  # noqa: SLF001
    formatter = parser._get_formatter()  # noqa: SLF001
    if actions:
        yield from ("| argument | description |", "|---|---|")
    for action in actions:
        description = " ".join(formatter._expand_help(action).split()) if action.help else ""  # noqa: SLF001
        if action.default not in (None, False, argparse.SUPPRESS, []) and "default" not in description:
            description = f"{description}; default: `{action.default}`".lstrip("; ")
        yield f"| {_spelling(action)} | {description.replace('|', chr(92) + '|')} |"
    if parser.epilog:
        yield from ("", "```text", *dedent(parser.epilog).strip().splitlines(), "```")


def _spelling(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if action.choices is not None and action.metavar is None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    takes_value = action.nargs != 0
    names = [f"{name} {value}" if takes_value else name for name in action.option_strings] or [str(value)]
    return ", ".join(f"`{name}`" for name in names).replace("|", "\\|")
