"""The integrations that ask people, served against the emulator: what people write continues the run that asked."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import select
from support.conversations import ADA, BOB, US, Phone, conversing
from support.flow_runs import FIXTURES

from twilio_component.durable.operator.views import RunFilter, RunViews
from twilio_component.durable.settings import Settings
from twilio_component.durable.store import schema
from twilio_component.emulator import Emulator

FOLDER = FIXTURES / "integrations"
DESK = "+15558675309"
APPOINTMENT = {"phone": ADA, "date": "May 5"}
ASKED = "Your appointment is on May 5. Reply CONFIRM or RESCHEDULE."
KEEP = Settings(timeout=1, lag_bound=0.5, keep_payloads=True)


def number_of(phone: Phone, flow: str = "Incoming message") -> None:
    phone.emulator.add_number(US, sms_url=phone.urls[flow])


async def test_an_appointment_is_confirmed(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "appointment-confirmation.yaml") as phone:
        number_of(phone)
        run = await phone.start("Ask about an appointment", APPOINTMENT)
        await phone.rests()
        await phone.write("confirm!")
        assert (await phone.ends(run))["state"] == "succeeded"
        await phone.gets(ASKED, "Thank you, see you on May 5.")
        assert phone.texts(DESK) == []


async def test_an_appointment_is_moved_after_a_reply_that_nobody_understands(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "appointment-confirmation.yaml") as phone:
        number_of(phone)
        run = await phone.start("Ask about an appointment", APPOINTMENT)
        await phone.rests()
        await phone.write("who is this?")
        await phone.gets(ASKED, "Sorry, please reply CONFIRM (1) or RESCHEDULE (2).")
        await phone.rests()
        await phone.write("2")
        await phone.rests()
        await phone.write("5/6/2027")
        assert (await phone.ends(run))["state"] == "succeeded"
        assert phone.texts()[2:] == [
            "Which day suits you? Reply with a date such as 12/24/2026.",
            "See you on 2027-05-06.",
        ]
        assert phone.texts(DESK) == []


async def test_nobody_replies_and_what_comes_later_starts_the_flow_for_messages(tmp_path: Path) -> None:
    file = FOLDER / "appointment-confirmation.yaml"
    async with conversing(tmp_path, file, Deadline="1s") as phone:
        number_of(phone)
        run = await phone.start("Ask about an appointment", APPOINTMENT)
        assert (await phone.ends(run))["state"] == "succeeded"
        await phone.gets(f"{ADA}: timedOut", to=DESK)
        await phone.write("Confirm")
        await phone.gets(f"{ADA}: timedOut", f"{ADA} wrote: Confirm", to=DESK)


@pytest.mark.parametrize(("body", "outcome"), [("STOP", "optedOut"), ("Unsubscribe", "optedOut")])
async def test_stop_is_not_an_answer(tmp_path: Path, body: str, outcome: str) -> None:
    async with conversing(tmp_path, FOLDER / "appointment-confirmation.yaml") as phone:
        number_of(phone)
        await phone.start("Ask about an appointment", APPOINTMENT)
        await phone.rests()
        await phone.write(body)
        await phone.gets(f"{ADA}: {outcome}", to=DESK)

        def opted_out(connection: object) -> int:
            return len(connection.execute(select(schema.opt_outs)).all())  # type: ignore[attr-defined]

        assert await phone.engine.database.run(opted_out) > 0, "it is in the register of opt-outs too"


async def test_a_question_that_cannot_be_delivered_ends_with_the_status_callback(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "appointment-confirmation.yaml") as phone:
        number_of(phone)
        phone.emulator.lifecycle.undeliver(to=ADA)
        await phone.start("Ask about an appointment", APPOINTMENT)
        await phone.rests()
        await phone.emulator.clock.advance(60)
        await phone.gets(f"{ADA}: undeliverable", to=DESK)


async def test_whoever_cannot_be_sent_to_at_all_is_undeliverable(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "appointment-confirmation.yaml") as phone:
        number_of(phone)
        phone.emulator.faults.api_error(21614, operation="messages.create", times=1)
        await phone.start("Ask about an appointment", APPOINTMENT)
        await phone.gets(f"{ADA}: undeliverable", to=DESK)
        assert phone.texts() == []


async def test_a_survey_asks_four_questions_and_checks_the_answers(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "survey.yaml") as phone:
        number_of(phone)
        run = await phone.start("Ask a person", {"phone": ADA})
        for reply, asked in [
            ("yes", 2),  # how was it?
            ("great", 3),  # a number, please
            ("6", 4),  # a number from 1 to 5, please
            ("5", 5),  # where?
            ("station", 6),  # what should we do better?
            ("Nothing, really.", 7),
        ]:
            await phone.rests()
            await phone.write(reply)
            await phone.has(asked)
        assert (await phone.ends(run))["state"] == "succeeded"
        state = await phone.engine.stored_state({"crossFlowState": "Survey//cross-flow"})
        assert state == {"crossFlowState": {ADA: "5 Station: Nothing, really."}}
        assert phone.texts()[-1] == "Thank you!"


async def test_who_does_not_want_to_be_asked_is_not_asked_on(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "survey.yaml") as phone:
        number_of(phone)
        run = await phone.start("Ask a person", {"phone": ADA})
        await phone.rests()
        await phone.write("nope")
        assert (await phone.ends(run))["state"] == "succeeded"
        assert len(phone.texts()) == 1


async def test_two_people_are_surveyed_at_the_same_time(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "survey.yaml") as phone:
        number_of(phone)
        runs = [await phone.start("Ask a person", {"phone": one}) for one in (ADA, BOB)]
        await phone.rests(2)
        await phone.write("no", them=BOB)
        assert (await phone.ends(runs[1]))["state"] == "succeeded"
        await phone.rests(1)
        assert len(phone.texts(ADA)) == 1


async def test_the_second_on_call_is_asked_when_the_first_does_not_reply(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "on-call-escalation.yaml", settings=KEEP, Patience="2s") as phone:
        number_of(phone)
        run = await phone.start("Alarm", {"text": "The pump has stopped."})
        await phone.gets("The pump has stopped. Nobody has taken it (timedOut). Reply OK.", to=BOB)
        await phone.rests()
        await phone.write("ok", them=ADA)  # too late: it is kept
        await phone.write("hello?", them=ADA)
        await phone.write("OK", them=BOB)
        assert (await phone.ends(run))["state"] == "succeeded"
        await phone.gets("The pump has stopped. Reply OK to take it.", "The alarm has been taken.", to=ADA)
        views = RunViews(phone.engine.database)
        (late,) = (await views.show(run))["lateReplies"]
        assert (late["step"], late["reply"]["body"]) == ("askTheFirst", "ok")
        started = [one["flow"] for one in await views.find(RunFilter())]
        assert started == ["Incoming message", "Alarm"], (
            "a question keeps one reply, and the next message starts its flow"
        )


async def test_the_second_on_call_is_asked_when_the_first_says_no(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "on-call-escalation.yaml") as phone:
        number_of(phone)
        run = await phone.start("Alarm", {"text": "The pump has stopped."})
        await phone.rests()
        await phone.write("No!", them=ADA)
        await phone.gets("The pump has stopped. Nobody has taken it (answered). Reply OK.", to=BOB)
        await phone.rests()
        await phone.write("👍", them=BOB)
        assert (await phone.ends(run))["state"] == "succeeded"
        assert phone.texts(ADA)[-1] == "The alarm has been taken."


async def test_a_button_is_an_answer(tmp_path: Path) -> None:
    file = tmp_path / "whatsapp.yaml"
    text = (FOLDER / "appointment-confirmation.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace('from: "{{#Sender}}"', 'from: "whatsapp:{{#Sender}}"'), encoding="utf-8")
    them, us = f"whatsapp:{ADA}", f"whatsapp:{US}"
    async with conversing(tmp_path, file) as phone:
        number_of(phone)
        run = await phone.start("Ask about an appointment", {**APPOINTMENT, "phone": them})
        await phone.rests()
        await phone.write("", them=them, to=us, button={"text": "I will be there", "payload": "Confirm"})
        assert (await phone.ends(run))["state"] == "succeeded"
        assert phone.texts(them)[-1] == "Thank you, see you on May 5."


FOLLOW_UP = """\
name: Delivery
requiredConfigVars:
  - {key: Twilio Connection, dataType: connection, connection: twilio.basic}
