"""The pictures of the inbox in the README: taken here, of a story that the emulator plays.

``INBOX_PICTURES=docs/images`` keeps them there (``make pictures``); otherwise they are only taken.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from twilio_component.emulator import Emulator
from twilio_component.emulator.http import Response

if TYPE_CHECKING:
    from twilio_component.emulator.webhooks.transports import WebhookRequest

PICTURES = Path(__file__).parents[3] / "docs" / "images"
LARGEST = 200_000
NUMBER, ADA = "+15017122661", "+15558675310"


def seat_map(columns: int = 17, rows: int = 5, size: int = 18) -> bytes:
    """A drawing of a hall, as a PNG: two of its seats are ours."""
    paper, free, ours = (247, 249, 252), (198, 208, 224), (59, 91, 219)

    def colour(x: int, y: int) -> tuple[int, int, int]:
        column, row = x // size, y // size
        if not (4 <= x % size < size - 2 and 4 <= y % size < size - 2) or column == columns // 2:
            return paper
        return ours if row == 3 and column in (12, 13) else free

    width, height = columns * size, rows * size
    lines = b"".join(b"\0" + b"".join(bytes(colour(x, y)) for x in range(width)) for y in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def box_office(request: WebhookRequest) -> Response:
    """The application: it keeps the drawing, and is content with whatever it is told."""
    return Response(200, seat_map(), {"Content-Type": "image/png"}) if request.method == "GET" else Response(204)


def play(desk: Any) -> None:
    """The story: tickets for Ada, and what happened on the other phones meanwhile."""
    status = {"StatusCallback": "http://app.test/status"}
    desk.emulator.lifecycle.undeliver(30003, to="+15552223344", times=1)
    desk.send(To="+15554440019", Body="Your order has been shipped. Track it with code 7Q2-LX.")
    desk.advance(3000)
    desk.send(To="+15552223344", Body="Your one-time code is 481 920. It is valid for five minutes.")
    desk.advance(500)
    desk.send(To="+15551112233", From="rcs:gate_agent", Body="Boarding begins in 20 minutes at gate B12.")
    desk.advance(400)
    desk.send(To="whatsapp:+4915112345678", From=f"whatsapp:{NUMBER}", Body="Ihre Bestellung ist unterwegs 🚚")
    desk.advance(200)
    desk.receive("Danke, ich bin zu Hause!", to=f"whatsapp:{NUMBER}", sender="whatsapp:+4915112345678")
    desk.advance(100)
    desk.send(Body="Hi Ada, your tickets for Friday are ready.", MediaUrl="http://app.test/seats.png", **status)
    desk.advance(50)
    desk.receive("Lovely! Are we on the aisle?")
    desk.advance(30)
    desk.send(Body="Not yet, but two seats there have just become free. Shall we move you?", **status)
    desk.advance(40)
    desk.receive("Yes, please 🙏")
    desk.advance(20)
    desk.send(Body="Done: row E, seats 8 and 9. Enjoy the show!", **status)
    desk.advance(5)
    desk.emulator.faults.rate_limit(times=2, operation="messages.create")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_of_the_inbox(tmp_path: Path, desk_of: Callable[..., Any], theme: str) -> None:
    emulator = Emulator(webhooks=box_office, start=datetime(2026, 11, 24, 17, 40, tzinfo=UTC))
    emulator.add_number(NUMBER, sms_url="http://app.test/sms")
    context = {
        "viewport": {"width": 1280, "height": 800},
        "color_scheme": theme,
        "locale": "en-GB",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }
    with desk_of(emulator, **context) as desk:
        play(desk)
        desk.open()
        desk.pick(ADA)
        desk.page.locator(".picture").evaluate("(one) => one.decode()")
        desk.bubble("Done: row E, seats 8 and 9. Enjoy the show!").locator(".bubble").click()
        desk.page.get_by_text("Status callback: delivered").wait_for()
        desk.page.mouse.move(0, 0)
        taken = tmp_path / f"inbox-{theme}.png"
        desk.page.screenshot(path=taken)
    content = taken.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < LARGEST
    if folder := os.environ.get("INBOX_PICTURES"):
        Path(folder, taken.name).write_bytes(content)


@pytest.mark.parametrize("name", ["inbox-light.png", "inbox-dark.png"])
def test_the_picture_in_the_documentation_is_there_and_small(name: str) -> None:
    assert (PICTURES / name).stat().st_size < LARGEST
