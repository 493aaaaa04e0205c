"""What users of other Twilio clients and connectors reported in public, and what the component does in its place.

Each row names its source: the repository and the number of the issue or pull request on GitHub. Reports about
signatures, callbacks, hosts, proxies and numbers of WhatsApp have tests of their own as well (`signatures/`,
`tests/serving`, `tests/conformance`, `tests/host/test_http_transports.py`, `test_whatsapp_numbers.py`).
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from twilio_component.emulator import Emulator
from twilio_component.host import Host, InputError
from twilio_component.host.contacts import OUT, ContactWords
from twilio_component.testing import Harness, create_connection, emulator_connection, signed_payload
from twilio_component.twilio.error_codes import explain
from twilio_component.twilio.errors import NotFoundError, OutcomeUnknownError
from twilio_component.twilio.hosts import origin_of
from twilio_component.twilio.opt_outs import contact_event

SMS = {"to": "+16055551212", "from": "+15017122661", "message": "Hello"}
TEMPLATE = "HX" + "a" * 32


async def send(emulator: Emulator, **inputs: Any) -> Any:
    given = {"twilioConnection": emulator_connection(), **SMS, **inputs}
    async with Host.discover(transport=emulator.transport) as host:
        present = {name: value for name, value in given.items() if value is not None}
        return (await host.invoke_action("twilio", "sendSMS", present))["data"]


TAKEN = [
    ("MicrosoftDocs/BusinessApplicationPlatform-Connectors-public#554", {"to": "+1-605-555-1212"}, "+16055551212"),
    ("twilio/twilio-node#456", {"to": "tel:+1-605-555-1212"}, "+16055551212"),
    ("caronc/apprise#448", {"to": "16055551212"}, "+16055551212"),
    ("home-assistant/core#5225", {"to": 16055551212}, "+16055551212"),  # YAML reads +1605… as a number
    ("OneUptime/oneuptime#749", {"to": "06 12 34 56 78", "defaultRegion": "FR"}, "+33612345678"),
    ("guidone/node-red-contrib-chatbot#281", {"to": "whatsapp:whatsapp:+16055551212"}, "whatsapp:+16055551212"),
    ("unacms/UNA#2131", {"to": "1 605 555 1212", "from": "15017122661"}, "+16055551212"),
    ("PipedreamHQ/pipedream#6242", {"from": "(501) 712-2661"}, "+16055551212"),
    ("PipedreamHQ/pipedream#18314", {"from": "87654"}, "+16055551212"),
    ("home-assistant/core#3473", {"from": 12125551212}, "+16055551212"),
    ("getsentry/sentry#25535", {"from": "Sentry"}, "+16055551212"),
    ("daddyz/phonelib#320", {"to": "+55 55 92150-9051"}, "+5555921509051"),
    ("glific/glific#4973", {"to": "\u202a+91 98765 43210\u202c"}, "+919876543210"),
    ("ONE-F-M/one_fm#6523", {"to": "whatsapp:51096468", "defaultRegion": "KW"}, "whatsapp:+96551096468"),
    ("freescout-help-desk/freescout#5444", {"to": "whatsapp:FI.2782093025461110"}, "whatsapp:FI.2782093025461110"),
    ("dimagi/open-chat-studio#341", {"to": "messenger:5273546829", "from": "messenger:11"}, "messenger:5273546829"),
    ("politics-rewired/Spoke#312", {"mediaUrl": [], "statusCallback": [], "contentSid": {}}, "+16055551212"),
]


@pytest.mark.parametrize(("source", "inputs", "to"), TAKEN, ids=[row[0] for row in TAKEN])
async def test_a_number_that_other_clients_stumble_over_is_sent_to(
    source: str, inputs: dict[str, Any], to: str
) -> None:
    assert "#" in source
    sender = {"from": "whatsapp:+15017122661"} if to.startswith("whatsapp:") else {}
    message = await send(Emulator(), **sender, **inputs)
    assert message["to"] == to


REFUSED = [
    # Twilio's own error names the sender where the recipient is wrong.
    ("twilio/twilio-node#407", {"to": "Reminder: bring your papers"}, "$.inputs.to: "),
    ("twilio/twilio-ruby#348", {"to": {"phone_number": "6055551212"}}, "$.inputs.to: must be text, not an object"),
    ("twilio/twilio-php#399", {"to": "phone=+351931234567"}, "$.inputs.to: "),
    # Digits of another country must not become somebody else's number here.
    ("logto-io/logto#8377", {"to": "4512345678"}, "read as one of US"),
    ("OneUptime/oneuptime#749", {"to": "0612345678"}, "read as one of US"),
    ("several recipients in one text", {"to": "+16055551212,+16055551213"}, "not ','"),
    ("twilio/twilio-php#810", {"message": None, "contentSid": "Hcccc"}, "HX and 32 hexadecimal digits"),
    ("twilio/twilio-oai#127", {"sendAt": "2030-01-01T10:00:00Z"}, "only be used together with messagingServiceSid"),
    ("n8n-io/n8n#26733", {"mediaUrl": "https://a.example/1.png,https://b.example/2.png"}, "give several as a list"),
    ("aloha/laravel-twilio#131", {"statusCallback": "example.com/status"}, "must be an absolute URL"),
    ("home-assistant/core#78415", {"to": "\u2018whatsapp:+14151234567'"}, "not U+2018"),
    ("twilio/twilio-ruby#196", {"from": "Zeus The Mighty"}, "a sender ID has at most 11 characters"),
    ("aloha/laravel-twilio#75", {"from": "Your code is 869669, do not share it"}, "$.inputs.from: The sender must be"),
    ("freescout-help-desk/freescout#5224", {"to": "FI.2782093025461110"}, "write whatsapp: before a user of WhatsApp"),
    (
        "twilio/twilio-node#1065",
        {"message": None, "contentSid": TEMPLATE, "contentVariables": {"items": [{"id": "1"}]}},
        "$.inputs.contentVariables.items: must be text, a number or true or false, not a list",
    ),
]


@pytest.mark.parametrize(("source", "inputs", "words"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_other_clients_send_to_fail_is_refused_by_name(
    source: str, inputs: dict[str, Any], words: str
) -> None:
    emulator = Emulator()
    with pytest.raises(InputError) as refusal:
        await send(emulator, **inputs)
    assert words in str(refusal.value), source
    assert not emulator.request_log.requests


async def test_a_templates_values_may_have_quotes() -> None:
    """Reported in twilio/twilio-node#1082: an apostrophe in a value was refused with 21656."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"sid": "SM" + "0" * 32, "status": "queued"})

    async with Host.discover(transport=httpx.MockTransport(handle)) as host:
        inputs = {
            "twilioConnection": emulator_connection(),
            "to": SMS["to"],
            "from": SMS["from"],
            "contentSid": TEMPLATE,
            "contentVariables": {"content": 'I\'m "Ada"'},
        }
        await host.invoke_action("twilio", "sendSMS", inputs)
    (request,) = seen
    form = dict(httpx.QueryParams(request.content.decode()))
    assert json.loads(form["ContentVariables"]) == {"content": 'I\'m "Ada"'}


