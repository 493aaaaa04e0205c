"""What a configuration says about durability."""

from __future__ import annotations

import pytest

from twilio_component.durable.settings import Settings, settings_from
from twilio_component.host.errors import InputError


def test_without_anything_said_nothing_is_sent_again_and_texts_are_not_kept() -> None:
    settings = settings_from({})
    assert settings == Settings()
    assert (settings.resend, settings.keep_payloads, settings.lag_bound, settings.claim) == (False, False, 60.0, 3.0)


def test_every_key_has_its_effect() -> None:
    sections = {
        "sending": {"resend": True, "lagBound": 5, "timeout": 10, "inFlight": 7},
        "rateLimits": {"MyBrand": 10},
        "retention": {"days": 2, "keepPayloads": True},
    }
    assert settings_from(sections) == Settings(
        resend=True, lag_bound=5, timeout=10, in_flight=7, keep_days=2, keep_payloads=True, rates={"MyBrand": 10.0}
    )


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        settings_from(
            {
                "sending": {"resent": True, "lagBound": -1, "resend": 1},
                "retention": {"days": True},
                "rateLimits": {"MyBrand": 0},
            }
        )
    assert str(caught.value).splitlines()[1:] == [
        "  sending.resent: is not known; did you mean 'resend'?",
        "  sending.lagBound: must be a number from 0 to 3,600",
        "  sending.resend: must be true or false",
        "  retention.days: must be a number from 0 to 3,650",
        "  rateLimits.MyBrand: must be a number of requests per second, at most 1,000",
    ]
