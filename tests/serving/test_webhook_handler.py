"""What becomes of a request, without a database: which event it is, and how it is answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import pytest
from support.handlers import FakeEngine
from support.serve_processes import HEAD

from twilio_component.durable.deployment import Deployment
from twilio_component.durable.errors import DurableError
from twilio_component.flows import Configuration
from twilio_component.host import Host
from twilio_component.serving.endpoints import endpoints
from twilio_component.serving.refusals import refusal
from twilio_component.serving.webhook_handler import HttpResponse, IncomingRequest, WebhookHandler
from twilio_component.testing import emulator_connection
from twilio_component.twilio.signatures.verification import sign

if TYPE_CHECKING:
    from twilio_component.durable.engine import Engine

BASE = "https://flows.test"
GENERIC = """\
name: Demo
flows:
  - name: Reply
    SYNCHRONOUS
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook, inputs: {INPUTS}}
  - name: By the clock
    steps:
      - name: Trigger
        isTrigger: true
        action: schedule-triggers.schedule
        schedule: {type: value, value: "0 8 * * *"}
  - name: Polling
    steps:
      - name: Trigger
        isTrigger: true
        action: webhook-triggers.webhook
        schedule: {type: value, value: "0 8 * * *"}
"""


async def received(text: str, engine: FakeEngine, *arrivals: IncomingRequest) -> list[HttpResponse]:
    async with Host.discover() as host:
        configuration = Configuration(config_vars={"Twilio": emulator_connection()})
        deployment = Deployment(host, configuration, {}, public_url=BASE)
        served = deployment.load("demo.yaml", text)
        endpoint = endpoints(deployment, [served])["/demo/reply"]
        handler = WebhookHandler(deployment, cast("Engine", engine))
        return [await handler.receive(endpoint, request) for request in arrivals]


def request(parameters: dict[str, str], *, query: str = "") -> IncomingRequest:
    url = f"{BASE}/demo/reply{query}"
    token = emulator_connection()["fields"]["password"]
    headers: dict[str, str | list[str]] = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": sign(token, url, parameters.items()),
    }
    return IncomingRequest("POST", url, headers, urlencode(parameters).encode())


async def test_a_later_status_is_another_event_and_a_repeated_one_the_same() -> None:
    engine = FakeEngine()
    sent = {"MessageSid": "SM1", "MessageStatus": "sent", "RawDlrDoneDate": "1"}
    events = [
        sent,
        sent | {"RawDlrDoneDate": "2"},
        sent | {"MessageStatus": "delivered"},
        sent | {"MessageStatus": "failed", "ErrorCode": "30003"},
        {"Other": "1"},
        {"Other": "1"},
        {"Other": "2"},
    ]
    replies = await received(HEAD, engine, *(request(event) for event in events))
    assert len(engine.begun) == 5
    first, second, third, fourth, fifth = ids = [*engine.begun]
    assert replies == [
        HttpResponse(headers={"Execution-Id": run}) for run in (first, first, second, third, fourth, fourth, fifth)
    ]
    assert [new.payload["executionId"] for new in engine.begun.values()] == ids
    assert all(new.trigger is not None for new in engine.begun.values())


async def test_a_stranger_is_refused_before_anything_is_stored() -> None:
    engine = FakeEngine()
    genuine = request({"MessageSid": "SM1"})
    tampered = IncomingRequest("POST", genuine.url + "?x=1", genuine.headers, genuine.body)
    (refused,) = await received(HEAD, engine, tampered)
    assert (refused.status, refused.body) == (403, json.dumps(refusal(403)))
    assert engine.begun == {}


TWILIO = HEAD.replace("  - name: Reply\n", "  - name: Reply\n    isSynchronous: true\n")


def generic(*, synchronous: bool = False, inputs: str = "") -> str:
    return GENERIC.replace("SYNCHRONOUS", f"isSynchronous: {str(synchronous).lower()}").replace("INPUTS", inputs)


async def test_requests_of_a_trigger_without_event_keys_are_all_different() -> None:
    engine = FakeEngine()
    await received(generic(), engine, request({"a": "b"}), request({"a": "b"}))
    assert len(engine.begun) == 2


async def test_a_synchronous_flow_answers_with_its_response_and_a_repeated_request_with_the_same() -> None:
    response = {"statusCode": 201, "contentType": "text/plain", "headers": {"X": 1}, "body": {"a": 1}}
    engine, event = FakeEngine({"response": response}), request({"MessageSid": "SM1", "MessageStatus": "sent"})
    replies = await received(TWILIO, engine, event, event)
    assert engine.immediately
    (run,) = engine.begun
    assert replies == 2 * [HttpResponse(201, '{"a": 1}', "text/plain", {"X": "1", "Execution-Id": run})]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (None, 202),
        ({"state": "paused", "response": None}, 202),
        ({"state": "cancelled", "response": None}, 202),
        ({"state": "succeeded", "response": None}, 200),
        ({"state": "partly-failed", "response": None}, 200),
    ],
)
async def test_a_synchronous_flow_that_is_not_done_yet_or_has_responded_already_says_which_execution_it_is(
    outcome: Any, status: int
) -> None:
    engine = FakeEngine(outcome)
    (reply,) = await received(generic(synchronous=True), engine, request({}))
    (run,) = engine.begun
    assert (reply.status, json.loads(reply.body), reply.headers) == (
        status,
        {"executionId": run},
        {"Execution-Id": run},
    )


@pytest.mark.parametrize("state", ["failed", "unknown"])
@pytest.mark.parametrize("text", [generic(synchronous=True), TWILIO], ids=["anybody", "Twilio"])
async def test_a_synchronous_flow_that_failed_before_it_had_a_response_is_not_a_success(text: str, state: str) -> None:
    engine = FakeEngine({"state": state, "response": None})
    (reply,) = await received(text, engine, request({"MessageSid": "SM1"}))
    (run,) = engine.begun
    assert (reply.status, json.loads(reply.body)) == (500, {"error": "The flow failed.", "executionId": run})


@pytest.mark.parametrize("outcome", [None, {"state": "succeeded", "response": None}])
async def test_twilio_gets_an_empty_response_where_a_synchronous_flow_has_none(outcome: Any) -> None:
    (reply,) = await received(TWILIO, FakeEngine(outcome), request({"MessageSid": "SM1"}))
    assert (reply.status, reply.body) == (204, "")


async def test_a_trigger_may_answer_immediately() -> None:
    inputs = "body: {type: value, value: thanks}, statusCode: {type: value, value: 202}"
    (reply,) = await received(generic(inputs=inputs), FakeEngine(), request({}))
    assert (reply.status, reply.body, reply.content_type) == (202, "thanks", "text/plain")


async def test_a_flow_that_the_clock_starts_has_no_url() -> None:
    async with Host.discover() as host:
        deployment = Deployment(host, Configuration(), {}, public_url=BASE)
        served = deployment.load("demo.yaml", generic())
        assert set(endpoints(deployment, [served])) == {"/demo/reply"}


async def test_a_flow_that_polls_needs_a_schedule() -> None:
    async with Host.discover() as host:
        deployment = Deployment(host, Configuration(config_vars={"Twilio": emulator_connection()}), {}, public_url=BASE)
        loaded = deployment.load("demo.yaml", HEAD.replace("twilio.webhook", "twilio.pollChangesTrigger"))
        with pytest.raises(DurableError, match=r"the flow 'Reply' of demo\.yaml polls, but has no schedule"):
            endpoints(deployment, [loaded])


async def test_two_flows_cannot_have_one_path() -> None:
    async with Host.discover() as host:
        deployment = Deployment(host, Configuration(), {}, public_url=BASE)
        served = [deployment.load(name, generic()) for name in ("one.yaml", "two.yaml")]
        with pytest.raises(DurableError, match="would have the same path /demo/reply: rename one of them"):
            endpoints(deployment, served)
