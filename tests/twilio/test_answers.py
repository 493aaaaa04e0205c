"""What people write, as answers."""

# ruff: noqa: RUF001 - people write like that

from __future__ import annotations

import time
from typing import Any

import pytest

from twilio_component.host.errors import InputError
from twilio_component.twilio.answer_patterns import LONGEST_ANSWER, compile_pattern
from twilio_component.twilio.answers import answer
from twilio_component.twilio.questions import (
    clean_answering_sender,
    clean_deadline,
    conversation,
    plan,
    reply_of,
    report_of,
)

CONNECTION = {"key": "basic", "fields": {"username": "AC1", "password": "secret"}}
INPUTS: dict[str, Any] = {
    "twilioConnection": CONNECTION,
    "to": "+15558675310",
    "from": "+15017122661",
    "message": "Come?",
    "answerType": "anything",
    "deadline": "60",
    "retries": 1,
    "ifBusy": "wait",
    "lateReplies": "flow",
}


@pytest.mark.parametrize(
    ("kind", "more", "text", "wanted"),
    [
        ("anything", {}, " anything at all ", "anything at all"),
        ("anything", {}, "   ", None),
        ("yesNo", {}, "Yes!", True),
        ("yesNo", {}, "NOPE", False),
        ("yesNo", {}, "perhaps", None),
        ("yesNo", {"yesWords": ["ja"], "noWords": ["nein"]}, "Ja", True),
        ("yesNo", {"yesWords": ["ja"], "noWords": ["nein"]}, "nein.", False),
        ("number", {}, "7", 7),
        ("number", {}, "-1,5", -1.5),
        ("number", {}, "1,200", None),
        ("number", {"minimum": 1, "maximum": 5}, "6", None),
        ("number", {"minimum": 1, "maximum": 5}, "5", 5),
        ("number", {}, "seven", None),
        ("date", {"dateOrder": "MDY"}, "12/24/2026", "2026-12-24"),
        ("date", {"dateOrder": "DMY"}, "24.12.2026", "2026-12-24"),
        ("date", {"dateOrder": "DMY"}, "2026-12-24", "2026-12-24"),
        ("date", {"dateOrder": "MDY"}, "24/12/2026", None),
        ("date", {"dateOrder": "DMY"}, "30.2.2026", None),
        ("choice", {"choices": ["Confirm", "Move it"]}, "move it", "Move it"),
        ("choice", {"choices": ["Confirm", "Move it"]}, "1", "Confirm"),
        ("choice", {"choices": ["Confirm", "Move it"]}, "3", None),
        ("choice", {"choices": ["Confirm", "Move it"]}, "0", None),
        ("yesNo", {}, "YES!!", True),
        ("yesNo", {}, "“Yes”", True),
        ("yesNo", {}, "¡yes!", True),
        ("yesNo", {}, "Yes 😀", True),
        ("yesNo", {}, "Yes, please.", True),
        ("yesNo", {}, "No, thanks", False),
        ("yesNo", {}, "👍🏽", True),
        ("yesNo", {}, "👎️", False),
        ("yesNo", {}, "ｙｅｓ", True),
        ("yesNo", {}, "yes\u200b", True),
        ("yesNo", {}, "yes and no", None),
        ("yesNo", {}, "!!", None),
        ("yesNo", {"yesWords": ["Sí"], "noWords": ["ok"]}, "si\u0301!", True),
        ("yesNo", {"yesWords": ["Sí"], "noWords": ["ok"]}, "OK", False),
        ("yesNo", {"yesWords": ["はい"], "noWords": ["いいえ"]}, "はい。", True),
        ("yesNo", {"yesWords": ["نعم"], "noWords": ["لا"]}, "نعم!", True),
        ("yesNo", {"yesWords": ["да"], "noWords": ["нет"]}, "Нет…", False),
        ("yesNo", {"yesWords": ["Straße"]}, "STRASSE", True),
        ("number", {}, ".5", 0.5),
        ("number", {}, "0,125", 0.125),
        ("number", {}, "1.200", None),
        ("number", {}, "５", 5),
        ("number", {}, "٣٫٥", 3.5),
        ("number", {}, "५।", 5),
        ("number", {}, "−4", -4),
        ("number", {}, "(7).", 7),
        ("number", {}, "4️⃣", 4),
        ("date", {"dateOrder": "DMY"}, "٢٤/١٢/٢٠٢٦", "2026-12-24"),
        ("choice", {"choices": ["Crème brûlée", "Tarte"]}, "CRE\u0300ME BRU\u0302LE\u0301E!", "Crème brûlée"),
        ("choice", {"choices": ["Confirm", "Move it"]}, "2️⃣", "Move it"),
        ("choice", {"choices": ["Confirm", "Move it"]}, "2)", "Move it"),
        ("choice", {"choices": ["Confirm", "Move it"]}, "…", None),
        ("choice", {"choices": ["🍕", "🍣"]}, "🍣!", "🍣"),
        ("choice", {"choices": ["🍕", "🍣"]}, "🍣🍣 🍣", "🍣"),
        ("yesNo", {}, "👍🏽👍🏽", True),
        ("yesNo", {}, "👍👎", None),
        ("choice", {"choices": ["2", "1"]}, "1", "1"),
        ("pattern", {"pattern": "[a-z]{2}[0-9]{4}"}, "“AB1234”.", "AB1234"),
        ("pattern", {"pattern": "[a-z]{2}[0-9]{4}"}, "AB1234", "AB1234"),
        ("pattern", {"pattern": "[a-z]{2}[0-9]{4}"}, "AB1234 please", None),
        ("pattern", {"pattern": "[a-z]*"}, "a" * (LONGEST_ANSWER + 1), None),
    ],
)
def test_a_reply_is_an_answer_when_it_fits(kind: str, more: dict[str, Any], text: str, wanted: Any) -> None:
    found = answer({"answerType": kind, **more}, {"body": text})
    assert found == (None if wanted is None else {"answer": wanted})


