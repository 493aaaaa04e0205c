"""What the official SDK sees of Verify, Lookup, and WhatsApp users without a visible number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from twilio.base.exceptions import TwilioRestException

if TYPE_CHECKING:
    from twilio.rest import Client

    from twilio_component.emulator import Emulator

TO = "+15558675310"
USERNAME = "whatsapp:US.13491208655302741918"


def refused(action: Any) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        action()
    return caught.value


def test_a_verification_is_sent_fetched_checked_and_forgotten(sdk: Client, emulator: Emulator) -> None:
    service = sdk.verify.v2.services.create(friendly_name="Shop", code_length=4)
    assert (service.sid[:2], service.code_length, service.friendly_name) == ("VA", 4, "Shop")
    verify = sdk.verify.v2.services(service.sid)
    started = verify.verifications.create(to=TO, channel="sms")
    assert (started.sid[:2], started.status, started.valid, started.channel) == ("VE", "pending", False, "sms")
    assert abs(started.date_created - datetime.now(UTC)) < timedelta(seconds=5)
    assert len(started.send_code_attempts) == 1
    assert verify.verifications(TO).fetch().sid == started.sid
    (verification,) = emulator.assert_verification(to=TO, status="pending")
    checked = verify.verification_checks.create(to=TO, code=verification.code)
    assert (checked.status, checked.valid, checked.sid) == ("approved", True, started.sid)
    assert refused(lambda: verify.verification_checks.create(to=TO, code=verification.code)).status == 404
    assert refused(verify.verifications(started.sid).fetch).code == 20404


def test_verify_refuses_with_its_codes(sdk: Client, emulator: Emulator) -> None:
    service = sdk.verify.v2.services.create(friendly_name="Shop")
    verify = sdk.verify.v2.services(service.sid)
    assert refused(lambda: verify.verifications.create(to="5558675310", channel="sms")).code == 60200
    for _ in range(5):
        sid = verify.verifications.create(to=TO, channel="call").sid
    assert refused(lambda: verify.verifications.create(to=TO, channel="sms")).code == 60203
    code = emulator.verifications[-1].code
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(5):
        assert verify.verification_checks.create(verification_sid=sid, code=wrong).status == "pending"
    too_many = refused(lambda: verify.verification_checks.create(verification_sid=sid, code=code))
    assert (too_many.code, too_many.status) == (60202, 429)
    emulator.faults.api_error(60410, status=403, operation="verifications.create")
    assert refused(lambda: verify.verifications.create(to="+15558675311", channel="sms")).code == 60410


def test_a_verification_is_canceled_and_services_and_limits_are_kept(sdk: Client) -> None:
    service = sdk.verify.v2.services.create(friendly_name="Shop")
    verify = sdk.verify.v2.services(service.sid)
    sid = verify.verifications.create(to="ada@example.com", channel="email").sid
    assert verify.verifications(sid).update(status="canceled").status == "canceled"
    limit = verify.rate_limits.create(unique_name="ip", description="by address")
    verify.rate_limits(limit.sid).buckets.create(max=1, interval=60)
    verify.verifications.create(to=TO, channel="sms", rate_limits={"ip": "127.0.0.1"})
    assert (
        refused(
            lambda: verify.verifications.create(to="+15558675311", channel="sms", rate_limits={"ip": "127.0.0.1"})
        ).code
        == 60207
    )
    assert [one.unique_name for one in verify.rate_limits.list()] == ["ip"]
    assert [one.max for one in verify.rate_limits(limit.sid).buckets.list()] == [1]
    assert verify.update(friendly_name="Store").friendly_name == "Store"
    assert [one.friendly_name for one in sdk.verify.v2.services.list()] == ["Store"]
    assert verify.delete() is True


def test_numbers_are_looked_up(sdk: Client, emulator: Emulator) -> None:
    found = sdk.lookups.v2.phone_numbers("(415) 992-9960").fetch()
    assert (found.valid, found.phone_number, found.country_code, found.validation_errors) == (
        True,
        "+14159929960",
        "US",
        [],
    )
    assert found.line_type_intelligence is None
    emulator.lookups.add_facts("+14159929960", line_type_intelligence={"type": "landline"})
    fields = sdk.lookups.v2.phone_numbers("+14159929960").fetch(fields="line_type_intelligence,sim_swap")
    assert fields.line_type_intelligence["type"] == "landline"
    assert fields.sim_swap["last_sim_swap"]["swapped_in_period"] is False
    assert sdk.lookups.v2.phone_numbers("12").fetch().validation_errors == ["TOO_SHORT"]


def test_a_person_without_a_visible_number_is_written_to(sdk: Client) -> None:
    sent = sdk.messages.create(to=USERNAME, from_="whatsapp:+14155238886", body="Hello")
    assert (sent.to, sent.status) == (USERNAME, "queued")
    assert [one.sid for one in sdk.messages.list(to=USERNAME)] == [sent.sid]
