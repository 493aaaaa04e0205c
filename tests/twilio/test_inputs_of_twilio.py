"""Addresses, SIDs, dates and URLs: what passes, how it is completed, and what is refused with which words."""

from __future__ import annotations

import datetime as dt

import pytest

from twilio_component.host import InputError, load_component
from twilio_component.host.inputs.form import InputForm
from twilio_component.twilio import hosts, payloads
from twilio_component.twilio.inputs import addresses, dates, regions, secrets, sids, urls
from twilio_component.twilio.plugin import manifest_file
from twilio_component.twilio.redaction import mask_numbers


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
        ("\u202awhatsapp:\u200e+15558675310\u202c", "whatsapp:+15558675310"),
        ("\u2068messenger:1234\u2069", "messenger:1234"),
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
    "given",
    [
        "+15558675310",
        "12345",
        "whatsapp:+15558675310",
        "whatsapp:+5215512345678",  # Mexico's older plan, as WhatsApp has it
        "whatsapp:+22507123456",  # Ivory Coast's
        "whatsapp:US.13491208655302741918",
        "whatsapp:BR.ENT.11815799212886844830",
        "messenger:1234567890123456",
        "instagram:17841400008460056",
        "rcs:+15558675310",
        "rcs:brand_7dk3_agent",
        "sim:DE" + "0" * 32,
    ],
)
def test_an_address_that_twilio_sends_as_from_passes_unchanged(given: str) -> None:
    for clean in (addresses.clean_recipient, addresses.clean_sender, addresses.clean_party):
        assert clean(given, {}) == given
        assert clean(given, {"defaultRegion": "DE"}) == given


@pytest.mark.parametrize(
    "given",
    [
        "\u202a+1 605 555 1212\u202c",
        "\u2068+16055551212\u2069",
        "+1605\u200b5551212",
        "+1605\u202a5551212",
        "\ufeff+16055551212",
        "+1\u2011605\u2013555\u22121212",
        "\uff0b1 605 555 1212",
        "\uff0b\uff11\uff16\uff10\uff15\uff15\uff15\uff15\uff11\uff12\uff11\uff12",
        "tel:+1-605-555-1212",
        "TEL:605-555-1212",
        "(605)\u00a0555\u202f1212",
        "(+1) 605-555-1212",
        "[605] 555/1212",
        "605\t555 1212",
        "\u0661\u0666\u0660\u0665\u0665\u0665\u0665\u0661\u0662\u0661\u0662",
    ],
)
def test_a_pasted_number_is_read_as_it_looks(given: str) -> None:
    assert addresses.clean_recipient(given, {}) == "+16055551212"
    assert addresses.clean_recipient(f"whatsapp:{given.lower().removeprefix('tel:')}", {}) == "whatsapp:+16055551212"


@pytest.mark.parametrize(
    ("given", "name"), [("+1605\u26025551212", "U+2602"), ("+1605\n5551212", "U+000A"), ("605x555y1212", "'x'")]
)
def test_a_character_that_no_number_has_is_named(given: str, name: str) -> None:
    with pytest.raises(ValueError, match=f"only digits, spaces, .* not {name.replace('+', '.')}"):
        addresses.clean_recipient(given, {})


def test_an_extension_receives_no_messages() -> None:
    with pytest.raises(ValueError, match="not ';'"):
        addresses.clean_recipient("605-555-1212;ext=5", {})


@pytest.mark.parametrize("given", ["  secret", "secret\r\n", "\ufeffsecret\n", "\u200bsecret", "secret"])
def test_white_space_around_a_secret_does_not_count(given: str) -> None:
    assert secrets.secret(given, {}) == "secret"


@pytest.mark.parametrize(
    "around", [" ", "\n", "\r\n", "\t", "\u00a0", "\ufeff", "\u200b", "\u200e", "\u202a", "\u2060"]
)
def test_what_is_copied_around_the_fields_of_a_connection_does_not_count(around: str) -> None:
    account, key = "AC" + "0" * 32, "SK" + "0" * 32
    fields = {"accountSid": account, "region": "ie1", "edge": "dublin", "baseUrl": "https://proxy.example"}
    fields |= {"sharedKeys": "key_1=secret", "authToken": "token"}
    own = {"basic": {"username": account, "password": "token"}, "apiKeySecret": {"apiKey": key, "apiSecret": "secret"}}
    for kind, connection in load_component(manifest_file()).connections.items():
        form = InputForm(connection.inputs)
        plain = {**fields, **own[kind]}
        assert form.properties.keys() == plain.keys()
        pasted = {name: f"{around}{value}{around}" for name, value in plain.items()}
        assert form.validate(pasted) == form.validate(plain) == plain


