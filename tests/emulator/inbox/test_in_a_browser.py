"""The inbox as a person uses it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response
from twilio_component.emulator.model.message import Message
from twilio_component.host import BlockingHost

if TYPE_CHECKING:
    from twilio_component.emulator.webhooks.transports import WebhookRequest

TO, FROM = "+15558675310", "+15017122661"
ACCOUNT_SID, AUTH_TOKEN = "AC" + "0" * 31 + "1", "emulated-auth-token"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63606060f80f0001040100"
    "5fe5c34b0000000049454e44ae426082"
)
HOSTILE = {
    "markup": '<img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>',
    "right-to-left override": "invoice\u202efdp.exe\u202c \u2067isolated",
    "a very long word": "x" * 1500,
    "control characters": "a\x00b\x07c",
    "templates": "{{7*7}} ${7*7} &lt;b&gt; &amp;",
}


def answering(request: WebhookRequest) -> Response:
    """An application that repeats what it is told; it keeps a picture, too."""
    if request.method == "GET":
        return Response(200, PIXEL, {"Content-Type": "image/png"}) if request.url.endswith("cat.png") else Response(404)
    body = dict(request.form)["Body"]
    twiml = f"<Response><Message>You wrote {body}</Message></Response>"
    return Response(200, twiml.encode(), {"Content-Type": "text/xml"})


def crowd(emulator: Emulator, count: int, phone: Callable[[int], str]) -> None:
    """Fill an account with messages, the oldest first."""
    log = emulator.accounts.get(ACCOUNT_SID).messages
    for number in range(count):
        sid, at = f"SM{number:032x}", 1.7e9 + number
        log.append(Message(sid, ACCOUNT_SID, phone(number), FROM, f"message {number}", "delivered", at, segments=1))


def test_what_an_action_sends_is_seen_at_once_and_delivered_before_ones_eyes(desk: Any) -> None:
    fields = {"username": ACCOUNT_SID, "password": AUTH_TOKEN, "baseUrl": desk.url}
    inputs: dict[str, Any] = {"to": TO, "from": FROM, "message": "Your table is booked."}
    with BlockingHost.discover() as host:
        inputs["twilioConnection"] = {"key": "basic", "fields": fields}
        host.invoke_action("twilio", "sendSMS", inputs)
    bubble = desk.bubble("Your table is booked.")
    bubble.wait_for()
    desk.advance(3)
    bubble.get_by_text("Delivered", exact=True).wait_for()
    assert "GSM-7 · 1 seg" in bubble.inner_text()
    desk.page.locator(".line", has_text="Your table is booked.").wait_for()


def test_a_reply_goes_out_as_a_signed_webhook_and_the_answer_comes_back(desk_of: Callable[..., Any]) -> None:
    emulator = Emulator(webhooks=answering)
    emulator.add_number(FROM, sms_url="http://app.test/sms")
    with desk_of(emulator) as desk:
        desk.open()
        desk.send()
        desk.bubble("Hello").wait_for()
        field = desk.page.get_by_role("textbox", name="Reply from the phone")
        field.fill("One, two")
        field.press("Enter")
        desk.bubble("You wrote One, two").wait_for()
        assert field.input_value() == ""
        desk.bubble("One, two").locator(".bubble").click()
        desk.page.get_by_text("Inbound webhook", exact=True).click()
        shown = desk.page.locator("#details").inner_text()
    (webhook,) = emulator.request_log.webhooks
    assert webhook.headers["X-Twilio-Signature"] in shown
    assert "http://app.test/sms" in shown
    assert "HTTP 200" in shown


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_stays_text(desk: Any, body: str) -> None:
    sid = desk.send(Body=body).json()["sid"]
    desk.receive(body)
    shown = desk.page.locator(f'[data-key="{sid}"] .body')
    shown.wait_for()
    visible = body.replace("\x00", "\u2400").replace("\x07", "\u2407")
    assert shown.text_content() == visible
    desk.page.locator(f'[data-key="{sid}"] .bubble').click()
    desk.page.locator(".exchange summary").first.click()
    assert visible in (desk.page.locator(".parameters").text_content() or "")
    assert desk.page.locator(".snippet").first.text_content() == visible
    assert desk.page.evaluate("window.hacked") is None
    # It makes nothing wider than the window, and turns around nothing beside it.
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert desk.page.locator(".items, .line, #details").locator("script, iframe, img").count() == 0
    overflowing = (
        "[...document.querySelectorAll('.scroller, #details')].filter((one) => one.scrollWidth > one.clientWidth)"
    )
    assert desk.page.evaluate(f"{overflowing}.length") == 0


def test_ten_thousand_messages_of_one_conversation_cost_as_much_as_a_window(desk_of: Callable[..., Any]) -> None:
    emulator = Emulator()
    crowd(emulator, 10_000, lambda _: TO)
    with desk_of(emulator) as desk:
        desk.open()
        desk.pick()
        desk.bubble("message 9999").wait_for()
        assert desk.page.locator(".item").count() == 40
        scroller = desk.page.locator(".scroller")
        for seen in range(1, 8):
            scroller.evaluate("(one) => one.scrollTo(0, 0)")
            desk.bubble(f"message {9960 - 40 * seen}").wait_for()
            assert desk.page.locator(".item").count() <= 120
            # What was in sight stays where it was: one is not thrown to the new beginning.
            assert scroller.evaluate("(one) => one.scrollTop") > 0
        assert desk.page.locator(".item").count() == 120
        assert desk.elements() < 2500
        desk.receive("something new")
        desk.page.get_by_role("button", name="New messages").click()
        desk.bubble("something new").wait_for()
        assert desk.page.locator(".item").count() <= 120
        for _ in range(2):
            scroller.evaluate("(one) => one.scrollTo(0, 0)")
            desk.page.wait_for_function("() => document.querySelector('.scroller').scrollTop > 0")
        for _ in range(100):
            if desk.bubble("something new").count():
                break
            scroller.evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        desk.bubble("something new").wait_for()
        assert desk.page.locator(".item").count() <= 120


def test_ten_thousand_conversations_cost_as_much_as_those_in_sight(desk_of: Callable[..., Any]) -> None:
    emulator = Emulator()
    crowd(emulator, 10_000, lambda number: f"+1555{number:07}")
    with desk_of(emulator) as desk:
        desk.open()
        assert desk.page.locator("#list-count").inner_text() == "10,000 conversations"
        assert desk.elements() < 1000
        desk.page.locator("#list").evaluate("(one) => one.scrollTo(0, one.scrollHeight)")
        desk.page.locator(".line", has_text="+15550000000").wait_for()
        assert desk.elements() < 1000
        desk.page.get_by_role("searchbox").fill("message 4711")
        desk.page.locator(".line", has_text="+15550004711").wait_for()
        assert desk.page.locator("#list-count").inner_text() == "1 conversation found"
        desk.pick("+15550004711")
        desk.bubble("message 4711").wait_for()
        desk.page.get_by_role("button", name="Show all").click()
        desk.page.locator("#list-count", has_text="10,000 conversations").wait_for()


def test_who_says_stop_is_sent_nothing_more(desk: Any) -> None:
    desk.send()
    desk.page.get_by_role("button", name="STOP", exact=True).click()
    desk.page.locator(".thread-head", has_text="Opted out").wait_for()
    assert desk.send(Body="One more thing").json()["code"] == 21610
    refused = desk.bubble("One more thing")
    refused.wait_for()
    assert "Refused with HTTP 400" in refused.inner_text()
    refused.locator(".bubble").click()
    link = desk.page.locator(".error-card a")
    assert link.get_attribute("href") == "https://www.twilio.com/docs/errors/21610"
    assert link.get_attribute("rel") == "noopener noreferrer"
    desk.page.get_by_role("button", name="START", exact=True).click()
    desk.page.locator(".thread-head .stop").wait_for(state="detached")
    assert desk.send().status_code == 201


def test_faults_are_switched_on_for_the_next_sends_and_taken_back(desk: Any) -> None:
    desk.send()
    page = desk.page
    page.get_by_role("button", name="Conditions").click()
    api = page.locator(".part", has_text="The API")
    api.get_by_label("429 Too Many Requests").check()
    api.get_by_label("For the next").fill("2")
    api.get_by_role("button", name="Switch on").click()
    api.get_by_text("Done.").wait_for()
    api.get_by_label("Lost response").check()
    api.get_by_label("For the next").fill("1")
    api.get_by_role("button", name="Switch on").click()
    page.locator(".condition", has_text="Lost response").wait_for(state="attached")
    page.keyboard.press("Escape")
    assert desk.send(Body="first").status_code == 429
    page.locator(".condition", has_text="1 left").first.wait_for()
    assert "Refused with HTTP 429" in desk.bubble("first").inner_text()
    page.get_by_role("button", name="Take back: HTTP 429").click()
    page.locator(".condition", has_text="HTTP 429").wait_for(state="detached")
    with pytest.raises(Exception, match="disconnected"):
        desk.send(Body="was it sent?")
    bubble = desk.bubble("was it sent?")
    bubble.wait_for()
    page.locator("#strip").wait_for(state="hidden")
    bubble.locator(".bubble").click()
    page.locator(".exchange-result", has_text="no response").wait_for()


def test_delivery_fails_and_is_late_on_request_and_the_clock_moves(desk: Any) -> None:
    desk.send()
    page = desk.page
    page.locator(".thread-head").wait_for()
    page.get_by_role("button", name="Conditions").click()
    delivery = page.locator(".part", has_text="Delivery")
    delivery.get_by_role("button", name="Switch on").click()
    page.locator(".condition", has_text="Not delivered (30003)").wait_for(state="attached")
    page.keyboard.press("Escape")
    desk.send(Body="lost")
    page.locator("#strip").wait_for(state="hidden")
    desk.advance(3)
    lost = desk.bubble("lost")
    lost.get_by_text("Not delivered").wait_for()
    assert "30003" in lost.locator(".problem").inner_text()
    page.get_by_role("button", name="Conditions").click()
    delivery.get_by_label("The message ends as").select_option("delivered")
    delivery.get_by_label("Seconds late").fill("3000")
    delivery.get_by_role("button", name="Switch on").click()
    page.locator(".condition", has_text="Delivered late after 50 min").wait_for(state="attached")
    desk.send(Body="late")
    desk.advance(5)
    desk.bubble("late").get_by_text("Sent", exact=True).wait_for()
    page.get_by_role("button", name="+1 h").click()
    page.locator(".condition", has_text=re.compile("1 h.* ahead")).wait_for(state="attached")
    page.keyboard.press("Escape")
    desk.bubble("late").get_by_text("Delivered", exact=True).wait_for()


def test_pictures_are_shown_and_everything_else_can_only_be_saved(desk_of: Callable[..., Any]) -> None:
    emulator = Emulator(webhooks=answering)
    with desk_of(emulator) as desk:
        desk.open()
        desk.send(MediaUrl="http://127.0.0.1:9/cat.png", Body="A cat")
        desk.send(MediaUrl="https://media.example.com/dog.png", Body="A dog elsewhere")
        page = desk.page
        desk.bubble("A cat").locator(".picture").wait_for()
        page.wait_for_function("() => document.querySelector('.picture').naturalWidth === 1")
        assert page.locator(".file", has_text="media.example.com").get_attribute("rel") == "noopener noreferrer"
        page.locator('input[type="file"]').set_input_files(
            [
                {"name": "photo.png", "mimeType": "image/png", "buffer": PIXEL},
                {"name": "page.html", "mimeType": "text/html", "buffer": b"<script>alert(1)</script>"},
            ]
        )
        page.get_by_role("button", name="Do not send photo.png").wait_for()
        page.get_by_role("button", name="Send", exact=True).click()
        mine = page.locator(".item.mine").last
        mine.locator(".picture").wait_for()
        with page.expect_download() as download, page.context.expect_page():
            mine.locator(".file", has_text="text/html").click()
        assert download.value.suggested_filename.endswith(".html")
        page.locator(".chosen li").first.wait_for(state="detached")
    assert [media.content for media in emulator.messages[-1].media] == [PIXEL, b"<script>alert(1)</script>"]


def test_what_could_not_be_sent_is_there_to_be_sent_again(desk: Any) -> None:
    desk.send()
    desk.send(From="Sender name", To="+15550000009", Body="from a name")
    desk.pick("+15550000009")
    desk.emulator.accounts.clear()
    desk.emulator.accounts.declare()
    field = desk.page.get_by_role("textbox", name="Reply from the phone")
    field.fill("Anybody?")
    field.press("Enter")
    desk.page.locator("#toast").wait_for()
    assert field.input_value() == "Anybody?"


def test_too_many_files_are_refused_with_a_word(desk: Any) -> None:
    desk.send()
    picker = desk.page.locator('input[type="file"]')
    picker.set_input_files([{"name": f"{n}.png", "mimeType": "image/png", "buffer": PIXEL} for n in range(11)])
    desk.page.get_by_text("A message has at most 10 files.").wait_for()
    picker.set_input_files([{"name": "big.bin", "mimeType": "a/b", "buffer": b"x" * 5_000_001}])
    desk.page.get_by_text("at most 5.0 MB").wait_for()
    assert desk.page.locator(".chosen li").count() == 0


def test_channels_are_marked_and_a_new_text_begins_a_conversation(desk: Any) -> None:
    desk.send(To=f"whatsapp:{TO}", From=f"whatsapp:{FROM}", Body="via WhatsApp")
    desk.send(To="+15550000002", From="rcs:brand_agent", Body="via RCS")
    desk.page.locator(".line", has_text="WhatsApp").wait_for()
    desk.page.locator(".line", has_text="RCS").wait_for()
    desk.page.keyboard.press("n")
    dialog = desk.page.get_by_role("dialog", name="New text")
    dialog.get_by_label("From the phone").fill("(555) 000-0003")
    dialog.get_by_label("Text").fill("Is anybody there?")
    dialog.get_by_role("button", name="Send").click()
    desk.page.locator(".thread-head", has_text="+15550000003").wait_for()
    desk.bubble("Is anybody there?").wait_for()


def test_an_exchange_is_copied_as_curl_without_a_secret(desk_of: Callable[..., Any]) -> None:
    with desk_of(Emulator(), permissions=["clipboard-read", "clipboard-write"]) as desk:
        desk.open()
        desk.send()
        desk.advance(5)
        desk.bubble("Hello").get_by_text("Delivered", exact=True).wait_for()
        desk.bubble("Hello").locator(".bubble").click()
        desk.page.locator(".exchange summary").first.click()
        desk.page.get_by_role("button", name="Copy as curl").click()
        desk.page.get_by_role("button", name="Copied").wait_for()
        copied = desk.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -X POST http://127.0.0.1:")
    assert "--data-urlencode Body=Hello" in copied
    # The emulator's own token, which is documented and worth nothing.
    assert f"-u {ACCOUNT_SID}:{AUTH_TOKEN}" in copied


def test_everything_is_done_from_the_keyboard(desk: Any) -> None:
    page = desk.page
    for number in range(3):
        desk.send(To=f"+1555000000{number}", Body=f"message {number}")
    page.locator("#list-count", has_text="3 conversations").wait_for()
    page.locator("#list").focus()
    page.keyboard.press("End")
    assert page.locator("#list").get_attribute("aria-activedescendant") == "line-2"
    page.keyboard.press("Enter")
    page.locator(".thread-head", has_text="+15550000000").wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    page.locator(".thread-head", has_text="+15550000001").wait_for()
    desk.bubble("message 1").locator(".bubble").focus()
    page.keyboard.press("Enter")
    page.locator("#details h2").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Message to the phone"
    page.keyboard.press("Escape")
    page.locator("#details").wait_for(state="hidden")
    assert "message 1" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("/")
    page.keyboard.type("message 2")
    page.locator("#list-count", has_text="1 conversation found").wait_for()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "list"


def test_what_arrives_is_told_to_screen_readers(desk: Any) -> None:
    desk.send(Body="First")
    desk.bubble("First").wait_for()
    desk.send(Body="Second")
    desk.page.locator("#announcer", has_text="Second").wait_for(state="attached")
    assert desk.page.locator("#announcer").inner_text().startswith("The application sent SMS at")


def test_the_theme_follows_the_system_until_one_is_chosen_and_is_remembered(desk_of: Callable[..., Any]) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    with desk_of(Emulator(), color_scheme="dark") as desk:
        desk.open()
        dark = desk.page.evaluate(background)
        desk.page.get_by_role("button", name="Theme: system").click()
        light = desk.page.evaluate(background)
        assert light != dark
        desk.page.reload()
        assert desk.page.evaluate(background) == light
        desk.page.get_by_role("button", name="Theme: light").click()
        assert desk.page.evaluate(background) == dark
        desk.page.get_by_role("button", name="Theme: dark").click()
        assert desk.page.evaluate("localStorage.getItem('theme')") is None


def test_clearing_asks_first(desk: Any) -> None:
    desk.send()
    desk.bubble("Hello").wait_for()
    desk.page.get_by_role("button", name="Clear", exact=True).click()
    desk.page.get_by_role("button", name="Keep them").click()
    assert len(desk.emulator.messages) == 1
    desk.page.get_by_role("button", name="Clear", exact=True).click()
    desk.page.get_by_role("button", name="Clear all messages").click()
    desk.page.get_by_text("No messages yet.").wait_for()
    desk.bubble("Hello").wait_for(state="detached")
    assert desk.emulator.messages == []


def test_a_burst_of_messages_is_taken_in_at_once(desk: Any) -> None:
    desk.send()
    desk.bubble("Hello").wait_for()

    async def burst() -> None:
        for number in range(1500):
            await desk.emulator.receive(to=FROM, sender=TO, body=f"burst {number}")

    desk.server.call(burst)
    desk.bubble("burst 1499").wait_for()
    assert desk.page.locator(".item").count() <= 120
    desk.page.locator(".line-count", has_text="1501").wait_for()


def test_after_an_interruption_nothing_is_missing(desk: Any) -> None:
    desk.send()
    desk.bubble("Hello").wait_for()
    desk.emulator.faults.refuse(seconds=0.3)
    desk.page.locator('#connection[data-state="away"]').wait_for()
    desk.receive("Meanwhile")
    desk.bubble("Meanwhile").wait_for()
    desk.page.locator('#connection[data-state="live"]').wait_for()


def test_on_a_phone_one_pane_is_shown_at_a_time(desk_of: Callable[..., Any]) -> None:
    with desk_of(Emulator(), viewport={"width": 390, "height": 800}) as desk:
        desk.open()
        desk.send()
        desk.bubble("Hello").wait_for()
        page = desk.page
        assert not page.locator(".list-pane").is_visible()
        page.get_by_role("button", name="Back to the conversations").click()
        page.locator(".list-pane").wait_for()
        assert not page.locator("#thread").is_visible()
        desk.pick()
        desk.bubble("Hello").locator(".bubble").click()
        page.get_by_role("button", name="Close the details").click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # The pictures alone stand on the buttons; what they do is said all the same.
        page.get_by_role("button", name="Conditions").click()
        page.get_by_role("dialog", name="Conditions").wait_for()


def test_a_code_is_seen_on_the_phone_over_every_channel(desk: Any) -> None:
    account = desk.emulator.accounts.get(ACCOUNT_SID)
    service = desk.emulator.add_verify_service("Shop", account=account)
    for to, channel in ((TO, "sms"), (TO, "call"), (TO, "whatsapp"), ("ada@example.com", "email")):
        url = f"{desk.url}/v2/Services/{service.sid}/Verifications"
        form = {"To": to, "Channel": channel}
        assert httpx.post(url, data=form, auth=(ACCOUNT_SID, AUTH_TOKEN)).status_code == 201
    codes = {one.to: one.code for one in desk.emulator.verifications}
    for line, text in (
        ("Email", codes["ada@example.com"]),
        ("WhatsApp", codes[TO]),
        ("Read out", ". ".join(codes[TO])),
    ):
        lines = desk.page.locator(".line")
        chosen = lines.filter(has_text=". ".join(codes[TO])) if line == "Read out" else lines.filter(has_text=line)
        chosen.click()
        desk.page.locator(".item .body", has_text=text).first.wait_for()
    desk.page.locator(".segments", has_text="Read out in a call").wait_for()
    desk.page.locator(".item .body", has_text=f"code is: {codes[TO]}").wait_for()
