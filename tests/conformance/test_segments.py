"""Texts of all kinds, at the boundaries of segments, against Twilio's own calculator."""

from __future__ import annotations

import random

from support.node import ask_node

from twilio_component.twilio.segments import segment, smart_encode

LENGTHS = (1, 66, 67, 68, 69, 70, 71, 133, 134, 135, 152, 153, 154, 159, 160, 161, 305, 306, 307)
GSM = [*"@£$èé\n\rØΔ_ΦΩÆß !#%&'()*+,-./0123456789:;<=>?ABCXYZabcxyzäöü", "\r\n"]
EXTENDED = [*"^{}\\[~]|€"]
# What is seen as one character each, of up to eight units.
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
SEEN = [
    "\u4e2d",
    "\U0001f600",
    FAMILY,
    "e\u0301",
    "\U0001f1e9\U0001f1ea",
    "\U0001f44d\U0001f3fd",
    "\u2014",
    "\u201c",
    "\u2026",
]


def texts() -> list[tuple[str, bool]]:
    chance = random.Random(20_261_126)  # noqa: S311 - a test's
    made = []
    for _ in range(3_000):
        alphabet = chance.choice([GSM, GSM + EXTENDED, [*GSM, chance.choice(SEEN)], SEEN + EXTENDED, SEEN])
        text = "".join(chance.choices(alphabet, k=chance.choice(LENGTHS)))
        smart = chance.random() < 0.5
        # The calculator bills a text without anything; Twilio refuses it.
        if smart_encode(text):
            made.append((text, smart))
    return made


def test_segments_are_those_of_twilios_calculator() -> None:
    given = texts()
    said = ask_node("segments.cjs", given, package="sms-segments-calculator")
    ours = [segment(smart_encode(text) if smart else text) for text, smart in given]
    differ = [
        (ascii(text), smart, theirs)
        for (text, smart), own, theirs in zip(given, ours, said, strict=True)
        if [own.encoding, own.segments] != theirs
    ]
    assert differ == []
