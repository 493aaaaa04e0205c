"""Addresses, SIDs, dates and URLs: what passes, how it is completed, and what is refused with which words."""

from __future__ import annotations

import pytest

from twilio_component.twilio import payloads
from twilio_component.twilio.inputs import addresses, dates, sids, urls


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("+15558675310", "+15558675310"),
        (" +1 555 867-5310 ", "+15558675310"),
        ("(605) 555-1212", "+16055551212"),
        ("605.555.1212", "+16055551212"),
        ("16055551212", "+16055551212"),
        ("+44 7911 123456", "+447911123456"),
        ("whatsapp:+15558675310", "whatsapp:+15558675310"),
        ("whatsapp:(605) 555-1212", "whatsapp:+16055551212"),
        ("WhatsApp: +15558675310", "whatsapp:+15558675310"),
        ("whatsapp:whatsapp:+15558675310", "whatsapp:+15558675310"),
        ("messenger:1234567890123456", "messenger:1234567890123456"),
        ("messenger:user.name_1", "messenger:user.name_1"),
        ("rcs:+15558675310", "rcs:+15558675310"),
        ("rcs:my_agent", "rcs:my_agent"),
    ],
)
def test_a_recipient_is_completed(given: str, taken: str) -> None:
    assert addresses.clean_recipient(given, {}) == taken
    assert addresses.clean_recipient(taken, {}) == taken


@pytest.mark.parametrize(
    ("given", "region", "why"),
    [
        ("12345", "US", "too few digits for the region US"),
        ("+1500", "US", "too few digits for its country"),
        ("+1555867531012345", "US", "too many digits"),
        ("555-1212", "US", "area code is missing"),
        ("+999123456789", "US", "calling code"),
        ("6055551212", "ZZ", "'ZZ' is not a known region"),
        ("MyBrand", "US", "only digits"),
        ("😀", "US", "only digits"),
        ("telegram:+15558675310", "US", "must be one of whatsapp, messenger, rcs"),
        ("messenger:", "US", "must be followed by an identifier"),
        ("+1555\u0000867531", "US", "only digits"),
    ],
)
def test_a_recipient_that_cannot_be_one_is_refused_with_the_reason(given: str, region: str, why: str) -> None:
    with pytest.raises(ValueError, match="The recipient must be a valid phone number") as caught:
        addresses.clean_recipient(given, {"defaultRegion": region})
    assert why in str(caught.value)
    if not given.endswith(":"):  # what is refused is not repeated: it may be a person's number
        assert given not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("12345", "12345"),
        ("MyBrand", "MyBrand"),
        ("My Brand 24", "My Brand 24"),
        ("(501) 712-2661", "+15017122661"),
        ("whatsapp:+15017122661", "whatsapp:+15017122661"),
        ("rcs:agent", "rcs:agent"),
    ],
)
def test_a_sender_may_also_be_a_short_code_or_a_name(given: str, taken: str) -> None:
    assert addresses.clean_sender(given, {}) == taken


@pytest.mark.parametrize("given", ["A brand name too long", "1234567", "🏢Brand"])
def test_a_sender_that_cannot_be_one_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="The sender must be a phone number, a short code"):
        addresses.clean_sender(given, {})


def test_a_sid_is_trimmed_and_another_kind_is_named() -> None:
    assert sids.account_sid(f" AC{'0' * 32}\n", {}) == "AC" + "0" * 32
    with pytest.raises(ValueError, match="starts with SK, so it is an API Key SID; an Account SID belongs here"):
        sids.account_sid("SK" + "0" * 32, {})
    with pytest.raises(ValueError, match="AC and 32 hexadecimal digits, not 5 characters"):
        sids.account_sid("AC123", {})


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T13:00:00.250+01:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31", "2026-01-31"),
    ],
)
def test_a_day_or_a_time_with_zone(given: str, taken: str) -> None:
    assert dates.clean_day_or_time(given, {}) == taken


@pytest.mark.parametrize("given", ["2026-02-31", "31.01.2026", "2026-01-31T12:00:00", "tomorrow"])
def test_another_date_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"must (be|include)"):
        dates.clean_day_or_time(given, {})


@pytest.mark.parametrize(
    ("given", "iso"),
    [
        ("Thu, 24 Aug 2023 05:01:45 +0000", "2023-08-24T05:01:45.000Z"),
        ("Thu, 24 Aug 2023 07:01:45 +0200", "2023-08-24T05:01:45.000Z"),
        ("someday", "someday"),
        (None, None),
    ],
)
def test_twilios_dates_become_iso(given: str | None, iso: str | None) -> None:
    assert payloads.iso_from_rfc_2822(given) == iso


@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:8010/", "https://proxy.example/twilio", "http://localhost", "http://[::1]:1"]
)
def test_a_base_url_is_https_or_this_machine(given: str) -> None:
    assert urls.base_url(given, {}) == given.rstrip("/")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("http://proxy.example", "must start with https://"),
        ("https://user:pw@proxy.example", "without user name"),
        ("https://proxy.example?x=1", "without user name, password, query"),
        ("proxy.example", "absolute URL"),
        ("https://", "names a host"),
        ("https://a.example:port", "cannot be parsed"),
        ("https://a b", "without spaces"),
    ],
)
def test_another_base_url_is_refused(given: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        urls.base_url(given, {})
