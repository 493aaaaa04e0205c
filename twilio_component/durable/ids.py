"""The grammar of ids: how what a run starts, repeats or calls is named after it.

============  ========================================================================
``RUN:5``     the call that the run made as its number 5 (counted from 0)
``RUN.5``     the flow that this call started, or the loop that it runs in parallel
``RUN.5-17``  item 17 of that loop; its iteration makes calls (``RUN.5-17:0``) and
              starts flows (``RUN.5-17.0``) like a run
``RUN.5.3.0`` chunk 3 of that loop in its generation 0, as a workflow
``RUN~2``     the run that was begun to run ``RUN`` again
``RUN+3``     the workflow that continues the run after it has waited for the third time
============  ========================================================================
"""

from __future__ import annotations

import re

_FIRST_NUMBER = re.compile(r"[:.](\d+)")
_RETRY = re.compile(r"(.+)~\d+", re.DOTALL)
_OF_ITEM = re.compile(r"\.\d+-\d+\.\d+")
_STARTED = re.compile(r"\d+\.\d+")


def flow_id(integration: str, flow: str) -> str:
    """The name of a flow among those of all integrations, which is no other flow's: a slash in a name is escaped."""
    return "/".join(name.replace("%", "%25").replace("/", "%2F") for name in (integration, flow))


def call_key(caller: str, ordinal: int) -> str:
    """The key of a call; ``caller`` is the id of a run or of an item."""
    return f"{caller}:{ordinal}"


def child_id(caller: str, ordinal: int) -> str:
    """The id of the flow that a call of this run, or of this item's iteration, starts."""
    return f"{caller}.{ordinal}"


def loop_id(run: str, ordinal: int) -> str:
    """The id of the loop that a call of this run executes in parallel."""
    return f"{run}.{ordinal}"


def item_id(run: str, ordinal: int, number: int) -> str:
    """The id of an item of a loop; items are counted from 0."""
    return f"{item_prefix(run, ordinal)}{number}"


def item_prefix(run: str, ordinal: int) -> str:
    """What the ids of all items of a loop begin with."""
    return f"{loop_id(run, ordinal)}-"


def chunk_id(run: str, ordinal: int, chunk: int, generation: int) -> str:
    """The id of the workflow that executes a chunk of a loop."""
    return f"{loop_id(run, ordinal)}.{chunk}.{generation}"


FIRST_RETRY = 2
"""The number of a run's retry: the run itself is the first attempt, and what is retried again is the retry."""


def retry_id(run: str, number: int) -> str:
    """The id of the ``number``-th attempt at a run; the run itself is the first."""
    return f"{retry_prefix(run)}{number}"


def retry_prefix(run: str) -> str:
    """What the ids of all retries of a run begin with."""
    return f"{run}~"


def wake_id(run: str, number: int) -> str:
    """The id of the workflow that continues a run after it has waited ``number`` times."""
    return f"{run}+{number}"


def run_of_workflow(workflow: str) -> str:
    """The run that a workflow executes: its own id, without the number of the wait that it continues after."""
    run, plus, number = workflow.rpartition("+")
    return run if plus and number.isdigit() else workflow


def lineage(run: str) -> list[str]:
    """The run, and the runs that it and those before it have taken the place of: ``RUN~2~2``, ``RUN~2``, ``RUN``."""
    found = [run]
    while "~" in found[-1] and (match := _RETRY.fullmatch(found[-1])) is not None:
        found.append(match[1])
    return found


def started_by(prefix: str, flow: str) -> str:
    """``17.0`` for a flow that item 17 started with its call 0, or for anything below that flow.

    ``prefix`` is that of the loop's items. Raises ``ValueError`` when no item of the loop started it.
    """
    found = _STARTED.match(flow, len(prefix)) if flow.startswith(prefix) else None
    if found is None:
        raise ValueError(f"{flow!r} was not started by an item of the loop")
    return found[0]


def descendant_prefix(caller: str) -> str:
    """What the ids of everything that a run or an iteration started begin with."""
    return f"{caller}."


def ordinal_within(run: str, key: str) -> int:
    """The number of the run's own call in which the call with this key was made.

    That is 5 for ``RUN:5``, for ``RUN.5-17:0`` (an iteration's) and for ``RUN.5:0`` (a started flow's). Raises
    ``ValueError`` when the key is not the run's.
    """
    found = _FIRST_NUMBER.match(key, len(run)) if key.startswith(run) else None
    if found is None:
        raise ValueError(f"{key!r} is not the key of a call that {run!r} made")
    return int(found[1])


def started_by_item(run: str) -> bool:
    """Whether an iteration of a loop started the run, or the run that started it."""
    return _OF_ITEM.search(run) is not None


def nesting(run: str) -> int:
    """How deep the run is in flows that started each other; 0 for a run that no flow started."""
    return run.count(".")
