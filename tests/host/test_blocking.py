"""The host for synchronous callers: threads, interruptions, forks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from twilio_component.emulator import Emulator
from twilio_component.host import BlockingHost, Context, Host
from twilio_component.host.errors import HostStateError, InputError
from twilio_component.testing import emulator_connection

MakePlugin = Callable[..., object]


SMS = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "+15017122661", "message": "x"}


def test_the_three_invocations_block_and_return(toy: MakePlugin) -> None:
    with BlockingHost(lambda: Host([toy()])) as host:
        assert host.invoke_action("toy", "echo", {"number": 1}) == {"data": {"number": 1}}
        assert host.invoke_trigger("toy", "receive", {}) == {"payload": {"got": {}, "with": {}}}
        assert host.invoke_data_source("toy", "offer") == {"result": [{"label": "One", "key": "1"}]}
        assert [*host.components] == ["toy"]


def test_many_threads_share_one_host_and_one_loop(toy: MakePlugin) -> None:
    loops: set[int] = set()

    async def note(_context: Context, inputs: dict[str, Any]) -> Any:
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return inputs["number"]

    with BlockingHost(lambda: Host([toy(perform=note)])) as host, ThreadPoolExecutor(16) as pool:
        results = [*pool.map(lambda n: host.invoke_action("toy", "echo", {"number": n})["data"], range(200))]

    assert results == [*range(200)]
    assert len(loops) == 1


def test_errors_come_out_where_the_call_was_made(toy: MakePlugin) -> None:
    with BlockingHost(lambda: Host([toy()])) as host, pytest.raises(InputError, match="number"):
        host.invoke_action("toy", "echo", {"number": "x"})


def test_it_finds_the_installed_components_and_sends() -> None:
    emulator = Emulator()
    with BlockingHost.discover(transport=emulator.transport) as host:
        host.invoke_action("twilio", "sendSMS", SMS)
    assert len(emulator.messages) == 1


def test_a_closed_host_says_so(toy: MakePlugin) -> None:
    with BlockingHost(lambda: Host([toy()])) as host:
        pass
    with pytest.raises(HostStateError, match="closed"):
        host.invoke_action("toy", "echo")


def test_a_host_that_cannot_be_made_leaves_no_thread_behind() -> None:
    def broken() -> Host:
        raise InputError("no", [])

    before = threading.active_count()
    with pytest.raises(InputError):
        BlockingHost(broken).__enter__()
    assert threading.active_count() == before


def test_an_interrupted_call_is_cancelled_not_left_running(toy: MakePlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = threading.Event()

    async def slow(_context: Context, _inputs: dict[str, Any]) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with BlockingHost(lambda: Host([toy(perform=slow)])) as host:
        real = asyncio.run_coroutine_threadsafe

        def interrupted(coroutine: Any, loop: Any) -> Any:
            future = real(coroutine, loop)
            if coroutine.__qualname__ == "Host.invoke_action":
                future.result = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt())  # type: ignore[method-assign]
            return future

        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            host.invoke_action("toy", "echo")
        assert cancelled.wait(5)
        monkeypatch.undo()


def test_what_still_runs_is_cancelled_when_it_closes(toy: MakePlugin) -> None:
    started, ended = threading.Event(), threading.Event()

    async def slow(_context: Context, _inputs: dict[str, Any]) -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    def call(host: BlockingHost) -> None:
        with pytest.raises(BaseException):  # noqa: B017, PT011 - whichever way a cancelled call ends
            host.invoke_action("toy", "echo")

    with BlockingHost(lambda: Host([toy(perform=slow)])) as host:
        thread = threading.Thread(target=call, args=(host,))
        thread.start()
        assert started.wait(5)
    thread.join(5)
    assert ended.is_set()
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_child_has_connections_of_its_own_and_the_parents_are_left_alone() -> None:
    with Emulator().serve_in_thread() as server:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        inputs = {**SMS, "twilioConnection": connection}
        with BlockingHost.discover() as host:
            host.invoke_action("twilio", "sendSMS", inputs)
            child = os.fork()
            if child == 0:
                # Whatever happens here, the test runner's copy in this process must not go on.
                try:
                    sent = host.invoke_action("twilio", "sendSMS", inputs)["data"]["status"] == "queued"
                    host.__exit__(None, None, None)
                    os._exit(0 if sent else 1)
                finally:
                    os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            host.invoke_action("twilio", "sendSMS", inputs)
            listed = host.invoke_action("twilio", "listMessages", {"twilioConnection": connection})
    assert len(listed["data"]) == 3
