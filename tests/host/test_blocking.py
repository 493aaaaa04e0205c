"""The host for synchronous callers: threads, interruption, forks, closing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.waiting import until

from twilio_component.emulator import Emulator
from twilio_component.host import BlockingHost, Context, Host
from twilio_component.host.errors import HostStateError, InputError
from twilio_component.testing import emulator_connection
from twilio_component.twilio.errors import OutcomeUnknownError

MakePlugin = Callable[..., object]


class TimeLimitError(Exception):
    """As Celery raises one in the main thread of a worker whose task takes too long."""


def test_the_three_kinds_of_operations_run_blocking(toy: MakePlugin) -> None:
    with BlockingHost(lambda: Host([toy()])) as host:
        assert list(host.components) == ["toy"]
        assert host.invoke_action("toy", "echo", {"number": "1"}) == {"data": {"number": 1}}
        assert host.invoke_trigger("toy", "receive", {"a": 1}) == {"payload": {"got": {"a": 1}, "with": {}}}
        assert host.invoke_data_source("toy", "offer")["result"][0]["key"] == "1"
        with pytest.raises(InputError):
            host.invoke_action("toy", "echo", {"number": "x"})


def test_discovery_takes_the_hosts_options() -> None:
    with BlockingHost.discover(transport=Emulator().transport) as host:
        inputs = {
            "twilioConnection": emulator_connection(),
            "to": "+15558675310",
            "from": "+15017122661",
            "message": "Hi",
        }
        assert host.invoke_action("twilio", "sendSMS", inputs)["data"]["body"] == "Hi"


def test_several_threads_share_one_host_and_one_loop(toy: MakePlugin) -> None:
    loops: set[int] = set()
    together = threading.Barrier(8, timeout=10)

    async def perform(_context: Context, inputs: dict[str, Any]) -> int:
        loops.add(id(asyncio.get_running_loop()))
        return inputs["number"]  # type: ignore[no-any-return]

    with BlockingHost(lambda: Host([toy(perform=perform)])) as host, ThreadPoolExecutor(8) as pool:

        def call(number: int) -> Any:
            together.wait()
            return host.invoke_action("toy", "echo", {"number": number})["data"]

        assert list(pool.map(call, range(64))) == list(range(64))
    assert len(loops) == 1


def test_a_host_that_is_never_opened_opens_itself_and_a_closed_one_is_refused(toy: MakePlugin) -> None:
    host = BlockingHost(lambda: Host([toy()]))
    assert host.invoke_action("toy", "echo") == {"data": {}}
    with host:
        pass
    with pytest.raises(HostStateError, match="this host is closed"):
        host.invoke_action("toy", "echo")
    with pytest.raises(HostStateError, match="this host is closed"):
        host.__enter__()
    host.__exit__(None, None, None)
    assert not [thread for thread in threading.enumerate() if thread.name == "twilio-component host"]


def test_a_component_that_calls_the_host_that_runs_it_is_refused_and_does_not_wait_for_itself(toy: MakePlugin) -> None:
    with BlockingHost(lambda: Host([toy()])) as host:

        async def call_again(_: Host) -> dict[str, Any]:
            return host.invoke_action("toy", "echo", {"number": "1"})

        async def close(_: Host) -> None:
            host.close()

        for start in (call_again, close):
            with pytest.raises(HostStateError, match="it would wait for ever"):
                host.run(start)
        assert host.invoke_action("toy", "echo", {"number": "1"}) == {"data": {"number": 1}}


def test_a_host_that_was_never_used_closes_without_having_started_anything(toy: MakePlugin) -> None:
    host = BlockingHost(lambda: Host([toy()]))
    host.__exit__(None, None, None)
    with pytest.raises(HostStateError):
        _ = host.components


class Waiting:
    """A perform function that waits to be ended, and says how it was."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self, _context: Context, _inputs: dict[str, Any]) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def test_closing_cancels_what_other_threads_wait_for(toy: MakePlugin) -> None:
    waiting = Waiting()
    with ThreadPoolExecutor(1) as pool:
        with BlockingHost(lambda: Host([toy(perform=waiting)])) as host:
            future = pool.submit(host.invoke_action, "toy", "echo")
            assert waiting.started.wait(10)
        with pytest.raises(HostStateError, match="this host was closed while the call was in progress"):
            future.result(10)
    assert waiting.cancelled.is_set()