@pytest.mark.parametrize(
    ("source", "fields", "words"),
    [
        ("twilio/twilio-node#666", {"region": "gll", "edge": "roaming"}, "must be a Twilio region"),
        ("twilio/twilio-php#380", {"username": "SK" + "a" * 32}, "starts with SK, so it is an API Key SID"),
        ("twilio/twilio-cli#166", {"username": "${TWILIO_ACCOUNT_SID}"}, "AC and 32 hexadecimal digits"),
        ("twilio/twilio-csharp#798", {"region": "ie1", "edge": "roaming"}, "roaming works with the region us1 only"),
        ("twilio/twilio-python#547", {"region": "de1"}, "has been merged into us1"),
    ],
)
async def test_a_connection_that_cannot_work_is_refused(source: str, fields: dict[str, str], words: str) -> None:
    connection = create_connection("basic", {"username": "AC" + "a" * 32, "password": "token", **fields})
    async with Host.discover(transport=Emulator().transport) as host:
        with pytest.raises(InputError) as refusal:
            host.validate_inputs("twilio", "sendSMS", {"twilioConnection": connection, **SMS})
    assert words in str(refusal.value), source


async def test_a_connection_that_breaks_after_the_request_is_never_tried_again() -> None:
    """Asked for in twilio/twilio-node#1023 and #317: a retry there sends a second message."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise httpx.ReadError("reset")

    async with Host.discover(transport=httpx.MockTransport(handle)) as host:
        with pytest.raises(OutcomeUnknownError):
            await host.invoke_action("twilio", "sendSMS", {"twilioConnection": emulator_connection(), **SMS})
    assert len(requests) == 1


# Sent to Twilio by the reporters, who compared what was billed (TwilioDevEd/message-segment-calculator#66 and #18).
BILLED = [
    ("a" * 80 + "\r\n" + "a" * 79, False, "GSM-7", 2),
    ("a" * 80 + "\n" + "a" * 79, False, "GSM-7", 1),
    ("a" * 200 + "\r\n" + "a" * 105, False, "GSM-7", 3),
    ("\u00e9" * 70, False, "GSM-7", 1),
    ("e\u0301" * 70, False, "UCS-2", 3),
    ("e\u0301", False, "UCS-2", 1),
    ("\u201cHi\u201d", False, "UCS-2", 1),
    ("\u201cHi\u201d", True, "GSM-7", 1),
    ("\u201eHi\u200c", False, "UCS-2", 1),
    ("\u201eHi\u200c", True, "GSM-7", 1),
    ("\U0001f600|", False, "UCS-2", 1),
    ("a" * 160, False, "GSM-7", 1),
    ("a" * 161, False, "GSM-7", 2),
    ("\u4e2d" * 70, False, "UCS-2", 1),
    ("\u4e2d" * 71, False, "UCS-2", 2),
    ("|", False, "GSM-7", 1),
    ("this is a " + "]" * 74 + "\U0001f618", False, "UCS-2", 2),
    # Reported since, with what the calculator says now (#57 and #39, instasent/sms-counter-php#15).
    ("|" * 24 + "{" + "|" * 28 + "\u221e" + "|" * 10 + "^" + "|" * 5, False, "UCS-2", 1),
    ("]" * 153, False, "GSM-7", 3),
    ("\U0001f60e" * 70, False, "UCS-2", 3),
    # What is seen as one character is never split.
    ("a" * 66 + "e\u0301" + "\u4e2d" * 66, False, "UCS-2", 3),
    ("a" * 65 + "\U0001f1ee\U0001f1f9" + "a" * 65, False, "UCS-2", 3),
    ("a" * 152 + "\r\n" + "a" * 152, False, "GSM-7", 3),
]


@pytest.mark.parametrize(("text", "smart", "encoding", "segments"), BILLED)
async def test_an_estimate_is_what_twilio_billed(text: str, smart: bool, encoding: str, segments: int) -> None:  # noqa: FBT001
    async with Host.discover(transport=Emulator().transport) as host:
        inputs = {"message": text, "smartEncoded": smart}
        estimate = (await host.invoke_action("twilio", "estimateMessage", inputs))["data"]
    assert (estimate["encoding"], estimate["segments"]) == (encoding, segments)


@pytest.mark.parametrize(
    ("source", "code", "word"),
    [
        ("twilio-labs/twilio-firebase-extensions#105", 63016, "template"),
        ("twilio/twilio-node#845", 21614, "mobile"),
        ("stellar/stellar-disbursement-platform-backend#974", 21656, "variable"),
        ("twilio/terraform-provider-twilio#142", 20003, "region"),
        ("supabase/supabase#34385", 60223, "channel"),
        ("adarshbalu/twilio_flutter#24", 63007, "sender"),
        ("twilio/twilio-ruby#452", 21910, "channel"),
        ("ProgressiveCoders/Spoke#451", 30005, "number"),
        ("episphere/connect#913", 21610, "start"),
    ],
)
def test_a_code_that_was_asked_about_has_a_remedy(source: str, code: int, word: str) -> None:
    entry = explain(code)
    assert entry is not None, source
    assert word in entry.guidance.casefold(), entry.guidance


@pytest.mark.parametrize(
    ("source", "product", "region", "host"),
    [
        ("twilio/twilio-csharp#685", "lookups", "ie1", "lookups.dublin.ie1.twilio.com"),
        ("twilio/twilio-csharp#419", "api", "au1", "api.sydney.au1.twilio.com"),
        ("twilio/twilio-python#841", "messaging", "ie1", "messaging.dublin.ie1.twilio.com"),
        ("pipecat-ai/pipecat#2625", "verify", "au1", "verify.sydney.au1.twilio.com"),
    ],
)
def test_a_region_without_its_edge_reaches_a_host_that_exists(
    source: str, product: str, region: str, host: str
) -> None:
    assert origin_of(product, region) == f"https://{host}", source


HOOKS = [
    # WhatsApp's own status, which other clients did not know.
    ("nyaruka/courier#270", "statusCallback", {"MessageStatus": "read"}, ("status", "status"), "read"),
    # Twilio leaves SmsStatus out in some requests; they are messages all the same.
    ("simstudioai/sim#5230", "inboundMessage", {"Body": "Hi"}, ("message", "body"), "Hi"),
    ("vercel/chat#794", "inboundMessage", {"ExternalUserId": "US.13"}, ("message", "externalUserId"), "US.13"),
    (
        "twilio/twilio-python#603",
        "conversationEvent",
        {"EventType": "onMessageAdded", "Media": '[{"Sid": "ME1", "ContentType": "image/png"}]'},
        ("event", "media", 0, "sid"),
        "ME1",
    ),
    (
        "chatwoot/chatwoot#8082",
        "statusCallback",
        {"MessageStatus": "undelivered", "ErrorCode": "30005", "MessagingServiceSid": "MG" + "0" * 32},
        ("status", "errorCode"),
        30005,
    ),
]


@pytest.mark.parametrize(("source", "trigger", "told", "path", "value"), HOOKS, ids=[row[0] for row in HOOKS])
async def test_a_webhook_that_others_lost_is_told(
    source: str, trigger: str, told: dict[str, str], path: tuple[Any, ...], value: Any
) -> None:
    payload = signed_payload({"MessageSid": "SM" + "0" * 32, "From": "whatsapp:US.13", "To": "whatsapp:+1", **told})
    async with Harness() as harness:
        found = (await harness.trigger(trigger, payload))["payload"]
    for key in path:
        found = found[key]
    assert found == value, source


def test_an_opt_out_that_a_callback_tells_counts_for_its_sender_alone() -> None:
    """Reported in nyaruka/courier#180, where it did not count, and SparkDevNetwork/Rock#5581, where all senders did."""
    told = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610", "From": "+1501", "To": "+1605"}
    event = contact_event({"body": {"data": told}}, ContactWords())
    assert event is not None
    assert (event.choice, event.contact.person, event.contact.senders) == (OUT, "+1605", ("+1501",))


