"""What a notebook, a debugger or a traceback tool shows of an object says what it is, and has no secret in it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from twilio_component.emulator import Emulator
from twilio_component.host import BlockingHost, Host
from twilio_component.host.http import Request, Response
from twilio_component.testing import create_connection
from twilio_component.twilio.credentials import Credentials

SECRET, TO, TEXT = "the-auth-token", "+16055551212", "a private text"


async def test_a_host_shows_its_components_and_its_state() -> None:
    host = Host.discover()
    assert repr(host).startswith("<Host, not open: ")
    assert "twilio" in repr(host)
    async with host:
        assert repr(host).startswith("<Host, open: ")
    assert repr(host).startswith("<Host, closed: ")
    assert "actions" in repr(host.components["twilio"])
    assert len(repr(host.components["twilio"])) < 120


def test_a_blocking_host_does_not_open_to_be_shown() -> None:
    host = BlockingHost.discover()
    assert repr(host) == "<BlockingHost: not open yet>"
    with host:
        assert repr(host).startswith("<BlockingHost: Host, open: ")
    assert repr(host) == "<BlockingHost: closed>"


async def test_an_emulator_shows_how_much_it_holds_and_its_requests_no_credentials() -> None:
    emulator = Emulator()
    emulator.accounts.declare("AC" + "a" * 32, SECRET)
    connection = create_connection("basic", {"username": "AC" + "a" * 32, "password": SECRET})
    async with Host.discover(transport=emulator.transport) as host:
        inputs = {"twilioConnection": connection, "to": TO, "from": "+15017122661", "message": TEXT}
        await host.invoke_action("twilio", "sendSMS", inputs)
        assert "1 messages, 1 requests" in repr(emulator)
        basic = Credentials.from_connection(connection).basic
    shown = repr(emulator.request_log.requests[0])
    assert SECRET not in shown
    assert basic not in shown


@pytest.mark.parametrize(
    "thing",
    [
        Request(
            "POST", "https://api.twilio.com", {"Authorization": f"Basic {SECRET}"}, f"To={TO}&Body={TEXT}".encode()
        ),
        Response(200, {"Set-Cookie": SECRET}, f"{TO} {TEXT}".encode()),
        Credentials.from_connection(create_connection("basic", {"username": "AC1", "password": SECRET})),
    ],
    ids=["request", "response", "credentials"],
)
def test_what_is_sent_and_received_is_not_shown(thing: object) -> None:
    assert fields(thing)  # type: ignore[arg-type]
    for private in (SECRET, TO, TEXT):
        assert private not in repr(thing)
