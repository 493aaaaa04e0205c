r"""JSON text as the events that a YAML parser would give.

Nearly all JSON is YAML, but not all: YAML forbids tabs where JSON is indented with them, halves of surrogate pairs
(``"\ud83d\ude00"``, which many JSON writers prefer to an emoji), and keys of more than 1,024 characters. So JSON is
recognised, and read by its own rules.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

import yaml

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s"{}\[\],:]+')
_LINE_END = re.compile(r"\r\n?|\n")
_PLAIN, _QUOTED = (True, False), (False, True)


def is_json(text: str) -> bool:
    """Whether the text is a JSON object or list, without NaN, Infinity or too deep nesting."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text, parse_constant=_refuse, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def json_events(text: str) -> Iterator[yaml.Event]:
    """Yield the events of a text that ``is_json``, with the position of each."""
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    for token in _TOKEN.finditer(text):
        line = bisect_right(starts, token.start()) - 1
        mark = yaml.Mark("", token.start(), line, token.start() - starts[line], None, 0)
        match token[0]:
            case "{":
                yield yaml.MappingStartEvent(None, None, True, mark, mark)  # noqa: FBT003 - yaml's signature
            case "[":
                yield yaml.SequenceStartEvent(None, None, True, mark, mark)  # noqa: FBT003 - yaml's signature
            case "}":
                yield yaml.MappingEndEvent(mark, mark)
            case "]":
                yield yaml.SequenceEndEvent(mark, mark)
            case text_or_number:
                quoted = text_or_number[0] == '"'
                value = json.loads(text_or_number) if quoted else text_or_number
                yield yaml.ScalarEvent(None, None, _QUOTED if quoted else _PLAIN, value, mark, mark)


def _refuse(_name: str) -> None:
    raise ValueError("JSON has no such number")
