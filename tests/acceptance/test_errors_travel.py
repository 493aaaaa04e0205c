"""Every exception of the package pickles and copies with all that it knows, and crosses a process pool."""

from __future__ import annotations

import copy
import inspect
import json
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import twilio_component
from twilio_component.host.errors import InputError, Problem
from twilio_component.twilio.errors import OutcomeUnknownError, RateLimitedError, api_error

# Arguments for constructors that take more than a text, by the parameter's name.
SAMPLES: dict[str, Any] = {
    "acted": True,
    "status": 503,
    "code": 21610,
    "twilio_code": 21610,
    "message": "Attempt to send to unsubscribed recipient",
    "more_info": None,
    "problems": [Problem("$.inputs.to", "is required", "flow.yaml", 3, 7)],
    "bound": 10,
    "kind": "timeout",
    "summary": "The inputs are not valid",
    "reason": "the response was lost",
    "explanation": "Refused: why",
    "until": 1_795_000_000.0,
}


# What the extras beside `serve` bring: the session with the oldest dependencies has none of them.
OF_EXTRAS = ("prometheus_client", "opentelemetry", "mcp", "httpx2")


def names_in(module: str) -> dict[str, Any]:
    """What a module defines; nothing where it belongs to an extra that is not installed."""
    try:
        return vars(import_module(module))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in OF_EXTRAS:
            raise
        return {}


@cache
def exceptions() -> list[type[BaseException]]:
    found = set[type[BaseException]]()
    for module in walk_packages(twilio_component.__path__, "twilio_component."):
        if not module.name.endswith("__main__"):
            found.update(
                value
                for value in names_in(module.name).values()
                if inspect.isclass(value)
                and issubclass(value, BaseException)
                and value.__module__.startswith("twilio_component.")
            )
    return sorted(found, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def instance(kind: type[BaseException]) -> BaseException:
    signature = inspect.signature(kind.__init__)
    required = [
        parameter
        for parameter in [*signature.parameters.values()][1:]
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    given = {parameter.name: SAMPLES[parameter.name] for parameter in required}
    error = kind(**given) if given else kind("what is wrong")
    error.retryable = True  # type: ignore[attr-defined]  # as some are, one by one
    error.add_note("a note")
    return error


def knowledge(error: BaseException) -> tuple[Any, ...]:
    public = [name for name in dir(error) if not name.startswith("_") and name not in ("args", "with_traceback")]
    values = {name: getattr(error, name) for name in public}
    return type(error), str(error), error.args, {name: repr(one) for name, one in values.items() if not callable(one)}


@pytest.mark.parametrize(
    "way",
    [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy],  # noqa: S301 - our own
    ids=["pickled", "copied", "copied deeply"],
)
def test_an_exception_keeps_all_that_it_knows(way: Callable[[Any], Any]) -> None:
    for kind in exceptions():
        error = instance(kind)
        assert knowledge(way(error)) == knowledge(error)


def test_an_exception_is_rebuilt_from_its_arguments_as_json() -> None:
    """A queue that stores errors as JSON, as Celery does, keeps the class and the arguments."""
    for kind in exceptions():
        if ".emulator." not in kind.__module__:
            error = instance(kind)
            again = kind(*json.loads(json.dumps(error.args)))
            again.retryable = True  # type: ignore[attr-defined]  # as `instance` sets it
            assert knowledge(again) == knowledge(error)


def test_an_outcome_that_is_unknown_is_rebuilt_from_json_with_what_twilio_reported() -> None:
    error = OutcomeUnknownError("The POST got HTTP 503", 503, api_error(503, {"code": 20503, "message": "busy"}))
    again = OutcomeUnknownError(*json.loads(json.dumps(error.args)))
    assert (str(again), again.may_have_happened, again.status) == (str(error), True, 503)
    assert again.reported is not None
    assert (again.reported.twilio_code, again.reported.retryable) == (20503, True)


def test_the_arguments_of_an_error_show_no_number_that_twilio_repeats() -> None:
    error = api_error(400, {"code": 21211, "message": "The 'To' number +15558675310 is not valid"})
    assert "8675" not in repr(OutcomeUnknownError("lost", 500, error))
    error.hide(["not valid"])
    assert "valid" not in repr(error) + str(error).splitlines()[0]


def test_an_error_inside_an_error_is_kept() -> None:
    reported = api_error(500, {"code": 20500, "message": "internal"}, retry_after=2.5)
    error = OutcomeUnknownError("The POST got HTTP 500", status=500, reported=reported)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert again.may_have_happened
    assert (again.reported.twilio_code, again.reported.retry_after) == (20500, 2.5)
    assert again.reported.explanation == reported.explanation


def fail(kind: str) -> None:
    if kind == "unknown":
        raise OutcomeUnknownError("The POST Messages.json got HTTP 502", status=502)
    if kind == "throttled":
        error = api_error(429, {"code": 20429, "message": "too many"}, retry_after=7)
        error.headers = {"retry-after": "7"}
        raise error
    raise InputError("The inputs are not valid", [Problem("$.inputs.to", "is required")])


def test_errors_come_out_of_a_process_pool_with_what_they_know() -> None:
    # Spawned, as Celery's workers and Windows have it: nothing is shared with this process.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(OutcomeUnknownError) as unknown:
            pool.submit(fail, "unknown").result(60)
        with pytest.raises(RateLimitedError) as throttled:
            pool.submit(fail, "throttled").result(60)
        with pytest.raises(InputError) as refused:
            pool.submit(fail, "inputs").result(60)
    assert (unknown.value.may_have_happened, unknown.value.status) == (True, 502)
    assert (throttled.value.throttled, throttled.value.retry_after) == ("connection", 7)
    assert throttled.value.headers == {"retry-after": "7"}
    assert refused.value.problems == (Problem("$.inputs.to", "is required"),)
