"""The error catalogue: its data, and that every code explains itself where it arrives."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import httpx
import pytest
from jsonschema import Draft202012Validator

from twilio_component.cli.main import main
from twilio_component.host import Host
from twilio_component.host.manifest.files import shipped_file
from twilio_component.testing import emulator_connection
from twilio_component.twilio.error_codes import FAMILIES, Explanation, explain, explanations
from twilio_component.twilio.errors import OutcomeUnknownError, TwilioAPIError, TwilioError

ALL = [*explanations()]
SMS = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "MyBrand", "message": "Hi"}
_STATUSES = {20003: 401, 20006: 403, 20008: 403, 20404: 404, 20429: 429, 20500: 500, 20503: 503}


def test_the_data_fits_its_schema_and_is_sorted() -> None:
    entries = json.loads(shipped_file("twilio/error_codes.json").read_text())
    schema = json.loads(shipped_file("schemas/errors.schema.json").read_text())

    assert list(Draft202012Validator(schema).iter_errors(entries)) == []
    codes = [entry["code"] for entry in entries]
    assert codes == sorted(set(codes))
    assert len(codes) > 650
    assert {entry["family"] for entry in entries} == set(FAMILIES)


async def test_an_error_with_any_code_says_what_it_means_what_to_do_and_where_to_read_on() -> None:
    entries = {f"+1555867{number:04d}": entry for number, entry in enumerate(ALL)}

    def refuse(request: httpx.Request) -> httpx.Response:
        (to,) = parse_qs(request.content.decode())["To"]
        return _response(entries[to])

    async with Host.discover(transport=httpx.MockTransport(refuse), sleep=_no_time) as host:
        for to, entry in entries.items():
            with pytest.raises((TwilioAPIError, OutcomeUnknownError)) as caught:
                await host.invoke_action("twilio", "sendSMS", {**SMS, "to": to})
            _check_that_it_explains(caught.value, entry)


def _response(entry: Explanation) -> httpx.Response:
    status = _STATUSES.get(entry.code, 400)
    return httpx.Response(status, json={"code": entry.code, "message": "Twilio's words", "status": status})


def _check_that_it_explains(error: TwilioError, entry: Explanation) -> None:
    status = _STATUSES.get(entry.code, 400)
    text = str(error)
    for part in (str(entry.code), "Twilio's words", f"HTTP {status}", entry.link, entry.meaning, entry.remedy):
        assert part in text
    if isinstance(error, OutcomeUnknownError):  # a send that Twilio failed at may have happened
        assert status >= 500, text
        assert "before you repeat the call" in text
        assert error.reported is not None, text
        assert error.reported.explanation == entry
        assert not error.retryable, text
        return
    assert isinstance(error, TwilioAPIError)
    assert error.explanation == entry
    assert error.retryable == (status == 429 or entry.retryable), text


async def _no_time(_seconds: float) -> None:
    return


@pytest.mark.parametrize(
    ("given", "found"),
    [(21610, True), ("21610", True), ("", False), ("x", False), ("9" * 5000, False), (None, False), (1, False)],
)
def test_a_code_is_explained_as_a_number_or_as_text(given: int | str | None, found: bool) -> None:  # noqa: FBT001 - a table
    assert (explain(given) is not None) == found


class TestTheCommand:
    def test_one_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["errors", "21610"]) == 0
        said = capsys.readouterr().out
        for part in ("21610", "STOP", "do not try again", "https://www.twilio.com/docs/errors/21610"):
            assert part in said

    def test_all_of_them(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["errors"]) == 0
        lines = capsys.readouterr().out.splitlines()
        codes = [line for line in lines if line.startswith("  ")]
        assert len(codes) == len(ALL)
        # Each family has its title and its count.
        counts = [int(line.rpartition("(")[2].rstrip(")")) for line in lines if not line.startswith("  ")]
        assert sum(counts) == len(ALL)
        assert len(counts) == len(FAMILIES)

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["WhatsApp", "template"], 63016),
            (["fraud", "verify"], 60410),
            (["sim", "card"], 60532),
            (["opted", "out"], 21610),
            # Twilio's own words, in whatever form.
            (["unsubscribed"], 21610),
            (["unreachable", "handset"], 30003),
            (["Rejection", "spam"], 30884),
            (["WABA"], 63102),
            (["body", "required"], 21602),
            (["freeform", "window"], 63016),
            (["too", "many", "requests"], 20429),
            (["rate", "limit"], 20429),
            (["SNA", "failure"], 60510),
            (["geo", "permission"], 21408),
        ],
    )
    def test_words_find_codes(self, words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["errors", *words]) == 0
        assert f"  {code}  " in capsys.readouterr().out

    def test_words_that_no_code_has_are_bad_input(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["errors", "submarine"]) == 2
        assert "No error code has submarine" in capsys.readouterr().err
        assert main(["errors", "templtae"]) == 2
        assert "did you mean 'template'? `errors` lists" in capsys.readouterr().err

    def test_an_unknown_code_is_bad_input(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["errors", "99999"]) == 2
        assert "Unknown error code 99999; see https://www.twilio.com/docs/errors/99999" in capsys.readouterr().err
