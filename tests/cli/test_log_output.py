"""Lines of the log, as text and as JSON: one for each record, and nothing that people wrote."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator

import pytest

from twilio_component.cli.log_output import JsonFormatter, PlainFormatter, TextFormatter, start_logging
from twilio_component.cli.options import add_logging
from twilio_component.host.errors import IntegrationError

NUMBER = "+15558675310"


@pytest.fixture(autouse=True)
def _loggers_are_left_as_they_were() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("", "dbos", "twilio_component")]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("twilio_component.runs", logging.WARNING, __file__, 1, message, arguments, None)
    vars(made).update(created=1795648546.25, **extra)
    return made


def failing(error: Exception) -> logging.LogRecord:
    """A record with an exception that another one has caused."""
    made = record("it failed")
    try:
        _fail_first(error)
    except Exception as raised:  # noqa: BLE001 - any of the examples
        made.exc_info = (type(raised), raised, raised.__traceback__)
    return made


def _fail_first(error: Exception) -> None:
    try:
        int(f"{NUMBER} of somebody")
    except ValueError as cause:
        raise error from cause


def test_a_line_of_text_has_its_time_in_utc_and_its_level() -> None:
    line = TextFormatter().format(record("run %s began", "web-1"))
    assert line == "2026-11-25T23:15:46.250Z WARNING run web-1 began"


def test_a_line_of_json_has_the_fields_of_the_record() -> None:
    line = json.loads(
        JsonFormatter().format(record("run %s began", "web-1", run="web-1", flow="F", seconds=0.5, step=""))
    )
    assert line == {
        "time": "2026-11-25T23:15:46.250Z",
        "level": "warning",
        "logger": "twilio_component.runs",
        "message": "run web-1 began",
        "run": "web-1",
        "flow": "F",
        "seconds": 0.5,
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_nobody_can_write_a_line_of_their_own(formatter: logging.Formatter) -> None:
    said = formatter.format(record("run %s began", "x\n2026-11-25 INFO all is well\x1b[2J\u202e"))
    assert len(said.splitlines()) == 1
    assert said.isprintable()


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_traceback_shows_where_and_not_what_an_exception_of_others_says(formatter: logging.Formatter) -> None:
    said = formatter.format(failing(KeyError(NUMBER)))
    assert "builtins.KeyError" in said
    assert "test_log_output.py" in said
    assert NUMBER not in said


def test_errors_of_ours_say_what_they_say_and_what_caused_them() -> None:
    said = TextFormatter().format(failing(IntegrationError("no such flow")))
    assert "host.errors.IntegrationError: no such flow" in said
    assert said.index("builtins.ValueError") < said.index("IntegrationError: no such flow")
    assert NUMBER not in said


def test_the_engine_and_we_log_in_one_format_from_the_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers = []
    parser = argparse.ArgumentParser()
    add_logging(parser)
    start_logging(parser.parse_args(["--log-format", "json", "--log-level", "warning"]))
    start_logging(parser.parse_args(["--log-format", "json", "--log-level", "warning"]))  # once more adds no line
    logging.getLogger("twilio_component.runs").info("not this")
    logging.getLogger("twilio_component.runs").warning("this")
    logging.getLogger("dbos").warning("and this")
    logging.getLogger("another").info("and not that")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["logger"], line["message"]) for line in lines] == [
        ("twilio_component.runs", "this"),
        ("dbos", "and this"),
    ]


def test_a_flow_run_by_hand_logs_python_s_own_lines_without_the_texts_of_other_peoples_exceptions() -> None:
    lines = PlainFormatter().format(failing(KeyError(f"a key of {NUMBER}"))).splitlines()
    assert lines[0] == "WARNING:twilio_component.runs:it failed"
    assert lines[-1] == "builtins.KeyError"
    assert any("_fail_first" in line for line in lines)
    assert NUMBER not in "".join(lines)
