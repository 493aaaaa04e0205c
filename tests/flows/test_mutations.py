"""Our own integrations, each broken in fifty ways: every break is found, at the line where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain, pairwise, zip_longest
from pathlib import Path

import pytest
from support.flow_runs import FIXTURES

from twilio_component.flows import check_file
from twilio_component.flows.expressions.operators import OPERATORS
from twilio_component.host import Host

INTEGRATIONS = sorted(FIXTURES.glob("integrations/*.yaml"))
COMPONENTS = Host.discover().components
BREAKS = 50

COMPONENT = "twilio|log|branch|loop|persist-data|text-manipulation|cross-flow|webhook-triggers|stop-execution"
INPUT = "keyInput|valueInput|inputValue|branchValueMappings|iterationCount|flowName|listInput|jsonBody|statusCode"
Change = Callable[[re.Match[str]], str]


def swap(word: str) -> str:
    """A word with a slip of the pen: its third and second last letters in the wrong order, or one too many."""
    middle = len(word) // 2
    changed = word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :]
    return changed if changed != word and middle > 0 else f"{word}x"


def slip(match: re.Match[str]) -> str:
    whole, group = match[0], match[1]
    start = match.start(1) - match.start(0)
    return whole[:start] + swap(group) + whole[start + len(group) :]


# What is broken: a pattern in a line, and what it becomes. Each match is one break, and its line is where it is found.
PATTERNS: dict[str, tuple[str, Change]] = {
    "a key of a step": (r"\b(inputs|action|isTrigger|branches|errorConfig|schedule|validFor|itemsFrom|steps):", slip),
    "a key of a flow": (r"\b(retryConfig|isSynchronous|maxAttempts|delayMinutes|delaySeconds|errorHandlerType):", slip),
    "a component": (rf"\b({COMPONENT})\.[a-z]\w+", slip),
    "an action": (rf"\b(?:{COMPONENT})\.([a-z]\w+)", slip),
    "an action's key as exported": (r"^\s+(?:- )?(?:action: )?\{?key: ([a-z]\w+)(?=, component|$)", slip),
    "a reference's step": (r"\{\{\$(\w{4,})\.", slip),
    "a reference's part": (r"\{\{\$\w+\.(results|currentItem|index)\b", slip),
    "an exported reference": (r"type: reference, value: ['\"]?(\w{4,})\.", slip),
    "a placeholder's braces": (r"\{\{\$[^{}]+\}\}", lambda match: match[0][1:]),
    "a placeholder's end": (r"\{\{\$[^{}]+\}\}", lambda match: match[0][:-1]),
    "a config variable": (r"\{\{#(\w[\w ]+)\}\}", slip),
    "a connection": (r"(?:twilioConnection|connection): (Twilio\w*(?: \w+)?)\s*[,}]?$", slip),
    "an operator": (rf"\[({'|'.join(OPERATORS)}|and|or),", slip),
    "a flag": (r"\b(?:isTrigger|isSynchronous): (?:true|false)", lambda match: match[0].replace(": ", ": perhaps-")),
    "a handler": (r"errorHandlerType: (retry|ignore|fail)", slip),
    "a number of retries": (r"maxAttempts: \d+", lambda _match: "maxAttempts: many"),
    "a delay": (r"(delaySeconds|delayMinutes): \d+", lambda match: f"{match[1]}: -1"),
    "a cron expression": (r'schedule: "([^"]+)"', lambda _match: 'schedule: "61 * * * *"'),
    "a time of quiet hours": (r'\b(from|to): "\d\d:\d\d"', lambda match: f'{match[1]}: "25:00"'),
    "a key of a rule": (r"\b(holidays|defaultTimeZone|exceptReplies|perHour|perDay|exceeded):", slip),
    "a holiday": (r'"20\d\d-\d\d-\d\d"', lambda match: match[0].replace("-", ".")),
    "a time zone": (r"\b(?:timeZone|defaultTimeZone): ([A-Z]\w+/\w+)", slip),
    "a cap": (r"\b(perHour|perDay): \d+", lambda match: f"{match[1]}: 0"),
    "a concurrency": (r"concurrency: \d+", lambda _match: "concurrency: 0"),
    "an exported input's type": (r": \{type: (value|reference|configVar|template|complex)\b", slip),
    "an indentation": (r"^ +(?=action:)", lambda match: f"{match[0]} "),
    "a tab": (r"^ {4,}(?=- )", lambda match: match[0][:-2] + "\t"),
    "an input of twilio.sendSMS": (r"\b(message|from|twilioConnection)(?=: )", slip),
    "an input": (rf"\b({INPUT})(?=: )", slip),
    "the name of Else": (r"name: (Else)\b", slip),
    "a quotation mark": (r'"(?=\{\{)', lambda _match: ""),
    "a list's bracket": (r"\]\s*$", lambda _match: ""),
    "a brace": (r"\}\s*$", lambda _match: ""),
}  # fmt: skip


def breaks_of(text: str) -> list[tuple[str, int, str]]:
    """Each way to break the text: what is broken, in which line, and the broken text; a few of each kind first."""
    lines = text.splitlines()

    def of(kind: str) -> Iterator[tuple[str, int, str]]:
        pattern, change = PATTERNS[kind]
        for number, line in enumerate(lines):
            code = line.partition(" #")[0] if not line.lstrip().startswith("#") else ""
            for match in re.finditer(pattern, code):
                changed = line[: match.start()] + change(match) + line[match.end() :]
                yield kind, number + 1, "\n".join([*lines[:number], changed, *lines[number + 1 :]])

    found = [one for one in chain.from_iterable(zip_longest(*(of(kind) for kind in PATTERNS))) if one is not None]
    return found[:BREAKS]


def scalar_line(text: str, line: int) -> int:
    """The line where the value begins that the line is part of: a text over several lines has one place."""
    lines = text.splitlines()
    indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
    for number in range(line - 1, 0, -1):
        above = lines[number - 1]
        if above.strip() and len(above) - len(above.lstrip()) < indent:
            return number if above.rstrip().endswith((">-", ">", "|", "|-")) else line
    return line


@pytest.mark.parametrize("path", INTEGRATIONS, ids=lambda path: path.stem)
def test_every_break_is_found_at_its_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert check_file(path, COMPONENTS) == []
    missed = []
    breaks = breaks_of(text)
    for kind, line, broken in breaks:
        found = check_file(path, COMPONENTS, text=broken)
        if scalar_line(broken, line) not in {finding.line for finding in found}:
            missed.append((kind, line, broken.splitlines()[line - 1], [(one.line, one.code) for one in found][:4]))
    assert missed == []
    assert len(breaks) == BREAKS


def turned_round(path: Path) -> list[str]:
    """The lines, with the steps of the first flow after its trigger the other way round.

    None where nothing refers, nor where a step repeats what an anchor of an earlier one names: that is no longer YAML.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if any(": &" in line for line in lines):
        return []
    starts = [number for number, line in enumerate(lines) if re.match(r" {6}- ", line)]
    ends = [number for number, line in enumerate(lines) if re.match(r"( {2}- |\w)", line)] + [len(lines)]
    end = next(number for number in ends if number > starts[0])
    starts = [*(number for number in starts if number < end), end]
    blocks = [lines[begin:stop] for begin, stop in pairwise(starts)]
    if len(blocks) < 3 or not any("{{$" in line for block in blocks[2:] for line in block):
        return []
    return [*lines[: starts[0]], *blocks[0], *chain.from_iterable(reversed(blocks[1:])), *lines[end:]]


@pytest.mark.parametrize("path", [path for path in INTEGRATIONS if turned_round(path)], ids=lambda path: path.stem)
def test_a_step_before_what_it_refers_to_is_found(path: Path) -> None:
    lines = turned_round(path)
    found = check_file(path, COMPONENTS, text="\n".join(lines))
    named = [finding for finding in found if finding.code in ("later-step-reference", "other-branch-reference")]
    assert named
    assert all("{{$" in lines[finding.line - 1] or "reference" in lines[finding.line - 1] for finding in named)
