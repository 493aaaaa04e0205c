"""Finds what is wrong with a connection, by two requests to Twilio that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.host.connection_check import ConnectionFinding
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

TEST_CREDENTIALS = 20008


async def check_connection(host: Host, connection: Mapping[str, Any]) -> list[ConnectionFinding]:
    """Check a connection's credentials, permissions and account, and the way to Twilio; its fields are valid.

    Requests the newest message and the account; neither costs or changes anything. Returns the findings; raises no
    error for a connection that does not work.
    """
    inputs = {"twilioConnection": connection}
    try:
        await host.invoke_action("twilio", "listMessages", {**inputs, "limit": 1})
    except TwilioAPIError as error:
        if error.twilio_code == TEST_CREDENTIALS:
            return [
                ConnectionFinding(
                    "warning", "these are test credentials: only sending, to and from magic numbers, works"
                )
            ]
        return [_refusal(error, connection)]
    except TwilioError as error:
        return [_unreachable(error)]
    return [
        ConnectionFinding("fine", "Twilio accepts the credentials and lets them read messages"),
        *await _account(host, inputs),
    ]


async def _account(host: Host, inputs: dict[str, Any]) -> list[ConnectionFinding]:
    connection = inputs["twilioConnection"]
    sid = Credentials.from_connection({"key": _kind(connection), "fields": connection["fields"]}).account_sid.strip()
    request = {**inputs, "method": "GET", "url": f"/Accounts/{sid}.json"}
    try:
        account = (await host.invoke_action("twilio", "rawRequest", request))["data"]
    except (AuthenticationError, PermissionDeniedError):
        # Standard and restricted API keys may not read the account; the list of messages has shown that they work.
        return [ConnectionFinding("fine", "this key may not read the account's state, which is usual for an API key")]
    except TwilioError as error:
        return [_unreachable(error)]
    if not isinstance(account, dict):
        return [
            ConnectionFinding(
                "error", "the account is not Twilio's JSON; something on the way responds in Twilio's place"
            )
        ]
    findings = []
    if account.get("status") != "active":
        findings.append(
            ConnectionFinding("error", f"the account is {account.get('status')}; the Twilio Console says why")
        )
    if account.get("type") == "Trial":
        findings.append(
            ConnectionFinding(
                "warning", "it is a trial account: it sends to verified numbers only and adds its own text"
            )
        )
    return findings or [ConnectionFinding("fine", "the account is active")]


def _kind(connection: Mapping[str, Any]) -> str:
    return connection.get("key") or ("basic" if "username" in connection["fields"] else "apiKeySecret")


def _refusal(error: TwilioAPIError, connection: Mapping[str, Any]) -> ConnectionFinding:
    if isinstance(error, AuthenticationError):
        pair = "Account SID and Auth Token" if _kind(connection) == "basic" else "API Key SID and API Key Secret"
        hint = "both of the same account; test credentials have their own"
        refused = f"Twilio does not accept the credentials ({pair}, {hint})."
        return ConnectionFinding("error", f"{refused} {_about_region(connection)} {error}")
    if isinstance(error, PermissionDeniedError):
        return ConnectionFinding(
            "error", f"the credentials are right, but may not read messages: is it a restricted key? {error}"
        )
    if isinstance(error, NotFoundError):
        return ConnectionFinding(
            "error", f"these credentials have no such account, or baseUrl is not Twilio's API. {error}"
        )
    return ConnectionFinding("error", str(error), retryable=error.retryable)


def _about_region(connection: Mapping[str, Any]) -> str:
    """A hint about the region, each of which has credentials of its own."""
    region = str(connection["fields"].get("region") or "").strip().lower()
    if region in ("", "us1"):
        return "Credentials of another region than us1 need the name of that region as region."
    return (
        f"The region {region} has credentials of its own and does not know those of us1: copy the pair of {region} "
        "from the Console, or leave region out."
    )


def _unreachable(error: TwilioError) -> ConnectionFinding:
    hints = {
        NotSentError: "Check region, edge, baseUrl, DNS, and the proxy and certificates of the environment.",
        UnexpectedResponseError: "Something on the way responds in Twilio's place.",
    }
    hint = next((words for kind, words in hints.items() if isinstance(error, kind)), "Try again.")
    return ConnectionFinding("error", f"{error}. {hint}", retryable=error.retryable)
