"""Every campaign at a size that fits; `make campaign` runs them in full."""

from __future__ import annotations

from pathlib import Path

import pytest
from lists import killed_lists
from rates import paced
from run import document, of_lists, of_rates, of_takeovers, of_workers
from sends import PLACES, Figures, faults, killed_sends
from workers import database_away, killed_beside_a_worker, rolling_restart, takeovers
from zones import killed_campaign

from twilio_component.durable import crash_points

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def resending(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return killed_sends(tmp_path_factory.mktemp("killed"), least=1, lag=0.3, resend=True)


def test_sends_of_killed_processes_arrive_once_each(resending: Figures) -> None:
    assert set(resending.kills) == set(PLACES)
    assert (resending.doubled, resending.missing, resending.unknown) == (0, 0, 0)
    assert resending.states == {"succeeded": resending.events}


def test_faults_double_nothing_and_lose_nothing(tmp_path: Path, resending: Figures) -> None:
    found = faults(tmp_path, sends=24)
    assert (found.doubled, found.missing, found.unknown) == (0, 0, 0)
    assert "| messages that came twice | 0 | 0 |" in document(resending, resending, found)


def test_a_process_that_is_killed_beside_a_worker_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    found = killed_beside_a_worker(tmp_path, least=1, lag=0.3)
    assert set(found.kills) == set(PLACES)
    assert (found.doubled, found.missing, found.unknown) == (0, 0, 0)


def test_a_rolling_restart_and_a_database_that_goes_away_lose_nothing_and_double_nothing(
    tmp_path: Path, resending: Figures
) -> None:
    for name in ("rolling", "away"):
        (tmp_path / name).mkdir()
    rolling = rolling_restart(tmp_path / "rolling", events=40)
    away, refused = database_away(tmp_path / "away", seconds=1)
    for found in (rolling, away):
        assert (found.doubled, found.missing, found.unknown) == (0, 0, 0)
    assert refused > 0
    assert f"{rolling.kills.total()} restarts in all" in of_workers(resending, rolling, away, refused)


def test_a_run_of_a_killed_process_is_ended_by_another_wherever_it_was_killed(tmp_path: Path) -> None:
    found = takeovers(tmp_path, timeout=3, lag_bound=1)
    ended = {one.place: one.state for one in found}
    assert ended.pop(crash_points.CLAIMED) == "unknown"  # nothing was sent, and nothing proves it
    assert set(ended.values()) == {"succeeded"}
    assert "| after the response | succeeded |" in of_takeovers(found)


def test_senders_with_a_rate_keep_to_it_from_two_processes(tmp_path: Path) -> None:
    found = paced(tmp_path, senders=3, rate=2, seconds=3)
    assert (found.senders, found.messages) == (3, 18)
    assert found.most <= 2
    assert "| 3 | 2 | 18 |" in of_rates([found])


@pytest.mark.parametrize("shared", [False, True], ids=["sqlite", "postgres"])
def test_a_list_whose_processes_are_killed_reaches_everybody_once(tmp_path: Path, *, shared: bool) -> None:
    found = killed_lists(tmp_path, recipients=120, least=3, lag=0.3, shared=shared)
    assert (found.doubled, found.missing, found.unknown) == (0, 0, 0)
    assert found.kills.total() >= 1
    assert "| messages that came twice | 0 | 0 |" in of_lists(found, found)


def test_a_campaign_in_seven_zones_whose_processes_are_killed_reaches_everybody_awake_once(tmp_path: Path) -> None:
    found = killed_campaign(tmp_path, recipients=42, kills=(1, 0, 0), lag=0.3, hours=(12, 24, 44))
    assert (found.doubled, found.missing, found.asleep, found.again, found.unwanted) == (0, 0, 0, 0, 0)
    assert (found.state, found.kills.total()) == ("partly-failed", 1)  # for those who have opted out