@pytest.mark.parametrize(("given", "why"), [("se\r\ncret", "inside"), ("se\ncret", "inside"), (" \n", "blank")])
def test_a_secret_in_two_pieces_is_refused_and_not_shown(given: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        secrets.secret(given, {})
    assert "cret" not in str(caught.value).replace("secret", "")


@pytest.mark.parametrize(
    ("region", "edge", "origin"),
    [
        (None, None, "https://api.twilio.com"),
        ("us1", None, "https://api.ashburn.us1.twilio.com"),
        ("ie1", None, "https://api.dublin.ie1.twilio.com"),
        ("au1", None, "https://api.sydney.au1.twilio.com"),
        (None, "tokyo", "https://api.tokyo.us1.twilio.com"),
        ("ie1", "frankfurt", "https://api.frankfurt.ie1.twilio.com"),
        ("xx9", "somewhere", "https://api.somewhere.xx9.twilio.com"),
    ],
)
def test_a_region_has_its_edge(region: str | None, edge: str | None, origin: str) -> None:
    assert hosts.origin_of("api", region, edge) == origin


@pytest.mark.parametrize(
    ("region", "why"),
    [
        ("jp1", "merged into us1; leave region out, and set edge to tokyo"),
        ("br1", "set edge to sao-paulo"),
        ("xx9", "or another region together with its edge"),
        ("dublin", "must be a Twilio region: us1, ie1, au1"),
    ],
)
def test_a_region_without_a_host_is_refused_with_what_works(region: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        regions.region(region, {})


def test_a_region_is_trimmed_and_written_small() -> None:
    assert regions.region(" IE1\n", {}) == "ie1"
    assert regions.region("xx9", {"edge": "somewhere"}) == "xx9"
    assert regions.edge(" Dublin ", {}) == "dublin"
    assert regions.edge("roaming", {"region": "US1\u200b"}) == "roaming"


@pytest.mark.parametrize(
    ("given", "region", "why"),
    [
        ("12", "US", "too few digits for the region US"),
        ("1234567", "US", "area code is missing"),
        ("+1500", "US", "too few digits for its country"),
        ("+1555867531012345", "US", "too many digits"),
        ("555-1212", "US", "area code is missing"),
        ("+999123456789", "US", "calling code"),
        ("6055551212", "ZZ", "'ZZ' is not a known region"),
        ("MyBrand", "US", "not 'M'. A sender ID has letters, and receives no messages"),
        ("FI.2782093025461110", "FI", "write whatsapp: before a user of WhatsApp without a number"),
        ("😀", "US", "only digits"),
        ("telegram:+15558675310", "US", "must be one of whatsapp, messenger, instagram, rcs"),
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
    with pytest.raises(ValueError, match="The sender must be a phone number, a short code") as caught:
        addresses.clean_sender(given, {})
    assert ("a sender ID has at most 11 characters" in str(caught.value)) is given.startswith("A brand")


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


def test_a_datetime_with_a_time_zone_is_taken_where_a_time_belongs() -> None:
    send = InputForm(load_component(manifest_file()).actions["sendSMS"].inputs)
    moment = dt.datetime(2026, 12, 24, 18, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert send.validate_alone("sendAt", moment) == "2026-12-24T17:00:00Z"
    with pytest.raises(InputError, match="must include a time zone"):
        send.validate_alone("sendAt", moment.replace(tzinfo=None))
    for wrong, kind in ((moment, "datetime"), (b"Hi", "bytes")):
        with pytest.raises(InputError, match=f"must be text, not {kind}"):
            send.validate_alone("message", wrong)


def test_a_limit_in_twilios_text_stays_readable_and_a_number_does_not() -> None:
    text = "SendAt must be between 300 and 3024000 seconds ahead; +1 555-867-5310 and 8675310 are people"
    assert mask_numbers(text) == "SendAt must be between 300 and 3024000 seconds ahead; …10 and …10 are people"
