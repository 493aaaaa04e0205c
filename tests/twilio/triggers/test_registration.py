"""Numbers and messaging services that are told where webhooks go, and told back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.host.errors import InputError, PluginError
from twilio_component.testing import BlockingHarness, create_connection
from twilio_component.twilio.errors import NotFoundError
from twilio_component.twilio.triggers.registration import RegistrationError, WebhookConflictError

if TYPE_CHECKING:
    from twilio_component.emulator import Emulator

OURS, THEIRS = "https://flows.example.com/demo/reply#rc=5&rp=all", "https://theirs.example.com/sms?key=topsecret"
NUMBER = "+15017122661"
CHOSEN = {"phoneNumber": NUMBER}


def sms_settings(emulator: Emulator) -> dict[str, Any]:
    number = emulator.accounts.default_account().number_of(NUMBER)
    assert number is not None
    return {key: number.settings[key] for key in ("sms_url", "sms_method", "sms_application_sid")}


def outcomes(result: dict[str, Any]) -> list[str]:
    return [entry["outcome"] for entry in result["result"]]


def said(result: dict[str, Any]) -> str:
    (entry,) = result["result"]
    text: str = entry["text"]
    return text


def test_a_number_is_set_on_deployment_and_set_back_on_removal(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER)
    before = sms_settings(emulator)

    set_ = harness.deploy("inboundMessage", CHOSEN, url=OURS)
    assert set_["result"] == [
        {
            "kind": "phoneNumber",
            "sid": number.sid,
            "outcome": "registered",
            "text": f"the phone number …61 ({number.sid}) now points to this flow",
        }
    ]
    assert sms_settings(emulator) == {"sms_url": OURS, "sms_method": "POST", "sms_application_sid": ""}
    assert outcomes(harness.deploy("inboundMessage", CHOSEN, url=OURS)) == ["unchanged"]

    back = harness.delete("inboundMessage", CHOSEN)
    assert said(back) == f"the phone number …61 ({number.sid}) has no webhook again, as before"
    assert sms_settings(emulator) == {**before, "sms_application_sid": ""}
    assert harness.deployed["inboundMessage"] == {}
    assert harness.delete("inboundMessage", CHOSEN)["result"] == []


def test_a_messaging_service_is_set_on_deployment_and_set_back_on_removal(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    service = emulator.add_service("S", [], inbound_request_url=THEIRS, inbound_method="GET", status_callback=THEIRS)
    before = dict(service.settings)
    chosen = {"messagingServiceSid": service.sid, "replaceWebhook": True}

    assert outcomes(harness.deploy("inboundMessage", chosen, url=OURS)) == ["registered"]
    assert service.settings == {**before, "inbound_request_url": OURS, "inbound_method": "POST"}
    assert outcomes(harness.deploy("statusCallback", chosen, url=f"{OURS}2")) == ["registered"]
    assert service.settings["status_callback"] == f"{OURS}2"
    assert service.settings["inbound_request_url"] == OURS

    assert outcomes(harness.delete("statusCallback")) == ["restored"]
    assert outcomes(harness.delete("inboundMessage")) == ["restored"]
    assert service.settings == before


def test_a_service_that_defers_to_its_numbers_leads_elsewhere_and_defers_again_afterwards(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    service = emulator.add_service("S", [], use_inbound_webhook_on_number=True)
    chosen = {"messagingServiceSid": service.sid}
    with pytest.raises(WebhookConflictError, match=r"already points to the webhooks of its numbers"):
        harness.deploy("webhook", chosen, url=OURS)
    before = dict(service.settings)
    harness.deploy("webhook", {**chosen, "replaceWebhook": True}, url=OURS)
    assert service.settings == {**before, "use_inbound_webhook_on_number": False, "inbound_request_url": OURS}
    harness.delete("webhook")
    assert service.settings == before


@pytest.mark.parametrize(
    ("there", "shown"),
    [
        ({"sms_url": THEIRS}, "https://theirs.example.com/sms?key=…"),
        ({"sms_url": THEIRS, "sms_application_sid": "AP1"}, "the TwiML application AP1"),
        ({"sms_url": "ftp://x"}, "something that is not an http URL"),
    ],
)
def test_a_number_that_leads_elsewhere_is_refused_until_that_is_confirmed_and_no_secret_is_shown(
    twilio_harness_blocking: BlockingHarness, there: dict[str, str], shown: str
) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    emulator.add_number(NUMBER, sms_method="GET").settings.update(there)
    before = sms_settings(emulator)
    with pytest.raises(WebhookConflictError) as caught:
        harness.deploy("inboundMessage", CHOSEN, url=OURS)
    text = str(caught.value)
    assert f"already points to {shown}. Set replaceWebhook to true" in text
    assert "topsecret" not in text
    assert NUMBER not in text
    assert sms_settings(emulator) == before
    assert harness.deployed == {}

    harness.deploy("inboundMessage", {**CHOSEN, "replaceWebhook": True}, url=OURS)
    assert sms_settings(emulator)["sms_url"] == OURS
    assert f"points to {shown} again" in said(harness.delete("inboundMessage"))
    assert {**sms_settings(emulator), "sms_application_sid": there.get("sms_application_sid")} == before


def test_twilios_own_answer_on_a_new_number_counts_as_nothing(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    emulator.add_number(NUMBER, sms_url="https://demo.twilio.com/welcome/sms/reply/")
    harness.deploy("inboundMessage", CHOSEN, url=OURS)
    harness.delete("inboundMessage")
    assert sms_settings(emulator)["sms_url"] == "https://demo.twilio.com/welcome/sms/reply/"


def test_what_somebody_changed_since_is_left_and_told(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER)
    harness.deploy("inboundMessage", CHOSEN, url=OURS)
    number.settings["sms_url"] = THEIRS
    with pytest.raises(WebhookConflictError):
        harness.deploy("inboundMessage", CHOSEN, url=OURS)

    back = harness.delete("inboundMessage")
    assert outcomes(back) == ["left"]
    assert "was changed by somebody else since, points to https://theirs.example.com/sms?key=…, and is left" in said(
        back
    )
    assert sms_settings(emulator)["sms_url"] == THEIRS
    assert harness.deployed["inboundMessage"] == {}


def test_what_was_replaced_a_second_time_is_what_comes_back(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER, sms_url="https://first.example.com")
    confirmed = {**CHOSEN, "replaceWebhook": True}
    harness.deploy("inboundMessage", confirmed, url=OURS)
    number.settings["sms_url"] = THEIRS
    harness.deploy("inboundMessage", confirmed, url=OURS)
    harness.delete("inboundMessage")
    assert number.settings["sms_url"] == THEIRS


def test_what_was_set_back_by_hand_is_restored_already(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER)
    harness.deploy("inboundMessage", CHOSEN, url=OURS)
    number.settings["sms_url"] = ""
    assert outcomes(harness.delete("inboundMessage")) == ["restored"]


def test_a_url_of_ours_that_moves_is_followed_and_the_former_value_stays(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER, sms_url=THEIRS)
    harness.deploy("inboundMessage", {**CHOSEN, "replaceWebhook": True}, url=OURS)
    number.settings["sms_method"] = "GET"
    assert outcomes(harness.deploy("inboundMessage", CHOSEN, url="https://new.example.com/x")) == ["registered"]
    assert outcomes(harness.deploy("inboundMessage", CHOSEN, url="https://new.example.com/x")) == ["unchanged"]
    harness.delete("inboundMessage")
    assert number.settings["sms_url"] == THEIRS


def test_a_number_that_leads_here_already_is_kept_as_it_was(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER, sms_url=OURS.partition("#")[0])
    assert outcomes(harness.deploy("inboundMessage", CHOSEN, url=OURS)) == ["registered"]
    assert number.settings["sms_url"] == OURS
    harness.delete("inboundMessage")
    assert number.settings["sms_url"] == OURS.partition("#")[0]

    number.settings |= {"sms_url": OURS, "sms_application_sid": ""}
    assert outcomes(harness.deploy("inboundMessage", CHOSEN, url=OURS)) == ["unchanged"]
    assert outcomes(harness.delete("inboundMessage")) == ["restored"]
    assert number.settings["sms_url"] == OURS


def test_another_choice_sets_the_former_one_back(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    first, second = emulator.add_number(NUMBER), emulator.add_number("+15017122662")
    service = emulator.add_service("S", [])
    harness.deploy("inboundMessage", {**CHOSEN, "messagingServiceSid": service.sid}, url=OURS)
    assert first.settings["sms_url"] == service.settings["inbound_request_url"] == OURS

    moved = harness.deploy("inboundMessage", {"phoneNumber": second.number}, url=OURS)
    assert outcomes(moved) == ["restored", "restored", "registered"]
    assert (first.settings["sms_url"], second.settings["sms_url"]) == ("", OURS)
    assert service.settings["inbound_request_url"] is None
    assert outcomes(harness.deploy("inboundMessage", {}, url=OURS)) == ["restored"]
    assert second.settings["sms_url"] == ""


def test_one_that_is_refused_changes_nothing_at_the_others(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER)
    service = emulator.add_service("S", [], inbound_request_url=THEIRS)
    with pytest.raises(WebhookConflictError):
        harness.deploy("inboundMessage", {**CHOSEN, "messagingServiceSid": service.sid}, url=OURS)
    assert number.settings["sms_url"] == ""


def test_a_number_that_was_given_back_is_told_of_with_what_it_led_to(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER, sms_url=THEIRS)
    harness.deploy("inboundMessage", {**CHOSEN, "replaceWebhook": True}, url=OURS)
    del emulator.accounts.default_account().numbers[number.sid]
    back = harness.delete("inboundMessage")
    assert outcomes(back) == ["gone"]
    assert "before, it pointed to https://theirs.example.com/sms?key=…" in said(back)


def test_a_connection_of_another_account_restores_nothing_and_loses_nothing(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    emulator.add_number(NUMBER)
    harness.deploy("inboundMessage", CHOSEN, url=OURS)
    kept = json.loads(json.dumps(harness.deployed))
    other = create_connection("basic", {"username": "AC" + "f" * 32, "password": "x"})
    with pytest.raises(RegistrationError, match="was registered for the account AC0"):
        harness.delete("inboundMessage", {"twilioConnection": other})
    assert harness.deployed == kept


def test_a_url_that_twilio_writes_down_differently_is_recognised_as_ours(
    twilio_harness_blocking: BlockingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twilio_component.emulator.model.phone_number import PhoneNumber

    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER)
    plainly = PhoneNumber.change

    def change(self: PhoneNumber, form: Any, now: float) -> None:
        plainly(self, form, now)
        self.settings["sms_url"] = (self.settings["sms_url"] or "").replace("example.com/", "example.com:443/")

    monkeypatch.setattr(PhoneNumber, "change", change)
    harness.deploy("inboundMessage", CHOSEN, url=OURS)
    assert outcomes(harness.delete("inboundMessage")) == ["restored"]
    assert number.settings["sms_url"] == ""


def test_what_is_missing_is_named(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    with pytest.raises(RegistrationError, match="does not have the number in phoneNumber"):
        harness.deploy("inboundMessage", CHOSEN, url=OURS)
    with pytest.raises(NotFoundError):
        harness.deploy("statusCallback", {"messagingServiceSid": "MG" + "0" * 32}, url=OURS)
    emulator.add_number(NUMBER)
    with pytest.raises(RegistrationError, match="does not know the URL of this flow"):
        harness.deploy("inboundMessage", CHOSEN, url="")
    with pytest.raises(RegistrationError, match="needs twilioConnection"):
        harness.deploy("inboundMessage", {**CHOSEN, "twilioConnection": None}, url=OURS)
    with pytest.raises(InputError, match=r"phoneNumber: must be a phone number of the account, such as \+15017122661"):
        harness.deploy("inboundMessage", {"phoneNumber": "whatsapp:+1"}, url=OURS)
    with pytest.raises(PluginError, match="pollChangesTrigger does nothing when it is deployed"):
        harness.deploy("pollChangesTrigger", {})
    with pytest.raises(PluginError, match="pollChangesTrigger does nothing when it is removed"):
        harness.delete("pollChangesTrigger", {})
    assert harness.deploy("inboundMessage", {}, url=OURS)["result"] == []


def test_a_number_of_which_this_one_is_a_part_is_another(twilio_harness_blocking: BlockingHarness) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    wanted, other = emulator.add_number("+4915112345"), emulator.add_number("+49151123456")
    harness.deploy("inboundMessage", {"phoneNumber": wanted.number}, url=OURS)
    assert (wanted.settings["sms_url"], other.settings["sms_url"]) == (OURS, "")


def test_a_lost_answer_is_asked_for_again_since_setting_twice_does_no_harm(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    harness, emulator = twilio_harness_blocking, twilio_harness_blocking.emulator
    number = emulator.add_number(NUMBER, sms_url=THEIRS)
    for accepted in (True, False):
        emulator.faults.drop(accepted=accepted, operation="numbers.update")
        harness.deploy("inboundMessage", {**CHOSEN, "replaceWebhook": True}, url=OURS)
        assert number.settings["sms_url"] == OURS
        emulator.faults.server_error(accepted=accepted, operation="numbers.update")
        harness.delete("inboundMessage")
        assert number.settings["sms_url"] == THEIRS