def test_a_request_ends_after_the_hosts_time_limit_and_closing_ends_those_of_a_thread_pool_at_once() -> None:
    """Open the pool before the host: Ctrl-C then closes the host first, and the pool need not wait for its threads."""
    inputs = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "+15017122661", "message": "x"}
    written = threading.Event()

    async def never(_: httpx.Request) -> httpx.Response:
        written.set()
        await asyncio.Event().wait()
        raise AssertionError

    transport = httpx.MockTransport(never)
    with (
        BlockingHost.discover(transport=transport, request_seconds=0.05) as host,
        pytest.raises(OutcomeUnknownError, match=r"no complete response within 0\.05 s"),
    ):
        host.invoke_action("twilio", "sendSMS", inputs)
    written.clear()

    def press_ctrl_c() -> None:
        with ThreadPoolExecutor(1) as pool, BlockingHost.discover(transport=transport) as host:
            calls.append(pool.submit(host.invoke_action, "twilio", "sendSMS", inputs))
            assert written.wait(10)
            raise KeyboardInterrupt

    calls: list[Future[Any]] = []
    with pytest.raises(KeyboardInterrupt):
        press_ctrl_c()
    assert isinstance(calls[0].exception(0), OutcomeUnknownError)
    with pytest.raises(ValueError, match="request_seconds must be a positive number"):
        Host.discover(request_seconds=0)


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises ``KeyboardInterrupt``, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_while_waiting_cancels_the_call_in_the_background(toy: MakePlugin) -> None:
    waiting, main = Waiting(), threading.get_ident()

    def interrupt() -> None:
        waiting.started.wait(10)
        until(lambda: sys._current_frames()[main].f_code.co_filename == threading.__file__, "the main thread waits")
        signal.pthread_kill(main, signal.SIGINT)

    with BlockingHost(lambda: Host([toy(perform=waiting)])) as host:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            host.invoke_action("toy", "echo")
        thread.join()
        assert waiting.cancelled.wait(10)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, TimeLimitError])
def test_an_interrupted_send_says_that_the_message_may_have_been_sent(
    interruption: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """A worker's time limit is an exception that a signal raises, as Ctrl-C is."""
    main, started = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        started.wait(10)
        until(lambda: sys._current_frames()[main].f_code.co_filename == threading.__file__, "the main thread waits")
        signal.pthread_kill(main, signal.SIGINT)

    def limit(*_: object) -> None:
        raise interruption

    signal.signal(signal.SIGINT, limit)

    async def never(_: httpx.Request) -> httpx.Response:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    thread = threading.Thread(target=interrupt)
    thread.start()
    inputs = {"twilioConnection": emulator_connection(), "to": "+15558675310", "from": "+15017122661", "message": "x"}
    with (
        BlockingHost.discover(transport=httpx.MockTransport(never)) as host,
        pytest.raises(interruption) as raised,
    ):
        host.invoke_action("twilio", "sendSMS", inputs)
    thread.join()
    assert ["may have been sent" in note for note in raised.value.__notes__] == [True]
    assert [record.name for record in caplog.records] == ["twilio_component.twilio.client"]


def test_calls_while_another_thread_closes_end_one_way_or_the_other(toy: MakePlugin) -> None:
    for _ in range(20):
        host = BlockingHost(lambda: Host([toy()]))
        host.__enter__()
        outcomes: list[str] = []

        def call(host: BlockingHost = host, outcomes: list[str] = outcomes) -> None:
            try:
                while True:
                    host.invoke_action("toy", "echo")
            except HostStateError as error:
                outcomes.append(str(error))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        host.__exit__(None, None, None)
        for thread in threads:
            thread.join(10)
        assert len(outcomes) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")  # forking with threads is what is tested
def test_a_child_process_gets_a_loop_and_a_transport_of_its_own(toy: MakePlugin) -> None:
    async def perform(context: Context, _inputs: dict[str, Any]) -> list[int]:
        resource = context.resources.get_or_create("resource", object)
        return [os.getpid(), id(asyncio.get_running_loop()), id(resource)]

    with BlockingHost(lambda: Host([toy(perform=perform)])) as host:
        before = host.invoke_action("toy", "echo")["data"]
        with host._lock:  # a thread of the parent holds it while the process is forked
            child = os.fork()
        if child == 0:
            code = 1
            try:
                first, second = (host.invoke_action("toy", "echo")["data"] for _ in range(2))
                own = first == second and first[0] == os.getpid() and first[1] != before[1] and first[2] != before[2]
                host.__exit__(None, None, None)
                code = 0 if own else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert host.invoke_action("toy", "echo")["data"] == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")  # forking with threads is what is tested
def test_a_child_that_closes_without_using_the_host_leaves_the_parents_alone(toy: MakePlugin) -> None:
    with BlockingHost(lambda: Host([toy()])) as host:
        child = os.fork()
        if child == 0:
            try:
                host.__exit__(None, None, None)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert host.invoke_action("toy", "echo") == {"data": {}}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_child_has_connections_of_its_own_and_the_parents_are_left_alone() -> None:
    with Emulator().serve_in_thread() as server:
        connection = emulator_connection()
        connection["fields"]["baseUrl"] = server.url
        inputs = {"twilioConnection": connection, "to": "+15558675310", "from": "+15017122661", "message": "x"}
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
