"""The command line, from its argument parser."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Iterator
from textwrap import dedent, wrap

from pagewriters import NOTE
from twilio_component.cli.main import command_parser

_MANY_COMMANDS = 5
_MANY_WORDS = 100
_INTRODUCTION = """\
Results go to standard output: JSON in a pipe, and a table on a terminal where one helps. Everything else goes to
standard error. `--json` prints one JSON document, an array where a command has several records, and `--jsonl` each
record as an object on a line of its own, as soon as it is available. In a pipe `runs items`, `runs follow`, `opt-outs
list` and `flow run` print such lines, and other commands print one document; commands that explain (`errors`, `why`,
`flow check`, `runs doctor`) print text unless you ask otherwise. `twilio-component COMMAND --help` shows the same text
as this page, and the option `--version` of the program prints its version.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | permanent failure |
| 2 | bad input; nothing was attempted |
| 3 | outcome unknown: it may have happened, so look before you repeat it |
| 4 | not processed, safe to retry |
| 5 | partly failed: some items of a list failed |
| 70 | a bug in this package, or in a component |
| 130 | interrupted, by Ctrl-C or SIGTERM, with nothing to report |"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("# Command line", "", NOTE.format(source="the argument parser"), "", _INTRODUCTION)
    commands = list(_leaves(command_parser("")))
    common = _common_options(commands)
    yield from ("", "## Common options", "", "Many commands have these options:", "")
    yield from ("| argument | description |", "|---|---|", *common)
    for parser in commands:
        yield from _section(parser, common)


def _common_options(commands: Collection[argparse.ArgumentParser]) -> list[str]:
    """The rows of options that several commands have and that take many words to describe."""
    rows = Counter(row for parser in commands for row in _rows(parser))
    return [row for row, count in rows.items() if count >= _MANY_COMMANDS and len(row) > _MANY_WORDS]


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that runs something: those that only group others are left out."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not groups:
        yield parser
    for group in groups:
        for command in dict.fromkeys(group.choices.values()):
            yield from _leaves(command)


def _section(parser: argparse.ArgumentParser, common: Collection[str]) -> Iterator[str]:
    yield from ("", f"## {parser.prog.removeprefix('twilio-component ')}", "")
    if parser.description:
        yield from (" ".join(parser.description.replace("``", "`").split()), "")
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    indent = " " * (len(parser.prog) + 1)
    lines = wrap(usage, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    yield from ("```text", *lines, "```", "")
    rows = list(_rows(parser))
    if rows:
        yield from ("| argument | description |", "|---|---|")
    for row in rows:
        yield f"{row.partition(' | ')[0]} | see [common options](#common-options) |" if row in common else row
    if parser.epilog:
        yield from ("", "```text", *dedent(parser.epilog).strip().splitlines(), "```")


def _rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A row of the table of arguments for each of them."""
    formatter = parser._get_formatter()  # noqa: SLF001
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001
            continue
        description = " ".join(formatter._expand_help(action).split()) if action.help else ""  # noqa: SLF001
        if action.default not in (None, False, "", argparse.SUPPRESS, []) and "default" not in description:
            description = f"{description}; default: `{action.default}`".lstrip("; ")
        yield f"| {_spelling(action)} | {description.replace('|', chr(92) + '|')} |"


def _spelling(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if action.choices is not None and action.metavar is None:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    takes_value = action.nargs != 0
    names = [f"{name} {value}" if takes_value else name for name in action.option_strings] or [str(value)]
    return ", ".join(f"`{name}`" for name in names).replace("|", "\\|")
