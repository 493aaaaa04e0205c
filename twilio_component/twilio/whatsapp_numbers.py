"""WhatsApp's own forms of phone numbers: in some countries it keeps the plan by which a person once signed up.

Somebody who is written to at ``whatsapp:+525512345678`` replies from ``whatsapp:+5215512345678``. Both reach them, and
both are one person: for opt-outs, for the answer to a question, and for what is erased.
"""

from __future__ import annotations

import re

_CHANNEL = "whatsapp:"
# By country: today's numbers and how WhatsApp has them, then the older form and what it is today.
_PLANS = (
    # Mexico's mobile numbers had a 1 until 2019.
    (re.compile(r"\+52([2-9][0-9]{9})"), r"+521\1", re.compile(r"\+521([2-9][0-9]{9})"), r"+52\1"),
    # Brazil's mobile numbers got a 9 in front, the last ones in 2016.
    (
        re.compile(r"\+55([1-9]{2})9([6-9][0-9]{7})"),
        r"+55\1\2",
        re.compile(r"\+55([1-9]{2})([6-9][0-9]{7})"),
        r"+55\g<1>9\2",
    ),
    # Argentina's have a 9 for calls from abroad, which is no part of the number at home.
    (re.compile(r"\+549([1-8][0-9]{9})"), r"+54\1", re.compile(r"\+54([1-8][0-9]{9})"), r"+549\1"),
    # Ivory Coast's grew from eight to ten digits in 2021, by the operator, which the second digit told.
    *(
        (
            re.compile(rf"\+225{operator}([0-9][{told}][0-9]{{6}})"),
            r"+225\1",
            re.compile(rf"\+225([0-9][{told}][0-9]{{6}})"),
            rf"+225{operator}\1",
        )
        for operator, told in (("01", "0-3"), ("05", "4-6"), ("07", "7-9"))
    ),
    # Benin's got 01 in front in 2024.
    (re.compile(r"\+22901([0-9]{8})"), r"+229\1", re.compile(r"\+229([0-9]{8})"), r"+22901\1"),
)


def current_form(address: str) -> str:
    """Return a WhatsApp address as its country writes the number today; any other address unchanged."""
    if not address.startswith(_CHANNEL):
        return address
    number = address.removeprefix(_CHANNEL)
    for _, _, older, today in _PLANS:
        if older.fullmatch(number):
            return _CHANNEL + older.sub(today, number)
    return address


def all_forms(address: str) -> tuple[str, ...]:
    """Return an address, and behind it the other form that WhatsApp may have of it, if any."""
    today = current_form(address)
    number = today.removeprefix(_CHANNEL)
    others = [
        today,
        *(_CHANNEL + current.sub(older, number) for current, older, _, _ in _PLANS if current.fullmatch(number)),
    ]
    return (address, *(one for one in others if one != address))