async def test_credentials_go_to_twilio_only_whatever_host_a_media_url_names() -> None:
    """Reported in chatwoot/chatwoot#15502 and vercel/chat#831: a forged webhook's URL was sent the account's token."""
    asked: list[httpx.URL] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, content=b"PNG")

    async with Host.discover(transport=httpx.MockTransport(handle)) as host:
        connection = create_connection("basic", {"username": "AC" + "a" * 32, "password": "token"})
        path = f"/2010-04-01/Accounts/AC{'a' * 32}/Messages/MM{'0' * 32}/Media/ME{'0' * 32}"
        inputs = {"twilioConnection": connection, "media": {"url": f"https://api.twilio.com.evil.example{path}"}}
        await host.invoke_action("twilio", "downloadMedia", inputs)
    assert [url.host for url in asked] == ["api.twilio.com"]


async def test_a_code_can_be_sent_again_after_its_expiry_and_says_why_it_is_gone() -> None:
    """Asked in twilio/twilio-csharp#664 and twilio/twilio-php#696."""
    async with Harness() as harness:
        given = {"serviceSid": harness.emulator.add_verify_service("Shop").sid, "to": "+16055551212"}
        first = (await harness.action("startVerification", given))["data"]
        await harness.emulator.clock.advance(601)
        with pytest.raises(NotFoundError, match="gone once it is approved, canceled or ten minutes old"):
            await harness.action("checkVerification", {**given, "code": harness.emulator.verifications[-1].code})
        again = (await harness.action("startVerification", given))["data"]
        looked_up = await harness.action("lookupPhoneNumber", {"phoneNumber": given["to"]})
    assert again["sid"] != first["sid"]
    # Without a package there is none (ProgressiveCoders/Spoke#2471).
    assert looked_up["data"]["lineTypeIntelligence"] is None
