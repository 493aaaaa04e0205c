"""Ask a person and wait for the answer, within one call: by looking at Twilio's list of messages.

A served flow does not come here. Its engine sends the question, and the webhook that reports the reply ends the wait.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from twilio_component.host.questions import (
    ANSWERED,
    NOT_UNDERSTOOD,
    OPTED_OUT,
    OTHERWISE,
    TIMED_OUT,
    UNDELIVERABLE,
    Question,
    QuestionEnd,
)
from twilio_component.host.results import Result
from twilio_component.twilio.actions import messages
from twilio_component.twilio.answers import answer
from twilio_component.twilio.client import client_for
from twilio_component.twilio.errors import TwilioAPIError
from twilio_component.twilio.payloads import message as message_payload
from twilio_component.twilio.questions import opts_out, outcome_of, plan
from twilio_component.twilio.triggers.inbound import reply_from_list
from twilio_component.twilio.whatsapp_numbers import all_forms

if TYPE_CHECKING:
    from twilio_component.host.context import Context

_FIRST_PAUSE, _LONG_PAUSE, _LONGEST_PAUSE = 1.0, 15.0, 300.0
_OF_THE_WAIT = 20
"""After an hour a reply may be seen three minutes later: nobody asks a list for days, every few seconds."""
_LOST = frozenset({"undelivered", "failed", "canceled"})


async def ask(context: Context, inputs: Mapping[str, Any]) -> Result:
    """Send the question, and return how it ended, which is the branch to take.

    Raises what `sendSMS` raises for a question that could not be sent, unless the person cannot be reached.
    """
    end = await _Conversation(context, inputs, plan(inputs)).ask()
    return Result(value=end.data(), branch=end.outcome, extra={"otherBranch": OTHERWISE})


class _Conversation:
    """One question, from its first message to its end."""

    def __init__(self, context: Context, inputs: Mapping[str, Any], question: Question) -> None:
        self._context = context
        self._inputs = inputs
        self._question = question
        self._clock = context.resources.clock
        self._sent: list[Mapping[str, Any]] = []
        self._seen: set[str] = set()

    async def ask(self) -> QuestionEnd:
        deadline = 0.0
        for misfits, sending in enumerate(self._question.sends):
            try:
                self._sent.append(await messages.send(self._context, sending))
            except TwilioAPIError as error:
                outcome = outcome_of(error.reason or "")
                if not outcome:
                    raise
                return self._end(outcome, misfits=misfits, code=error.reason or "")
            deadline = deadline or self._clock() + self._question.seconds
            end = await self._wait(deadline, misfits)
            if end is not None:
                return end
        raise AssertionError("the last misfit ends the question")

    async def _wait(self, deadline: float, misfits: int) -> QuestionEnd | None:
        """How the question ended; None when the next reply did not fit, and the question is to be sent again."""
        pause = _FIRST_PAUSE
        while True:
            async for reply in self._new_replies():
                if opts_out(reply):
                    return self._end(OPTED_OUT, reply=reply, misfits=misfits)
                fits = answer(self._question.expects, reply)
                if fits is not None:
                    return self._end(ANSWERED, reply=reply, misfits=misfits, answer=fits["answer"])
                last = misfits + 1 >= len(self._question.sends)
                return self._end(NOT_UNDERSTOOD, reply=reply, misfits=misfits + 1) if last else None
            code = await self._failure_code()
            if code is not None:
                return self._end(outcome_of(code) or UNDELIVERABLE, misfits=misfits, code=code)
            left = deadline - self._clock()
            if left <= 0:
                return self._end(TIMED_OUT, misfits=misfits)
            await self._context.resources.sleep(min(pause, left))
            waited = self._question.seconds - left
            pause = min(2 * pause, max(_LONG_PAUSE, waited / _OF_THE_WAIT), _LONGEST_PAUSE)

    async def _new_replies(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield what the person has written since the first question, the oldest first."""
        inputs = self._inputs
        first = dt.datetime.fromisoformat(self._sent[0]["dateCreated"])
        client = client_for(self._context, inputs["twilioConnection"])
        to = [("To", inputs["from"])] if "from" in inputs else []
        found = []
        for person in all_forms(inputs["to"]):
            params = [("From", person), *to, ("PageSize", "50")]
            async for page in client.pages(f"{client.account_path}/Messages.json", "messages", params):
                listed = [message_payload(resource) for resource in page]
                found += [one for one in listed if one["direction"] == "inbound" and one["sid"] not in self._seen]
                if any(dt.datetime.fromisoformat(one["dateCreated"]) < first for one in listed):
                    break
        recent = [one for one in reversed(found) if dt.datetime.fromisoformat(one["dateCreated"]) >= first]
        service = inputs.get("messagingServiceSid") if "from" not in inputs else None
        for one in sorted(recent, key=itemgetter("dateCreated")):
            if service is not None and one["messagingServiceSid"] != service:
                continue
            self._seen.add(one["sid"])
            yield reply_from_list(one)

    async def _failure_code(self) -> str | None:
        """Why the last message was not delivered; None while it may still be."""
        client = client_for(self._context, self._inputs["twilioConnection"])
        sid = self._sent[-1]["sid"]
        found = message_payload(await client.call("GET", f"{client.account_path}/Messages/{sid}.json"))
        return str(found["errorCode"] or "") if found["status"] in _LOST else None

    def _end(self, outcome: str, **details: Any) -> QuestionEnd:
        return QuestionEnd(outcome=outcome, effects=[one["sid"] for one in self._sent], **details)