flows:
  - name: Send
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
      - name: Send
        action: twilio.sendSMS
        inputs: {twilioConnection: Twilio Connection, to: "+15558675310", from: "+15017122661", message: Hi}
      - name: Wait
        action: twilio.waitForDelivery
        inputs: {twilioConnection: Twilio Connection, sid: "{{$send.results.sid}}", timeoutSeconds: 3600}
      - name: Tell
        action: twilio.sendSMS
        inputs:
          twilioConnection: Twilio Connection
          to: "+15558675311"
          from: "+15017122661"
          message: "{{$wait.results.status}}"
"""


async def test_a_status_callback_ends_the_wait_for_delivery_at_once(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(FOLLOW_UP, encoding="utf-8")
    async with conversing(tmp_path, file) as phone:
        run = await phone.start("Send", {})
        await asyncio.sleep(8)  # by now the next poll is seconds away
        await phone.rests()
        begun = time.monotonic()
        await phone.emulator.clock.advance(60)
        await phone.gets("delivered", to=BOB)
        assert time.monotonic() - begun < 1.5
        assert (await phone.ends(run))["state"] == "succeeded"
        polls = [one for one in phone.emulator.request_log.requests if one.operation == "messages.fetch"]
        assert len(polls) < 8


async def test_without_a_callback_polling_ends_the_wait_for_delivery(tmp_path: Path) -> None:
    file = tmp_path / "delivery.yaml"
    file.write_text(FOLLOW_UP, encoding="utf-8")
    async with conversing(tmp_path, file, emulator=Emulator()) as phone:
        run = await phone.start("Send", {})
        await phone.rests()
        await phone.emulator.clock.advance(60)
        await phone.gets("delivered", to=BOB)
        assert (await phone.ends(run))["state"] == "succeeded"


async def test_what_a_person_writes_is_handed_over_in_order(tmp_path: Path) -> None:
    async with conversing(tmp_path, FOLDER / "support-hand-over.yaml", settings=KEEP, slow=0.8) as phone:
        number_of(phone)
        for body in ("Hello", "My pump", "has stopped"):
            await phone.write(body)
        for number in (1, 2, 3):
            await phone.has(number)
            assert len(phone.texts()) == number, "the next one is sent once this one is delivered"
            await phone.emulator.clock.advance(60)
        assert phone.texts() == [f"We have got your message {number}." for number in (1, 2, 3)]
        assert phone.texts(DESK) == [f"1. {ADA}: Hello", f"2. {ADA}: My pump", f"3. {ADA}: has stopped"]
