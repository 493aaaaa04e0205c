"""The page about a new action shows an action of the component as it is, with all that it touches."""

from __future__ import annotations

import inspect
import re

from support.pages import ROOT, blocks, text_of

from twilio_component.twilio.actions import messages

PAGE = "docs/how-to/add-an-action.md"


def test_the_entry_on_the_page_is_one_of_the_manifest() -> None:
    (entry,) = [block.code for block in blocks(PAGE) if block.kind == "yaml"]
    assert entry in text_of("component.yaml")


def test_the_function_on_the_page_is_that_of_the_entry() -> None:
    (function,) = [block.code for block in blocks(PAGE) if block.code.startswith("async def delete(")]
    _signature, _, body = function.partition("\n")
    assert inspect.getsource(messages.delete).endswith(body)


def test_every_place_that_the_page_names_exists() -> None:
    places = re.findall(r"`((?:twilio_component|tests|docs|schemas|emulator)/[\w./]*?)…?`", text_of(PAGE))
    assert len(places) > 5
    bases = (ROOT, ROOT / "twilio_component")
    assert [place for place in places if not any((base / place).exists() for base in bases)] == []
