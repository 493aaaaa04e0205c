"""The errors of this package, and every code of Twilio's that the catalogue explains."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import twilio_component
from pagewriters import NOTE
from twilio_component.host.errors import IntegrationError, PerformError
from twilio_component.twilio.error_codes import FAMILIES, by_family, explanations
from twilio_component.twilio.errors import TwilioAPIError

_INTRODUCTION = (
    "Every error of this package has a stable `code`, a text for people, and `retryable`: whether the same call may "
    "succeed later. `may_have_happened` says that the effect, such as a message, may have taken place although the "
    "call failed. An error that Twilio reported also has Twilio's code, words and link, with what the code means and "
    "what to do. The same codes stand in a message's `errorCode` and in status callbacks: "
    "`twilio-component errors 30007` prints one, and `twilio_component.explain(30007)` returns it."
)
_ARRIVES = {"response": "response", "message": "message", "webhook": "debugger"}
_CODES = (
    "{count} codes, by what they are about. *Where* says how a code reaches you: in the response to a request, on a "
    "message (its `errorCode` and status callbacks), or in Twilio's debugger only. All of them are in Twilio's error "
    "dictionary as of February 2025, except those with an asterisk, which other pages of Twilio's name. Each links to "
    "Twilio's own page; `twilio-component errors WORD …` finds codes by words. Twilio has more codes, for products "
    "that this component does not use, and adds new ones: `errors` says so when it does not know one."
)


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    source = "the error classes and twilio_component/twilio/error_codes.json"
    yield from ("# Errors", "", NOTE.format(source=source), "", _INTRODUCTION)
    yield from ("", "## Errors of this package", "", "| error | code | retry? | meaning |", "|---|---|---|---|")
    for kind in error_kinds():
        meaning = (kind.__doc__ or "").partition("\n")[0].replace("``", "`")
        yield f"| `{kind.__name__}` | `{kind.code}` | {_retry_advice(kind)} | {meaning} |"
    entries = [*explanations()]
    yield from ("", "## Twilio's codes", "", _CODES.format(count=len(entries)))
    for family, listed in by_family(entries).items():
        yield from ("", f"### {FAMILIES[family]} ({len(listed)})", "")
        yield from ("| code | where | meaning | what to do | retry? |", "|---|---|---|---|---|")
        for entry in listed:
            again = {"permanent": "no", "temporary": "later", "recipient": "never"}[entry.kind]
            mark = "" if entry.confirmed == "dictionary" else "*"
            where = _ARRIVES[entry.arrives]
            yield f"| [{entry.code}]({entry.link}){mark} | {where} | {entry.meaning} | {entry.remedy} | {again} |"


def error_kinds() -> list[type[IntegrationError]]:
    """Every error of this package that has a code of its own, by module and code."""
    for module in walk_packages(twilio_component.__path__, "twilio_component."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    found, kinds = set[type[IntegrationError]](), [IntegrationError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if "code" in vars(kind) and kind.__module__.startswith("twilio_component."):
            found.add(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.code))


def _retry_advice(kind: type[IntegrationError]) -> str:
    if issubclass(kind, PerformError) and kind.may_have_happened:
        return "**only after looking**"
    return "see its code below" if kind is TwilioAPIError else "later" if kind.retryable else "no"