@pytest.mark.parametrize(
    "message",
    [
        {"body": "I will come", "buttonText": "I will come", "buttonPayload": "Confirm"},
        {"body": "Confirm", "buttonText": "Confirm", "buttonPayload": "b1"},
        {"body": "Please", "listId": "confirm", "listTitle": "Yes, please"},
    ],
)
def test_buttons_and_lists_are_answers(message: dict[str, Any]) -> None:
    assert answer({"answerType": "choice", "choices": ["Confirm", "No"]}, message) == {"answer": "Confirm"}


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a+)+", "must not repeat a group"),
        ("(a|aa)+", "must not repeat a group"),
        ("(?:[a-z]*x?)*", "must not repeat a group"),
        ("a*a*a*b", "could take long"),
        ("(a)\\1", "must not refer back"),
        ("(?=a)b", "may have groups of the forms"),
        ("[a-z", "must be a regular expression"),
        ("a" * 201, "must have at most 200"),
    ],
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["[A-Z]{2}[0-9]{4,6}", "a*b", "a+a+", "(red|green|blue)", "[^]x]*", r"\d{1,3}(?:,\d)?"]
)
def test_what_a_pattern_may_be_is_matched_within_milliseconds(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    begun = time.perf_counter()
    for text in ("a" * LONGEST_ANSWER, "a" * (LONGEST_ANSWER - 1) + "!", "1" * LONGEST_ANSWER):
        compiled.fullmatch(text)
    assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(("given", "seconds"), [("300", "300"), ("5m", "300"), ("2 hours", "7200"), ("1d", "86400")])
def test_a_deadline_is_seconds_or_a_duration(given: str, seconds: str) -> None:
    assert clean_deadline(given, {}) == seconds


@pytest.mark.parametrize("given", ["0", "soon", "91d", "-5", "5 weeks"])
def test_another_deadline_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="90s, 5m, 2h or 3d"):
        clean_deadline(given, {})


def test_nobody_can_reply_to_a_name() -> None:
    with pytest.raises(ValueError, match="nobody can reply to an alphanumeric sender ID"):
        clean_answering_sender("MyBrand", {})


