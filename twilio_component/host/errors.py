"""What can go wrong between a caller and a component, as one tree.

::

    IntegrationError                 every error that this package raises on purpose
    ├── DocumentError                a YAML or JSON file is unreadable (file, line, column)
    ├── ManifestError                a component.yaml has mistakes, all listed
    ├── PluginError                  a plugin is unusable: import failure, misspelt hook, bad signature
    │   └── DuplicateComponentError  two plugins offer a component under one key
    ├── UnknownKeyError              the component, action, trigger or data source does not exist
    ├── InputError                   inputs do not match the manifest, all mistakes listed
    ├── HostStateError               the host is not open yet, closed, or belongs to another process
    └── PerformError                 the component's own work failed; components derive their errors from it

Messages say what is wrong, where, and what is allowed. They never repeat a value that may be a secret, a phone
number or a message text.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from twilio_component.host.portable_error import PortableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class IntegrationError(PortableError):
    """The base of every error that this package raises on purpose.

    ``code`` is a stable name for scripts and documentation; the text is for people. ``retryable`` says whether the same
    call may succeed later without a change, ``may_have_happened`` whether its effect (a message sent, say) may have
    taken place although it failed. Errors pickle and copy with all their attributes.
    """

    code = "integration-error"
    retryable = False
    may_have_happened = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document or in inputs.

    ``path`` says where (``$.inputs.to``); ``message`` says what is wrong and what is allowed. ``file``, ``line`` and
    ``column`` (counted from 1) are set for documents read from disk. ``at`` are the keys of the path where ``path``
    must not show them all, for a caller that knows the document.
    """

    path: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    at: tuple[str | int, ...] | None = None

    def __str__(self) -> str:
        """``file:line:column: $.path: message``, without the parts that are not known."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.path, self.message) if part)


class _ProblemsError(IntegrationError):
    """An error that is a list of problems, each a ``Problem`` or the list of its fields, as in ``args``."""

    def __init__(self, summary: str, problems: Iterable[Problem | Sequence[Any]]) -> None:
        self.summary = summary
        self.problems: tuple[Problem, ...] = tuple(
            problem if isinstance(problem, Problem) else Problem(*problem) for problem in problems
        )
        text = "\n".join([summary, *(f"  {problem}" for problem in self.problems)])
        super().__init__(summary, [[*astuple(problem)] for problem in self.problems], text=text)


class DocumentError(_ProblemsError):
    """A file cannot be read as YAML or JSON."""

    code = "document-unreadable"


class ManifestError(_ProblemsError):
    """A component manifest has mistakes."""

    code = "manifest-invalid"


class InputError(_ProblemsError):
    """Inputs do not match what the operation allows; nothing has been sent."""

    code = "input-invalid"


class PluginError(IntegrationError):
    """A plugin cannot be used; the text names it and its distribution."""

    code = "plugin-unusable"


class DuplicateComponentError(PluginError):
    """Two plugins offer a component under the same key."""

    code = "component-duplicate"


class UnknownKeyError(IntegrationError):
    """The component, action, trigger or data source does not exist."""

    code = "key-unknown"


class HostStateError(IntegrationError):
    """The host is not open yet, is closed, or was opened in another process or event loop."""

    code = "host-state"


class PerformError(IntegrationError):
    """A component's own work failed. Components derive their errors from this class.

    If ``may_have_happened`` is set, only an operator or a reconciliation can decide. ``throttled`` says that the call
    was refused, unprocessed, because the connection or the sender exceeded its rate; ``retry_after`` is how many
    seconds to wait, where that is known. ``permanent`` says that a retry is wrong even where a caller asks for one.
    ``reason`` is the service's own code or word for the refusal. ``not_sent`` says that nothing left this machine,
    because no connection was made. ``concerns`` says that the refusal is about the connection or the sender: other
    calls with the same one will be refused as well.
    """

    code = "perform-failed"
    not_sent = False
    permanent = False
    reason: str | None = None
    throttled: Literal["connection", "sender"] | None = None
    retry_after: float | None = None
    concerns: Literal["connection", "sender"] | None = None


def json_path(parts: Sequence[str | int], root: str = "$") -> str:
    """Return ``("inputs", "mediaUrl", 2)`` as ``$.inputs.mediaUrl[2]``."""
    text = root
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}"
        else:
            text += f'["{part}"]'
    return text


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'sendSMS'?`` if a known name is close to ``wrong`` (ignoring case), else ``""``."""
    import difflib  # needed only after a typing mistake

    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean '{by_folded[close[0]]}'?" if close else ""


def join_names(names: Iterable[Any], *, word: str = "and", limit: int = 20) -> str:
    """Join names for a sentence, ``a, b and c`` (or another ``word``), at most ``limit`` of them."""
    shown = [str(name) for name in names]
    if len(shown) > limit:
        shown = [*shown[:limit], f"{len(shown) - limit} more"]
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}" if len(shown) > 1 else "".join(shown) or "none"
