"""The file of a loop's items: whether it can be read where the flow's own file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twilio_component.flows.expressions.evaluation import fixed_value, is_fixed
from twilio_component.flows.parsing.item_files import ItemsError, item_file, read_page

if TYPE_CHECKING:
    from twilio_component.flows.findings import Findings
    from twilio_component.flows.model import Input

_ELSEWHERE = "It is looked for beside the flow's file, or in the itemsFolder of the configuration if that names one."
_NAME = (
    "Give its path from the flow's file on, such as lists/recipients.csv or recipients.jsonl; itemsFolder in the "
    "configuration names another folder."
)
_CONTENT = "Correct the file: a list is not begun before all of it can be read."


def check_item_file(findings: Findings, file: Input) -> None:
    """Report a name that no items' file can have, and a file that is absent or whose first items cannot be read.

    A name that a config variable holds is not looked at.
    """
    if not is_fixed(file):
        return
    name = fixed_value(file)
    if not isinstance(name, str):
        findings.add("invalid-loop", file.at, "the name of the items' file must be text", "Write file: recipients.csv")
        return
    try:
        path = item_file(name, Path(findings.document.file).parent)
    except ItemsError as error:
        findings.add("invalid-loop", file.at, str(error), _NAME)
        return
    try:
        read_page(path, None, size=100)
    except ItemsError as error:
        is_absent = isinstance(error.__cause__, OSError)
        findings.add("unreadable-items", file.at, str(error), _ELSEWHERE if is_absent else _CONTENT)
