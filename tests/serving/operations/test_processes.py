"""Workers, senders, schedules and refused webhooks, as people see them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.engine import SEND
from support.ports import reserve_port
from support.serve_processes import Deployment, inbound, post
from support.waiting import PATIENCE, until

from twilio_component.emulator import Emulator

if TYPE_CHECKING:
    from support.forked_programs import ForkedProcess

Make = Callable[..., Any]


@contextmanager
def working(deployment: Deployment, count: int) -> Iterator[list[ForkedProcess]]:
    """Worker processes, ended in the end."""
    processes = [deployment.start_worker() for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def twilio(emulator: Emulator) -> Iterator[str]:
    with emulator.serve_in_thread() as server:
        yield server.url


def test_of_two_workers_one_is_killed_and_seen_as_such(
    twilio: str, tmp_path: Path, new_database: Callable[[], str], page_of: Make
) -> None:
    port = reserve_port()
    deployment = Deployment(tmp_path, twilio, database=new_database(), options=["--operations-port", str(port)])
    url = f"http://127.0.0.1:{port}"
    with deployment.serving(), working(deployment, 2) as (first, _):

        def states() -> dict[str, str]:
            found = httpx.get(f"{url}/api/workers").json()["workers"]
            return {one["name"].rpartition(" ")[2]: one["state"] for one in found}

        until(lambda: [*states().values()] == ["alive"] * 3, "three processes are alive", 3 * PATIENCE)
        first.send_signal(signal.SIGKILL)
        first.wait(PATIENCE)
        with page_of(url) as page:
            page.get_by_role("link", name="Workers").click()
            gone = page.get_by_role("row", name=f"process {first.pid}")
            gone.get_by_text("gone").wait_for()
            assert "worker" in gone.inner_text()
            assert page.get_by_text("alive", exact=True).count() == 2
    assert states_of(deployment) == [("serve", True), ("worker", False), ("worker", True)]


def states_of(deployment: Deployment) -> list[tuple[Any, ...]]:
    """The kinds of processes, and whether they stopped in order."""
    return sorted(deployment.ask("SELECT kind, stopped_at IS NOT NULL FROM flow_heartbeats"))


def test_refused_webhooks_are_counted_by_reason_and_nothing_of_them_is_stored(
    twilio: str, tmp_path: Path, page_of: Make
) -> None:
    port = reserve_port()
    deployment = Deployment(tmp_path, twilio, options=["--operations-port", str(port)])
    with deployment.serving():
        for number in range(3):
            assert post(deployment.webhook(), inbound(number, "forged"), token="another").status_code == 403
        with page_of(f"http://127.0.0.1:{port}") as page:
            page.get_by_role("link", name="Webhooks").click()
            row = page.get_by_role("row", name="/demo/reply")
            row.wait_for()
            assert [word in row.inner_text() for word in ("webhook-refused", "3", "not signed by Twilio")] == [True] * 3
    assert "forged" not in str(deployment.ask("SELECT * FROM flow_refused_webhooks"))


def test_a_throttle_is_seen_with_what_waits_for_it_and_lifted(operated_of: Make, page_of: Make) -> None:
    emulator = Emulator()
    operated = operated_of(SEND, emulator=emulator)
    emulator.faults.rate_limit(times=1, retry_after=1800)
    operated.begin("waiting")
    with page_of(operated.url) as page:
        page.get_by_role("link", name="waiting").click()
        held = page.locator(".wait")
        held.wait_for()
        assert held.inner_text().startswith("held by ")
        assert " until " in held.inner_text()
        page.get_by_role("link", name="Senders").click()
        page.get_by_role("button", name="Lift the throttle of").first.click()
        page.get_by_role("dialog", name="Lift the throttle").get_by_role("button", name="Lift").click()
        page.get_by_text("Nothing is throttled").wait_for()
        operated.wait_for("waiting", "succeeded")
    assert len(emulator.messages) == 1


def test_a_schedule_is_shown_with_its_next_times(operated_of: Make, page_of: Make) -> None:
    scheduled = SEND.replace(
        "{name: Trigger, isTrigger: true, action: webhook-triggers.webhook}",
        "{name: Trigger, isTrigger: true, action: schedule-triggers.schedule, "
        'schedule: {type: value, value: "30 4 * * *", meta: {timeZone: Europe/Berlin}}}',
    ).replace("{type: reference, value: trigger.results.body.data.to}", '{type: value, value: "+15558675310"}')
    operated = operated_of(scheduled)
    operated.call(operated.served.engine.keep_schedules([operated.served.definition]))
    with page_of(f"{operated.url}/#/schedules", timezone_id="Europe/Berlin", locale="en-GB") as page:
        row = page.get_by_role("row", name="Main")
        row.wait_for()
        assert row.locator("time").all_inner_texts()[0].endswith("04:30:00")
        assert "30 4 * * *" in row.inner_text()
        assert row.locator("time").count() == 3
