"""Who gets anything from the page: people of this machine, or with the token, and no other page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.engine import SEND

from twilio_component.emulator import Emulator
from twilio_component.host.errors import InputError
from twilio_component.serving.operations.access import Access

Make = Callable[..., Any]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there
TOKEN = "a-token-of-the-night-shift"


@pytest.fixture
def failed_run(operated_of: Make) -> Any:
    emulator = Emulator()
    emulator.faults.api_error(20003, status=401)
    operated = operated_of(SEND, emulator=emulator)
    operated.run("one")
    return operated


RETRY = {"run": "one", "action": "retry"}


def test_another_origin_gets_nothing(failed_run: Any) -> None:
    with failed_run.client() as client:
        csrf = client.get("/api/session").json()["csrf"]
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "http://[::1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
        ):
            assert client.get("/api/runs", headers=headers).status_code == 403
            assert client.get("/api/session", headers=headers).status_code == 403
            acting = client.post("/api/actions", json=RETRY, headers={"X-CSRF-Token": csrf, **headers})
            assert acting.status_code == 403
        # No origin at all is a program of this machine's that may read; what changes something must name its own.
        assert client.get("/api/runs").status_code == 200
        assert client.post("/api/actions", json=RETRY, headers={"X-CSRF-Token": csrf}).status_code == 403
    assert failed_run.state("one") == "failed"


def test_nothing_is_done_without_what_only_the_page_can_know(failed_run: Any) -> None:
    own = {"Origin": failed_run.url}
    with failed_run.client() as client:
        csrf = client.get("/api/session").json()["csrf"]
        assert client.post("/api/actions", json=RETRY, headers=own).status_code == 403
        wrong = client.post("/api/actions", json=RETRY, headers={**own, "X-CSRF-Token": "0" * 64})
        assert wrong.status_code == 403
        form = client.post("/api/actions", data=RETRY, headers={**own, "X-CSRF-Token": csrf})
        assert form.status_code == 400
        assert failed_run.state("one") == "failed"
        done = client.post("/api/actions", json=RETRY, headers={**own, "X-CSRF-Token": csrf})
        assert done.json()["id"] == "one~2"


def test_a_name_that_somebody_lets_point_at_this_machine_is_not_an_address_of_the_page(failed_run: Any) -> None:
    with failed_run.client() as client:
        for path in ("/", "/api/runs", "/api/session", "/files/main.js"):
            response = client.get(path, headers={"Host": f"rebound.example:{failed_run.port}"})
            assert response.status_code == 421
            assert "one" not in response.json()
        assert client.get("/api/runs", headers={"Host": "[::1"}).status_code == 421
        for host in ("localhost", "127.0.0.1", "[::1]"):
            assert client.get("/api/runs", headers={"Host": f"{host}:{failed_run.port}"}).status_code == 200


def test_with_a_token_nothing_is_told_before_it_is_given(operated_of: Make) -> None:
    operated = operated_of(SEND, token=TOKEN)
    own = {"Origin": operated.url}
    with operated.client() as client:
        assert client.get("/api/session").json() == {"signedIn": False, "needsToken": True}
        for path in ("runs", "counts", "flows", "run?id=one", "picture?id=one"):
            assert client.get(f"/api/{path}").status_code == 401
        assert client.post("/api/actions", json=RETRY, headers=own).status_code == 401
        assert client.post("/api/session", json={"token": TOKEN + "x"}, headers=own).status_code == 403
        assert client.post("/api/session", json={"token": TOKEN}).status_code == 403  # it names no origin
        assert client.post("/api/session", json={"token": 17}, headers=own).status_code == 400
        signed_in = client.post("/api/session", json={"token": TOKEN}, headers=own)
        cookie = signed_in.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert client.get("/api/runs").json() == {"runs": [], "next": None}
        csrf = client.get("/api/session").json()["csrf"]
        assert client.delete("/api/session", headers={**own, "X-CSRF-Token": csrf}).status_code == 200
        assert client.get("/api/runs", headers={"Cookie": cookie.partition(";")[0]}).status_code == 401


def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(operated_of: Make) -> None:
    operated = operated_of(SEND, token=TOKEN)
    proxied: dict[str, dict[str, str]] = {
        "plain": {},
        "http": {"X-Forwarded-Proto": "http"},
        "https": {"X-Forwarded-Proto": "https"},
        "standard": {"Forwarded": "for=192.0.2.1;proto=https;host=ops.example.com"},
    }
    cookies = {}
    for name, header in proxied.items():
        own = {"Origin": "https://ops.example.com", "Host": "ops.example.com", **header}
        with operated.client() as client:
            signed_in = client.post("/api/session", json={"token": TOKEN}, headers=own)
        assert signed_in.status_code == 200
        cookies[name] = "; secure" in signed_in.headers["set-cookie"].lower()
    assert cookies == {"plain": False, "http": False, "https": True, "standard": True}


def test_a_page_that_others_reach_needs_a_token_worth_the_name() -> None:
    with pytest.raises(InputError, match=r"--operations-host: 0\.0\.0\.0 can be reached from elsewhere: set TWILIO_"):
        Access(EVERYWHERE)
    with pytest.raises(InputError, match="must be at least 16 printable ASCII characters"):
        Access(EVERYWHERE, "short")
    Access(EVERYWHERE, TOKEN)
    Access("::1")


def test_every_response_forbids_what_a_hostile_text_would_want(failed_run: Any) -> None:
    with failed_run.client() as client:
        for path in ("/", "/files/operations.css", "/files/none.js"):
            headers = client.get(path).headers
            policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert policy["require-trusted-types-for"] == "'script'"
            assert headers["x-frame-options"] == "DENY"
        for path in ("/api/runs", "/api/nothing", "/api/run?id=none"):
            headers = client.get(path).headers
            assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("name", ["none.js", "inbox.css", "..%2fapp.py", "%2e%2e/app.py", "index.html/.."])
def test_nothing_but_the_files_of_the_page_can_be_asked_for(failed_run: Any, name: str) -> None:
    with failed_run.client() as client:
        assert client.get(f"/files/{name}").status_code in (404, 307)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("nothing", 404, "there is no /api/nothing"),
        ("run?id=none", 404, "there is no run 'none'"),
        ("run", 400, "id is required"),
        ("result?id=one&ordinal=99", 404, "has no call number 99"),
        ("result?id=one&ordinal=-1", 400, "has to be a whole number"),
        ("runs?state=lost", 400, "state has to be one of"),
        ("runs?since=yesterday", 400, "since has to be a time"),
        ("runs?after=nowhere", 400, "after has to be the next of a page"),
        ("items?id=one&loop=1&state=failed&after=x", 400, "after has to be the next of a page"),
    ],
)
def test_a_bad_request_is_told_what_would_be_good(failed_run: Any, path: str, status: int, words: str) -> None:
    with failed_run.client() as client:
        response = client.get(f"/api/{path}")
        assert (response.status_code, words in response.json()["error"]) == (status, True)
