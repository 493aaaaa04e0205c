"""``twilio-component why``: why a message was not delivered."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import add_formats, print_json
from twilio_component.cli.options import CONNECTION_HELP, connection_of
from twilio_component.cli.serve_extra import DATABASE_HELP
from twilio_component.durable.store.default_database import DATABASE_VARIABLE, DEFAULT_DATABASE
from twilio_component.host.errors import InputError, Problem, UnknownKeyError

if TYPE_CHECKING:
    from twilio_component.durable.store.database import Database

_OPTED_OUT = {True: "has opted out", False: "has not opted out", None: "no opt-out is known"}
_STATES = {
    "ready": "ready",
    "not-in-account": "not in the account",
    "without-sms": "cannot send SMS",
}


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "why",
        help="explain why a message was not delivered",
        description="Explain what happened to a message: its status, the error code with meaning and remedy, the "
        "recipient's opt-out, the sender, and (if there is a database of runs) the run that sent it and its status "
        "callbacks.",
        epilog=CONNECTION_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sid", metavar="SID", help="the SID of the message, SM… or MM…")
    parser.add_argument("--connection", metavar="FILE", help="the connection; see below")
    parser.add_argument("--database", metavar="URL", help=DATABASE_HELP)
    add_formats(parser, lines=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the explanation; raises ``TwilioError`` for a message that cannot be read."""
    import asyncio

    explanation = asyncio.run(_explain(options))
    if _has_database(options):
        explanation.update(_stored_runs(options))
    if options.json:
        print_json(explanation)
    else:
        print("\n".join(_lines(explanation)))
    return exit_codes.DONE


async def _explain(options: argparse.Namespace) -> dict[str, Any]:
    from twilio_component.cli.components import discover_host
    from twilio_component.twilio.errors import NotFoundError
    from twilio_component.twilio.inputs.sids import message_sid

    try:
        options.sid = message_sid(options.sid, {})
    except ValueError as error:
        raise InputError("There is no such message", [Problem("SID", str(error))]) from error
    async with discover_host() as host:
        connection = connection_of(options, host.components["twilio"])
        inputs = {"twilioConnection": connection, "sid": options.sid}
        try:
            data: dict[str, Any] = (await host.invoke_action("twilio", "explainDelivery", inputs))["data"]
        except NotFoundError as error:
            account = "The account has no such message: it is another account's, or was deleted"
            raise UnknownKeyError(f"{account}. {error}") from error
        return data


def _has_database(options: argparse.Namespace) -> bool:
    named = options.database is not None or {DATABASE_VARIABLE, f"{DATABASE_VARIABLE}_FILE"} & os.environ.keys()
    return bool(named) or DEFAULT_DATABASE.exists()


def _stored_runs(options: argparse.Namespace) -> dict[str, Any]:
    """The run that sent the message, and the statuses that stored callbacks told."""
    import asyncio

    from twilio_component.cli.serve_extra import database_of, import_the_extra

    with import_the_extra():
        from twilio_component.durable.operator.views import RunFilter, RunViews
        from twilio_component.durable.store.database import Database

    async def read(database: Database) -> dict[str, Any]:
        await asyncio.to_thread(database.open_existing)
        views = RunViews(database)
        runs = await views.find(RunFilter(resource_id=options.sid))
        payloads = await views.find_payloads(options.sid)
        return {"run": runs[0] if runs else None, "history": [*_statuses(payloads, options.sid)]}

    database = Database(database_of(options))
    try:
        return asyncio.run(read(database))
    finally:
        database.close()


def _statuses(payloads: list[dict[str, Any]], sid: str) -> Iterator[dict[str, Any]]:
    for stored in payloads:
        body = stored["payload"].get("body")
        data = body.get("data") if isinstance(body, Mapping) else None
        if isinstance(data, Mapping) and data.get("MessageSid") == sid and data.get("MessageStatus"):
            yield {"received": stored["created"], "status": data["MessageStatus"], "errorCode": data.get("ErrorCode")}


def _lines(explanation: Mapping[str, Any]) -> Iterator[str]:
    message, error = explanation["message"], explanation["error"]
    yield explanation["summary"]
    yield f"message: {explanation['sid']}, {explanation['status']}, {message['direction']}, {message['dateCreated']}"
    if error is not None:
        again = {True: "it may arrive later", False: "trying again does not help", None: ""}[error["retryable"]]
        yield f"error: {error['code']} {error['message'] or ''} ({again or error['link']})"
    recipient = explanation["recipient"]
    keyword = f" ({recipient['keyword']}, {recipient['since']})" if recipient["keyword"] else ""
    yield f"recipient: {_OPTED_OUT[recipient['optedOut']]}{keyword}"
    sender = explanation["sender"]
    if sender["kind"]:
        yield (
            f"sender: {sender['kind']} {sender['sid'] or ''}".rstrip() + f", {_STATES.get(sender['state'], 'unknown')}"
        )
    for told in explanation.get("history", ()):
        code = f" {told['errorCode']}" if told["errorCode"] else ""
        yield f"callback: {told['received']} {told['status']}{code}"
    if "run" in explanation:
        sender_run = explanation["run"]
        yield _run_line(sender_run)


def _run_line(run: Mapping[str, Any] | None) -> str:
    return f"run: {run['id']} of the flow {run['flow']}, {run['state']}" if run else "run: none that is stored"