def test_a_picture_without_words_is_an_answer_where_anything_is() -> None:
    picture = {"body": "", "media": [{"url": "https://example.com/a.jpg"}]}
    assert answer({"answerType": "anything"}, picture) == {"answer": ""}
    assert answer({"answerType": "yesNo"}, picture) is None
    assert answer({"answerType": "anything"}, {"body": "", "media": [], "location": None}) is None


def test_a_least_number_above_the_most_is_refused() -> None:
    with pytest.raises(InputError, match=r"\$\.inputs\.minimum: must not be more than maximum, which is 1"):
        plan({**INPUTS, "answerType": "number", "minimum": 5, "maximum": 1})


def test_a_question_and_its_reply_are_in_one_conversation() -> None:
    question = plan({**INPUTS, "retryMessage": "Please!", "retries": 2})
    assert [sending["message"] for sending in question.sends] == ["Come?", "Please!", "Please!"]
    parameters = {"MessageSid": "SM1", "From": "+15558675310", "To": "+15017122661", "AccountSid": "AC1", "Body": "yes"}
    reply = reply_of({"body": {"data": parameters}})
    assert reply is not None
    assert question.conversation in reply.conversations
    assert not reply.opts_out
    stop = reply_of({"body": {"data": {**parameters, "Body": " Stop! "}}})
    assert stop is not None
    assert stop.opts_out
    other = reply_of({"body": {"data": {**parameters, "AccountSid": "AC2"}}})
    assert other is not None
    assert question.conversation not in other.conversations


@pytest.mark.parametrize(("text", "kind"), [("HELP", None), (" info!", None), ("AIDE", "HELP")])
def test_a_call_for_help_is_told_from_an_answer(text: str, kind: str | None) -> None:
    parameters = {"MessageSid": "SM1", "From": "+15558675310", "To": "+15017122661", "Body": text}
    reply = reply_of({"body": {"data": {**parameters, **({"OptOutType": kind} if kind else {})}}})
    assert reply is not None
    assert reply.asks_help
    assert answer({"answerType": "anything"}, reply.data) is None, "Twilio replies to it"
    assert answer({"answerType": "choice", "choices": [text]}, reply.data) == {"answer": text}


def test_a_reply_by_rcs_belongs_to_a_question_by_sms() -> None:
    asked = conversation("AC1", "MG" + "2" * 32, "+15558675310")
    parameters = {"MessageSid": "SM1", "From": "rcs:+15558675310", "To": "rcs:brand", "Body": "yes"}
    reply = reply_of({"body": {"data": {**parameters, "AccountSid": "AC1", "MessagingServiceSid": "MG" + "2" * 32}}})
    assert reply is not None
    assert asked in reply.conversations
    by_whatsapp = {**parameters, "From": "whatsapp:+15558675310", "AccountSid": "AC1"}
    other = reply_of({"body": {"data": {**by_whatsapp, "MessagingServiceSid": "MG" + "2" * 32}}})
    assert other is not None
    assert asked not in other.conversations


def test_a_status_is_not_a_message() -> None:
    parameters = {"MessageSid": "SM1", "From": "+15558675310", "To": "+15017122661", "Body": "HELP"}
    assert reply_of({"body": {"data": {**parameters, "MessageStatus": "delivered"}}}) is None


@pytest.mark.parametrize(
    ("status", "code", "outcome", "is_final"),
    [
        ("sent", None, "", False),
        ("delivered", None, "", True),
        ("undelivered", "30005", "undeliverable", True),
        ("failed", "21610", "optedOut", True),
    ],
)
def test_a_status_says_what_became_of_a_message(status: str, code: str | None, outcome: str, is_final: Any) -> None:
    parameters = {"MessageSid": "SM1", "MessageStatus": status, **({"ErrorCode": code} if code else {})}
    report = report_of({"body": {"data": parameters}})
    assert report is not None
    assert (report.effect, report.outcome, report.is_final) == ("SM1", outcome, is_final)
