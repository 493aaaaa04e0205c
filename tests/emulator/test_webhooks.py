"""Status callbacks and inbound webhooks, as they go out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp import web
from twilio.request_validator import RequestValidator

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response
from twilio_component.emulator.webhooks.transports import UndeliverableError, WebhookRequest

AUTH_TOKEN = "emulated-auth-token"
TO, FROM = "+15558675310", "+15017122661"
URL = "http://app.test/status?flow=1"


class Application:
    """An application under test: keeps what it gets and answers what it is told."""

    def __init__(self, *answers: Response | UndeliverableError) -> None:
        self.webhooks: list[WebhookRequest] = []
        self._answers = list(answers)

    def __call__(self, request: WebhookRequest) -> Response:
        self.webhooks.append(request)
        answer = self._answers.pop(0) if self._answers else Response(204)
        if isinstance(answer, UndeliverableError):
            raise answer
        return answer

    def statuses(self) -> list[str]:
        return [dict(request.form)["MessageStatus"] for request in self.webhooks]


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def emulator(application: Application) -> Emulator:
    return Emulator(webhooks=application)


def twiml(text: str) -> Response:
    return Response(200, f"<Response>{text}</Response>".encode(), {"Content-Type": "text/xml"})


def test_every_state_of_a_message_is_called_back(api: Any, application: Application) -> None:
    message = api.send(StatusCallback=URL)
    api.advance(10)
    assert application.statuses() == ["sending", "sent", "delivered"]
    last = application.webhooks[-1]
    form = dict(last.form)
    assert (last.method, last.url) == ("POST", URL)
    assert form.pop("RawDlrDoneDate").isdecimal()
    assert form == {
        "ApiVersion": "2010-04-01",
        "MessageStatus": "delivered",
        "SmsStatus": "delivered",
        "SmsSid": message["sid"],
        "MessageSid": message["sid"],
        "To": TO,
        "From": FROM,
        "AccountSid": message["account_sid"],
    }


def test_a_callback_is_signed_as_the_official_validator_wants_it(api: Any, application: Application) -> None:
    api.send(StatusCallback=URL)
    api.advance(10)
    request = application.webhooks[0]
    validator = RequestValidator(AUTH_TOKEN)
    signature = request.headers["X-Twilio-Signature"]
    assert validator.validate(request.url, dict(request.form), signature)
    assert not validator.validate(request.url, {**dict(request.form), "MessageStatus": "delivered"}, signature)
    assert not validator.validate(request.url + "&more=1", dict(request.form), signature)
    assert request.headers["User-Agent"] == "TwilioProxy/1.1"


def test_a_failure_is_called_back_with_its_code(api: Any, emulator: Emulator, application: Application) -> None:
    emulator.lifecycle.undeliver(30005)
    api.send(StatusCallback=URL)
    api.advance(10)
    form = dict(application.webhooks[-1].form)
    assert (form["ErrorCode"], form["ErrorMessage"]) == ("30005", "Unknown destination handset")


def test_a_service_has_a_callback_of_its_own_that_the_messages_overrides(
    api: Any, emulator: Emulator, application: Application
) -> None:
    service = emulator.add_service("Alerts", [emulator.add_number("+15550001111")], status_callback="http://service/")
    api.send(From="", MessagingServiceSid=service.sid)
    api.send(From="", MessagingServiceSid=service.sid, StatusCallback=URL)
    api.advance(10)
    assert {request.url for request in application.webhooks} == {"http://service/", URL}
    assert dict(application.webhooks[0].form)["MessagingServiceSid"] == service.sid


def test_a_canceled_message_is_called_back(api: Any, application: Application) -> None:
    at = datetime.fromtimestamp(api.emulator.clock.now() + 3600, UTC).isoformat()
    service = {"From": "", "MessagingServiceSid": "MG" + "1" * 32, "ScheduleType": "fixed"}
    message = api.send(**service, SendAt=at, StatusCallback=URL)
    api.request("POST", message["uri"], data={"Status": "canceled"})
    api.advance(0)
    assert application.statuses() == ["canceled"]


def test_a_channel_is_named_in_the_callback(api: Any, application: Application) -> None:
    api.send(To=f"whatsapp:{TO}", From=f"whatsapp:{FROM}", StatusCallback=URL)
    api.advance(10)
    assert dict(application.webhooks[0].form)["ChannelPrefix"] == "whatsapp"


def test_nothing_goes_out_without_a_callback_url(api: Any, application: Application) -> None:
    api.send()
    api.send(From="", MessagingServiceSid="MG" + "1" * 32)
    api.advance(10)
    assert application.webhooks == []


@pytest.mark.parametrize(
    ("fragment", "answers", "attempts"),
    [
        ("", [Response(500)], 1),
        ("", [UndeliverableError("ct", "refused")], 2),
        ("", [UndeliverableError("rt", "dropped")], 1),
        ("#rc=3&rp=all", [Response(500), Response(404), UndeliverableError("rt", "dropped"), Response(500)], 4),
        ("#rc=3&rp=5xx", [Response(503), Response(404), Response(503)], 2),
        ("#rc=0", [UndeliverableError("ct", "refused")], 1),
        ("#rc=nonsense&rp=rt", [UndeliverableError("rt", "dropped")], 2),
        ("#rc=99&rp=all", [Response(500)] * 10, 6),
    ],
)
def test_a_webhook_is_repeated_as_its_url_asks_with_the_same_token(
    api_of: Any, fragment: str, answers: list[Any], attempts: int
) -> None:
    application = Application(*answers)
    emulator = Emulator(webhooks=application)
    emulator.lifecycle.fail()
    api = api_of(emulator)
    api.send(StatusCallback=URL + fragment)
    api.advance(10)
    assert len(application.webhooks) == attempts
    assert {request.url for request in application.webhooks} == {URL}
    assert len({request.headers["I-Twilio-Idempotency-Token"] for request in application.webhooks}) == 1
    assert [record.attempt for record in emulator.request_log.webhooks] == list(range(1, attempts + 1))


@pytest.mark.parametrize(
    ("fragment", "seconds"),
    [("#rc=5&rp=all", [0, 0.5, 1.5, 3.5, 7.5, 13.5]), ("#rc=5&rp=all&tt=2000", [0, 0.5, 1.5]), ("", [0, 0.5])],
)
def test_retries_are_spread_over_the_total_time_that_twilio_allows(
    api_of: Any, fragment: str, seconds: list[float]
) -> None:
    refused = [UndeliverableError("ct", "refused") for _ in range(6)]
    emulator = Emulator(webhooks=Application(*refused), start=datetime(2026, 1, 1, tzinfo=UTC))
    emulator.lifecycle.fail()
    api = api_of(emulator)
    api.send(StatusCallback=URL + fragment)
    api.advance(10)
    times = [record.at for record in emulator.request_log.webhooks]
    assert [time - times[0] for time in times] == seconds


async def test_an_application_that_restarts_gets_the_webhook_from_an_emulator_that_is_served() -> None:
    emulator = Emulator(webhooks=Application(UndeliverableError("ct", "refused")))
    emulator.webhooks.retry_waits = (0.05,)
    emulator.add_number(FROM, sms_url="http://app.test/sms#rc=5&rp=all")
    async with emulator.serve():
        await emulator.receive(to=FROM, sender=TO, body="Hi")
    first, second = emulator.request_log.webhooks
    assert second.at - first.at >= 0.05
    assert second.response is not None


def test_every_webhook_has_a_token_of_its_own(api: Any, application: Application) -> None:
    api.send(StatusCallback=URL)
    api.advance(10)
    assert len({request.headers["I-Twilio-Idempotency-Token"] for request in application.webhooks}) == 3


def test_callbacks_come_twice_when_told_to(api: Any, emulator: Emulator, application: Application) -> None:
    emulator.faults.double_callbacks(times=1)
    api.send(StatusCallback=URL)
    api.advance(10)
    assert application.statuses() == ["sending", "sending", "sent", "delivered"]
    tokens = [request.headers["I-Twilio-Idempotency-Token"] for request in application.webhooks]
    assert tokens[0] == tokens[1]


def test_callbacks_come_out_of_order_when_told_to(api: Any, emulator: Emulator, application: Application) -> None:
    emulator.faults.swap_callbacks(times=1)
    api.send(StatusCallback=URL)
    api.advance(10)
    assert application.statuses() == ["sent", "sending", "delivered"]


def test_an_inbound_message_asks_the_numbers_url_with_all_parameters(
    api: Any, emulator: Emulator, application: Application
) -> None:
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    message = api.receive("Hi", parameters={"FromCity": "SPRINGFIELD"})
    (request,) = application.webhooks
    form = dict(request.form)
    assert (request.method, request.url) == ("POST", "http://app.test/sms")
    assert (form["From"], form["To"], form["Body"], form["NumMedia"]) == (TO, FROM, "Hi", "0")
    assert form["MessageSid"] == form["SmsSid"] == form["SmsMessageSid"] == message.sid
    assert (form["FromCity"], form["FromZip"], form["FromCountry"]) == ("SPRINGFIELD", "", "US")
    assert RequestValidator(AUTH_TOKEN).validate(request.url, form, request.headers["X-Twilio-Signature"])
    assert api.listed() == [message.representation()]
    assert (message.direction, message.status) == ("inbound", "received")


def test_a_get_webhook_carries_its_parameters_in_the_query_and_signs_the_url(
    api: Any, emulator: Emulator, application: Application
) -> None:
    emulator.add_number(FROM, sms_url="http://app.test/sms?key=1", sms_method="GET")
    api.receive("Hi there")
    (request,) = application.webhooks
    assert (request.method, request.form) == ("GET", ())
    assert request.url.startswith("http://app.test/sms?key=1&")
    assert "Body=Hi+there" in request.url
    assert RequestValidator(AUTH_TOKEN).validate(request.url, {}, request.headers["X-Twilio-Signature"])


def test_inbound_media_can_be_fetched_where_the_webhook_says(
    api: Any, emulator: Emulator, application: Application
) -> None:
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api.receive("", media=[("image/png", b"\x89PNG"), ("text/vcard", b"BEGIN")])
    form = dict(application.webhooks[0].form)
    assert (form["NumMedia"], form["MediaContentType1"]) == ("2", "text/vcard")
    answer = api.request("GET", form["MediaUrl0"], follow_redirects=True)
    assert (answer.content, answer.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert api.request("GET", form["MediaUrl0"] + "0").status_code == 404


def test_the_host_of_inbound_media_is_another_one_and_wants_no_credentials(
    api: Any, emulator: Emulator, application: Application
) -> None:
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api.receive("", media=[("image/png", b"\x89PNG")])
    moved = api.request("GET", dict(application.webhooks[0].form)["MediaUrl0"])
    place = moved.headers["location"]
    assert (moved.status_code, httpx.URL(place).host) == (307, "media.twiliocdn.com")
    assert api.request("GET", place).status_code == 400
    assert api.request("GET", place, auth=None).content == b"\x89PNG"
    assert api.request("GET", place + "0", auth=None).status_code == 404
    assert api.request("GET", place.replace("/AC", "/AC0"), auth=None).status_code == 404


def test_whatsapp_is_marked_in_the_webhook(api: Any, emulator: Emulator, application: Application) -> None:
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api.receive("Hi", to=f"whatsapp:{FROM}", sender=f"whatsapp:{TO}", parameters={"ProfileName": "Ada"})
    form = dict(application.webhooks[0].form)
    assert (form["From"], form["WaId"], form["ProfileName"]) == (f"whatsapp:{TO}", "15558675310", "Ada")
    assert "FromCity" not in form


def test_a_reply_in_twiml_becomes_a_message(api_of: Any) -> None:
    reply = '<Message statusCallback="http://app.test/s"><Body>Thanks</Body><Media>https://example.com/a.gif</Media>'
    application = Application(twiml(f"{reply}</Message><Message>And bye</Message>"))
    emulator = Emulator(webhooks=application)
    api = api_of(emulator)
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api.receive("Hi")
    _, first, second = emulator.messages
    assert (first.direction, first.to, first.sender, first.body) == ("outbound-reply", TO, FROM, "Thanks")
    assert [media.url for media in first.media] == ["https://example.com/a.gif"]
    assert (second.body, second.media) == ("And bye", [])
    api.advance(10)
    assert first.status == "delivered"
    assert application.webhooks[-1].url == "http://app.test/s"


def test_a_redirect_asks_the_next_url_and_plain_text_is_a_reply(api_of: Any) -> None:
    application = Application(
        twiml('<Redirect method="GET">next?a=1&amp;b=2</Redirect>'),
        Response(200, b"plain", {"content-type": "text/plain; charset=utf-8"}),
    )
    emulator = Emulator(webhooks=application)
    emulator.add_number(FROM, sms_url="http://app.test/in/sms")
    api_of(emulator).receive("Hi")
    assert application.webhooks[1].method == "GET"
    assert application.webhooks[1].url.startswith("http://app.test/in/next?a=1&b=2&")
    assert emulator.messages[-1].body == "plain"


def test_redirects_in_a_circle_end(api_of: Any) -> None:
    application = Application(*[twiml("<Redirect>/sms</Redirect>")] * 50)
    emulator = Emulator(webhooks=application)
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("Hi")
    assert len(application.webhooks) == 10


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response(500), "11200"),
        (UndeliverableError("rt", "dropped"), "11200"),
        (Response(200, b"<Response><Mess", {"content-type": "text/xml"}), "12100"),
        (Response(200, b"<html></html>", {"content-type": "text/html"}), "12100"),
        (Response(200, b'<!DOCTYPE x [<!ENTITY a "b">]><Response/>', {"content-type": "text/xml"}), "12100"),
        (Response(200, b"{}", {"content-type": "application/json"}), "12300"),
        (twiml("<Say>Hello</Say>"), "12200"),
    ],
)
def test_the_fallback_is_asked_where_the_first_url_fails(api_of: Any, answer: Any, code: str) -> None:
    application = Application(answer)
    emulator = Emulator(webhooks=application)
    emulator.add_number(FROM, sms_url="http://app.test/sms", sms_fallback_url="http://app.test/fallback")
    api_of(emulator).receive("Hi")
    form = dict(application.webhooks[-1].form)
    assert application.webhooks[-1].url == "http://app.test/fallback"
    assert (form["ErrorCode"], form["ErrorUrl"]) == (code, "http://app.test/sms")
    assert emulator.request_log.webhooks[0].warnings[0].startswith(code)


def test_a_failure_without_a_fallback_is_only_noted(api_of: Any) -> None:
    emulator = Emulator(webhooks=Application(Response(404)))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("Hi")
    assert emulator.request_log.webhooks[0].warnings == ["11200: HTTP 404"]
    assert len(emulator.messages) == 1


def test_a_service_answers_for_its_numbers_unless_they_answer_themselves(
    api: Any, emulator: Emulator, application: Application
) -> None:
    number = emulator.add_number(FROM, sms_url="http://app.test/number")
    service = emulator.add_service("S", [number], inbound_request_url="http://app.test/service")
    api.receive("Hi")
    service.settings["use_inbound_webhook_on_number"] = True
    api.receive("Hi")
    assert [request.url for request in application.webhooks] == ["http://app.test/service", "http://app.test/number"]
    assert dict(application.webhooks[0].form)["MessagingServiceSid"] == service.sid


def test_an_application_may_reply_to_someone_else_from_another_number_with_media_alone(api_of: Any) -> None:
    reply = '<Message to="+15550000001" from="ACME"><Media>https://example.com/a.gif</Media></Message>'
    emulator = Emulator(webhooks=Application(twiml(reply)))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("Hi")
    sent = emulator.messages[-1]
    assert (sent.to, sent.sender, sent.body, len(sent.media)) == ("+15550000001", "ACME", "", 1)


def test_a_service_without_a_url_leaves_the_answer_to_the_number(
    api: Any, emulator: Emulator, application: Application
) -> None:
    emulator.add_service("S", [emulator.add_number(FROM, sms_url="http://app.test/number")])
    api.receive("Hi")
    assert [request.url for request in application.webhooks] == ["http://app.test/number"]


def test_stop_makes_the_next_send_answer_21610_and_start_undoes_it(
    api: Any, emulator: Emulator, application: Application
) -> None:
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api.receive(" stop ")
    assert api.send()["code"] == 21610
    assert api.send(To="+15550000001")["status"] == "queued"
    api.receive("START")
    assert api.send()["status"] == "queued"
    replies = [message.body for message in emulator.messages if message.direction == "outbound-reply"]
    assert [reply.split()[2] for reply in replies] == ["unsubscribed", "subscribed"]
    api.receive("yes")  # nobody has opted out: it is an answer to a question
    assert [message.body for message in emulator.messages if message.direction == "outbound-reply"] == replies
    assert "OptOutType" not in dict(application.webhooks[0].form)


def test_an_application_cannot_reply_to_someone_who_stopped(api_of: Any) -> None:
    emulator = Emulator(webhooks=Application(twiml("<Message>Sorry to see you go</Message>")))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("STOP")
    assert emulator.request_log.webhooks[0].warnings == ["21610: Attempt to send to unsubscribed recipient"]


def test_opting_out_of_a_service_counts_for_all_its_numbers(
    api: Any, emulator: Emulator, application: Application
) -> None:
    numbers = [emulator.add_number(FROM), emulator.add_number("+15550001111")]
    service = emulator.add_service("S", numbers, inbound_request_url="http://app.test/service")
    api.receive("STOP")
    assert dict(application.webhooks[0].form)["OptOutType"] == "STOP"
    assert api.send(From="+15550001111")["code"] == 21610
    accepted = api.send(From="", MessagingServiceSid=service.sid)
    assert (accepted["status"], accepted["error_code"]) == ("accepted", None)
    api.advance(1)
    failed = api.request("GET", accepted["uri"]).json()
    assert (failed["status"], failed["error_code"]) == ("failed", 21610)
    api.receive("HELP")
    assert len([one for one in emulator.messages if one.direction == "outbound-reply"]) == 1


def test_where_nobody_is_to_be_asked_a_message_just_arrives(api: Any, application: Application) -> None:
    api.receive("Hi")
    api.receive("HELP")
    assert application.webhooks == []
    assert len(api.listed()) == 3


def test_with_several_accounts_it_has_to_be_said_which_one_a_message_reaches(api: Any, emulator: Emulator) -> None:
    first, second = emulator.accounts.declare(), emulator.accounts.declare()
    with pytest.raises(ValueError, match="say which account"):
        api.receive("Hi")
    emulator.add_number(FROM, account=second)
    api.receive("Hi")
    api.receive("Hi", account=first)
    assert (len(first.messages), len(second.messages)) == (1, 1)


def test_an_httpx_transport_carries_webhooks(api_of: Any) -> None:
    seen: list[httpx.Request] = []

    def application(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        content = b"<Response><Message>Hello</Message></Response>"
        return httpx.Response(200, content=content, headers={"content-type": "text/xml"})

    emulator = Emulator(webhooks=httpx.MockTransport(application))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("Hi")
    assert b"Body=Hi" in seen[0].content
    assert seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert emulator.messages[-1].body == "Hello"


@pytest.mark.parametrize(("error", "attempts"), [(httpx.ConnectError("refused"), 2), (httpx.ReadTimeout("late"), 1)])
def test_what_an_httpx_transport_raises_counts_as_no_answer(
    api_of: Any, error: httpx.TransportError, attempts: int
) -> None:
    def application(_: httpx.Request) -> httpx.Response:
        raise error

    emulator = Emulator(webhooks=httpx.MockTransport(application))
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("Hi")
    assert [record.error for record in emulator.request_log.webhooks] == [str(error)] * attempts


def test_an_asynchronous_function_carries_webhooks(api_of: Any) -> None:
    async def application(request: WebhookRequest) -> Response:
        await asyncio.sleep(0)
        return twiml(f"<Message>{len(request.body)}</Message>")

    emulator = Emulator(webhooks=application)
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    api_of(emulator).receive("Hi")
    assert int(emulator.messages[-1].body) > 100


def test_an_application_that_never_answers_is_given_up(api_of: Any) -> None:
    async def application(_: WebhookRequest) -> Response:
        await asyncio.sleep(60)
        return Response(204)

    emulator = Emulator(webhooks=application)
    emulator.add_number(FROM, sms_url="http://app.test/sms#rt=100&ct=100")
    api_of(emulator).receive("Hi")
    assert emulator.request_log.webhooks[0].error == "no response within 0.1 s"


async def test_by_default_webhooks_go_out_over_http_to_this_machine() -> None:
    seen: list[Any] = []

    async def application(request: web.BaseRequest) -> web.StreamResponse:
        form = await request.post()
        seen.append((request.raw_path, dict(request.headers), {name: str(value) for name, value in form.items()}))
        return web.Response(text="<Response><Message>Hello</Message></Response>", content_type="text/xml")

    runner = web.ServerRunner(web.Server(application))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    emulator = Emulator()
    url = f"http://127.0.0.1:{port}/sms?q=it's%20odd"
    emulator.add_number(FROM, sms_url=url)
    await emulator.receive(to=FROM, sender=TO, body="Grüße + ♥")
    await runner.cleanup()
    path, headers, form = seen[0]
    assert RequestValidator(AUTH_TOKEN).validate(url, form, headers["X-Twilio-Signature"])
    assert path == "/sms?q=it's%20odd"
    assert form["Body"] == "Grüße + ♥"
    assert emulator.messages[-1].body == "Hello"


@pytest.mark.parametrize(
    ("url", "hosts", "error"),
    [
        ("http://example.com/sms", (), "example.com is not this machine"),
        ("http://192.0.2.1/sms", (), "192.0.2.1 is not this machine"),
        ("http://127.0.0.1:1/sms", (), "Cannot connect"),
        ("http://nowhere.invalid:1/sms", ("nowhere.invalid",), "Cannot connect"),
        ("http://nowhere.invalid:1/sms", ("*",), "Cannot connect"),
        ("http://app.localhost:1/sms", (), "Cannot connect"),
    ],
)
def test_webhooks_go_to_other_machines_only_when_they_were_allowed(
    api_of: Any, url: str, hosts: tuple[str, ...], error: str
) -> None:
    emulator = Emulator(webhook_hosts=hosts)
    emulator.add_number(FROM, sms_url=url + "#rc=0")
    api_of(emulator).receive("Hi")
    assert error in (emulator.request_log.webhooks[0].error or "")


async def test_a_connection_that_breaks_is_told_apart_from_one_that_was_never_made() -> None:
    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(slam, "127.0.0.1", 0)
    emulator = Emulator()
    port = listener.sockets[0].getsockname()[1]
    emulator.add_number(FROM, sms_url=f"http://127.0.0.1:{port}/")
    await emulator.receive(to=FROM, sender=TO, body="Hi")
    listener.close()
    assert [record.attempt for record in emulator.request_log.webhooks] == [1]
    error = emulator.request_log.webhooks[0].error or ""
    assert "disconnected" in error or "reset" in error  # the kernel says which, by what was read before
