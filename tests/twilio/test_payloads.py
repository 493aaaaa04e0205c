"""Twilio's resources as payloads, one by one and while a list is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_component.twilio.payloads import listed_message, message, message_hook

COMPLETE: dict[str, Any] = {
    "body": "Hi",
    "num_segments": "1",
    "direction": "outbound-api",
    "from": "+15017122661",
    "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
    "price": None,
    "error_message": None,
    "uri": "/2010-04-01/…",
    "account_sid": "AC1",
    "num_media": "0",
    "to": "+15558675310",
    "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
    "status": "sent",
    "sid": "SM1",
    "date_sent": None,
    "messaging_service_sid": None,
    "error_code": None,
    "price_unit": "USD",
    "api_version": "2010-04-01",
    "subresource_uris": {"media": "/2010-04-01/…/Media.json"},
}


def read(page: Any) -> list[dict[str, Any]]:
    return [listed_message(item) for item in json.loads(json.dumps(page), object_hook=message_hook)["messages"]]


@given(
    without=st.sets(st.sampled_from(sorted(COMPLETE))),
    beside=st.dictionaries(st.sampled_from(["new_key", "other", "nested"]), st.none() | st.just({"new_part": 1})),
)
def test_a_message_read_in_a_list_is_the_one_fetched_alone(without: set[str], beside: dict[str, Any]) -> None:
    resource = {key: value for key, value in COMPLETE.items() if key not in without} | beside
    (listed,) = read({"messages": [resource]})
    assert listed == message(resource)
    assert [*listed] == [*message(resource)]


def test_what_a_message_lacks_is_null_and_what_is_new_comes_last() -> None:
    payload = message({"sid": "SM1", "new_key": 1})
    assert (payload["sid"], payload["body"], payload["dateSent"], payload["newKey"]) == ("SM1", None, None, 1)
    assert [*payload][-1] == "newKey"


@pytest.mark.parametrize("key", ["status", "from", "to", "accountSid", "dateCreated", "direction", "priceUnit"])
def test_messages_of_a_list_share_what_they_have_in_common(key: str) -> None:
    first, second = read({"messages": [COMPLETE, {**COMPLETE, "sid": "SM2"}]})
    assert first[key] is second[key]
    assert first["subresourceUris"] is not second["subresourceUris"]


def test_keys_of_objects_inside_a_message_stay_as_they_are() -> None:
    (listed,) = read({"messages": [{**COMPLETE, "subresource_uris": {"a_b": {"account_sid": "AC1"}}}]})
    assert listed["subresourceUris"] == {"a_b": {"account_sid": "AC1"}}
