"""Finds what is wrong with a connection, by two requests to Twilio that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from twilio_component.host.errors import InputError
from twilio_component.twilio.credentials import Credentials
from twilio_component.twilio.errors import (
    AuthenticationError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    TwilioAPIError,
    TwilioError,
    UnexpectedResponseError,
)

if TYPE_CHECKING:
    from twilio_component.host import Host

Level = Literal["fine", "warning", "error"]

TEST_CREDENTIALS = 20008


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: ``fine``, a ``warning`` (it works within limits), or an ``error`` (it does not work).

    ``retryable`` says whether the same check may succeed later without a change.
    """

    level: Level
    text: str
    retryable: bool = False

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


async def check_connection(host: Host, connection: Mapping[str, Any]) -> list[Finding]:
    """Check a connection's fields, credentials, permissions and account, and the way to Twilio.

    Requests the newest message and the account; neither costs or changes anything. Returns the findings; raises no
    error for a connection that does not work.
    """
    inputs = {"twilioConnection": connection}
    try:
        await host.invoke_action("twilio", "listMessages", {**inputs, "limit": 1})
    except InputError as error:
        return [Finding("error", f"{problem.path}: {problem.message}") for problem in error.problems]
    except TwilioAPIError as error:
        if error.twilio_code == TEST_CREDENTIALS:
            return [Finding("warning", "these are test credentials: only sending, to and from magic numbers, works")]
        return [_refusal(error, connection)]
    except TwilioError as error:
        return [_unreachable(error)]
    return [
        Finding("fine", "Twilio accepts the credentials and lets them read messages"),
        *await _account(host, inputs),
    ]


async def _account(host: Host, inputs: dict[str, Any]) -> list[Finding]:
    connection = inputs["twilioConnection"]
    sid = Credentials.from_connection({"key": _kind(connection), "fields": connection["fields"]}).account_sid.strip()
    request = {**inputs, "method": "GET", "url": f"/Accounts/{sid}.json"}
    try:
        account = (await host.invoke_action("twilio", "rawRequest", request))["data"]
    except (AuthenticationError, PermissionDeniedError):
        # Standard and restricted API keys may not read the account; the list of messages has shown that they work.
        return [Finding("fine", "this key may not read the account's state, which is usual for an API key")]
    except TwilioError as error:
        return [_unreachable(error)]
    if not isinstance(account, dict):
        return [Finding("error", "the account is not Twilio's JSON; something on the way responds in Twilio's place")]
    findings = []
    if account.get("status") != "active":
        findings.append(Finding("error", f"the account is {account.get('status')}; the Twilio Console says why"))
    if account.get("type") == "Trial":
        findings.append(
            Finding("warning", "it is a trial account: it sends to verified numbers only and adds its own text")
        )
    return findings or [Finding("fine", "the account is active")]


def _kind(connection: Mapping[str, Any]) -> str:
    return connection.get("key") or ("basic" if "username" in connection["fields"] else "apiKeySecret")


def _refusal(error: TwilioAPIError, connection: Mapping[str, Any]) -> Finding:
    if isinstance(error, AuthenticationError):
        pair = "Account SID and Auth Token" if _kind(connection) == "basic" else "API Key SID and API Key Secret"
        hint = "both of the same account; test credentials have their own"
        refused = f"Twilio does not accept the credentials ({pair}, {hint})."
        return Finding("error", f"{refused} {_about_region(connection)} {error}")
    if isinstance(error, PermissionDeniedError):
        return Finding(
            "error", f"the credentials are right, but may not read messages: is it a restricted key? {error}"
        )
    if isinstance(error, NotFoundError):
        return Finding("error", f"these credentials have no such account, or baseUrl is not Twilio's API. {error}")
    return Finding("error", str(error), retryable=error.retryable)


def _about_region(connection: Mapping[str, Any]) -> str:
    """A hint about the region, each of which has credentials of its own."""
    region = str(connection["fields"].get("region") or "").strip().lower()
    if region in ("", "us1"):
        return "Credentials of another region than us1 need the name of that region as region."
    return (
        f"The region {region} has credentials of its own and does not know those of us1: copy the pair of {region} "
        "from the Console, or leave region out."
    )


def _unreachable(error: TwilioError) -> Finding:
    hints = {
        NotSentError: "Check region, edge, baseUrl, DNS, and the proxy and certificates of the environment.",
        UnexpectedResponseError: "Something on the way responds in Twilio's place.",
    }
    hint = next((words for kind, words in hints.items() if isinstance(error, kind)), "Try again.")
    return Finding("error", f"{error}. {hint}", retryable=error.retryable)
