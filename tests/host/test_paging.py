"""Lists, page by page: the next page is fetched ahead, and nothing is left behind when the caller stops."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from twilio_component.host import Action, BlockingHost, Component, Context, Display, Host, Page, hookimpl
from twilio_component.host.errors import HostStateError, InputError, PluginError, UnknownKeyError
from twilio_component.host.pagination import collect_pages

PAGES = 4
INPUTS = {"type": "object", "additionalProperties": False, "properties": {"number": {"type": "integer"}}}


class Numbers:
    """A list of pages, ``[[0, 1], [2, 3], …]``, that notes what is asked of it and can be made to wait or to fail."""

    def __init__(self, failing: int | None = None) -> None:
        self.asked: list[str | None] = []
        self.cancelled: list[str | None] = []
        self.failing = failing
        self.held: dict[str | None, asyncio.Event] = {}

    async def page(self, _context: Context, inputs: dict[str, Any], after: str | None) -> Page:
        self.asked.append(after)
        try:
            await (self.held[after].wait() if after in self.held else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled.append(after)
            raise
        number = int(after or 0)
        if number == self.failing:
            raise LookupError(f"no page {number}")
        begin = inputs.get("number", 0) + 2 * number
        return Page([begin, begin + 1], str(number + 1) if number + 1 < PAGES else None)

    async def perform(self, _context: Context, _inputs: dict[str, Any]) -> list[int]:
        return [*range(2 * PAGES)]


class Offering:
    """A plugin that offers one component."""

    def __init__(self, component: Component) -> None:
        self.component = component

    @hookimpl
    def register_component(self) -> Component:
        return self.component


def plugin(numbers: Any, page: Any = None) -> object:
    shown = Display(label="Toy")
    actions = {
        "numbers": Action(
            key="numbers", display=shown, perform=numbers.perform, page=page or numbers.page, inputs=INPUTS
        ),
        "plain": Action(key="plain", display=shown, perform=numbers.perform, inputs=INPUTS),
    }
    return Offering(Component(key="toy", display=shown, actions=actions))


async def run(use: Callable[[Host], Any], numbers: Numbers | None = None, *others: object, page: Any = None) -> Any:
    tasks_before = asyncio.all_tasks()
    async with Host([plugin(numbers or Numbers(), page), *others]) as host:
        found = await use(host)
        assert not asyncio.all_tasks() - tasks_before
        return found


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_pages_come_in_order_with_the_cursor_of_the_next_one() -> None:
    async def use(host: Host) -> list[Page]:
        return [page async for page in host.list_pages("toy", "numbers", {"number": "10"})]

    assert await run(use) == [
        Page([10, 11], "1"),
        Page([12, 13], "2"),
        Page([14, 15], "3"),
        Page([16, 17], None),
    ]


async def test_a_cursor_continues_where_another_host_left_off() -> None:
    async def first(host: Host) -> Page:
        return await host.list_page("toy", "numbers")

    async def rest(host: Host) -> list[int]:
        return [number async for page in host.list_pages("toy", "numbers", after=begin.next) for number in page.items]

    begin = await run(first)
    assert begin == Page([0, 1], "1")
    assert await run(rest) == [2, 3, 4, 5, 6, 7]


async def test_the_action_still_gives_the_whole_list() -> None:
    assert await run(lambda host: host.invoke_action("toy", "numbers")) == {"data": [*range(2 * PAGES)]}


async def test_exactly_one_page_is_fetched_ahead_while_this_one_is_used() -> None:
    numbers = Numbers()

    async def use(host: Host) -> list[int]:
        seen = []
        async for _ in host.list_pages("toy", "numbers"):
            await settle()
            seen.append(len(numbers.asked))
        return seen

    assert await run(use, numbers) == [2, 3, 4, 4]
    assert numbers.asked == [None, "1", "2", "3"]


async def test_the_next_page_is_asked_for_before_a_caller_who_never_waits_is_busy() -> None:
    numbers = Numbers()

    async def use(host: Host) -> list[int]:
        return [len(numbers.asked) async for _ in host.list_pages("toy", "numbers")]

    assert await run(use, numbers) == [2, 3, 4, 4]


class Items(list[int]):
    """Items that can be seen to be gone."""


async def test_no_more_than_two_pages_are_alive_at_a_time() -> None:
    alive: list[weakref.ref[Items]] = []

    async def page(_context: Context, _inputs: dict[str, Any], after: str | None) -> Page:
        items = Items([1])
        alive.append(weakref.ref(items))
        number = int(after or 0) + 1
        return Page(items, str(number) if number < 50 else None, ready=True)

    async def use(host: Host) -> int:
        most = 0
        async for one in host.list_pages("toy", "numbers"):
            await settle()
            most = max(most, sum(ref() is not None for ref in alive))
            del one
        return most

    assert await run(use, page=page) == 2
    assert len(alive) == 50


@pytest.mark.parametrize("ready", [True, False])
async def test_items_are_looked_through_unless_they_are_said_to_be_json(*, ready: bool) -> None:
    async def page(_context: Context, _inputs: Mapping[str, Any], _after: str | None) -> Page:
        return Page([b"x"], ready=ready)

    async def use(host: Host) -> list[Any]:
        one = await host.list_page("toy", "numbers")
        everything = await collect_pages(page)(Context(), {})
        return [one.items, everything.ready]

    assert await run(use, page=page) == [[b"x"] if ready else [{"type": "Buffer", "data": [120]}], ready]


async def test_an_error_arises_in_the_place_of_its_page() -> None:
    async def use(host: Host) -> list[Any]:
        seen: list[Any] = []
        try:
            async for page in host.list_pages("toy", "numbers"):
                await settle()
                seen.append(page.items)
        except LookupError as error:
            seen.append(str(error))
        return seen

    assert await run(use, Numbers(failing=2)) == [[0, 1], [2, 3], "no page 2"]


async def test_a_caller_who_stops_early_does_not_see_the_error_of_a_page_that_nobody_wanted() -> None:
    complaints: list[Any] = []

    async def use(host: Host) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, complaint: complaints.append(complaint))
        async with aclosing(host.list_pages("toy", "numbers")) as pages:
            async for _ in pages:
                await settle()
                break
        gc.collect()

    await run(use, Numbers(failing=1))
    assert complaints == []


async def test_stopping_early_cancels_what_is_fetched_ahead_and_waits_for_it() -> None:
    numbers = Numbers()

    async def use(host: Host) -> None:
        numbers.held["1"] = asyncio.Event()
        async with aclosing(host.list_pages("toy", "numbers")) as pages:
            async for _ in pages:
                await settle()
                break
        assert numbers.cancelled == ["1"]

    await run(use, numbers)


async def test_a_plain_break_is_cleaned_up_by_the_loop() -> None:
    numbers = Numbers()

    async def use(host: Host) -> None:
        numbers.held["1"] = asyncio.Event()
        async for _ in host.list_pages("toy", "numbers"):
            await settle()
            break
        await settle()

    await run(use, numbers)
    assert numbers.cancelled == ["1"]


async def test_cancelling_the_caller_cancels_the_page_that_it_waits_for() -> None:
    numbers = Numbers()

    async def use(host: Host) -> None:
        numbers.held["1"] = asyncio.Event()
        reading = asyncio.create_task(read(host))
        await settle()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    async def read(host: Host) -> None:
        async for _ in host.list_pages("toy", "numbers"):
            pass

    await run(use, numbers)
    assert numbers.cancelled == ["1"]


async def test_a_host_that_closes_ends_what_is_fetched_and_tells_whoever_still_reads() -> None:
    numbers = Numbers()
    numbers.held["1"] = asyncio.Event()
    async with Host([plugin(numbers)]) as host:
        pages = host.list_pages("toy", "numbers")
        await anext(pages)
        await settle()
    assert numbers.cancelled == ["1"]
    with pytest.raises(HostStateError, match="closed while a list was being read"):
        await anext(pages)
    with pytest.raises(HostStateError, match="this host is closed"):
        host.list_pages("toy", "numbers")


async def test_what_is_wrong_is_said_before_the_first_page() -> None:
    async def use(host: Host) -> None:
        with pytest.raises(InputError, match=r"\$\.inputs\.number"):
            host.list_pages("toy", "numbers", {"number": "x"})
        with pytest.raises(UnknownKeyError, match="did you mean 'numbers'"):
            host.list_pages("toy", "number")
        with pytest.raises(PluginError, match=r"toy\.plain has no pages"):
            await host.list_page("toy", "plain")

    await run(use)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([1], "the page function of the action 'numbers' returned list; it must return a Page"),
        (Page([1], "1"), r"a page of toy\.numbers is followed by itself"),
        (Page({"a": 1}), "must be a list in 'data' and a cursor in 'next'"),  # type: ignore[arg-type]
        (Page([1], 5), "must be a list in 'data' and a cursor in 'next'"),  # type: ignore[arg-type]
    ],
)
async def test_a_page_function_that_gives_no_usable_page_is_told_so(answer: Any, words: str) -> None:
    async def page(_context: Context, _inputs: dict[str, Any], _after: str | None) -> Any:
        return answer

    async def use(host: Host) -> None:
        with pytest.raises(PluginError, match=words):
            await host.list_page("toy", "numbers", after="1")

    await run(use, page=page)


def test_a_page_function_that_does_not_resolve_keeps_the_component_out() -> None:
    with pytest.raises(PluginError, match="'json:no_such' does not name a function"):
        Host([plugin(Numbers(), "json:no_such")])


class Doubling:
    """A plugin around every action, which notes what it sees."""

    def __init__(self) -> None:
        self.seen: list[str | None] = []

    @hookimpl(wrapper=True)
    def perform_action(self, context: Context) -> Any:
        assert context.page is not None
        self.seen.append(context.page.after)
        inner = yield
        return self.doubled(inner)

    async def doubled(self, inner: Any) -> dict[str, Any]:
        result = await inner
        return {**result, "data": [2 * item for item in result["data"]]}


async def test_a_plugin_sees_every_page_as_a_call_of_its_own() -> None:
    doubling = Doubling()

    async def use(host: Host) -> list[list[int]]:
        return [page.items async for page in host.list_pages("toy", "numbers")]

    assert await run(use, Numbers(), doubling) == [[0, 2], [4, 6], [8, 10], [12, 14]]
    assert doubling.seen == [None, "1", "2", "3"]


class Pretending:
    """A plugin that answers with a whole list, and knows nothing of pages."""

    @hookimpl
    def perform_action(self) -> Any:
        async def answer() -> dict[str, Any]:
            return {"data": [7]}

        return answer()


async def test_an_answer_without_a_cursor_is_the_only_page() -> None:
    async def use(host: Host) -> list[Page]:
        return [page async for page in host.list_pages("toy", "numbers")]

    assert await run(use, Numbers(), Pretending()) == [Page([7], None)]


class TestBlocking:
    def test_pages_come_to_a_plain_loop(self) -> None:
        with BlockingHost(lambda: Host([plugin(Numbers())])) as host:
            assert next(iter(host.list_pages("toy", "numbers", {"number": 1}))).items == [1, 2]
            assert [page.next for page in host.list_pages("toy", "numbers", after="2")] == ["3", None]
            assert host.list_page("toy", "numbers", after="3") == Page([6, 7], None)

    def test_wrong_inputs_are_refused_before_the_first_page(self) -> None:
        with BlockingHost(lambda: Host([plugin(Numbers())])) as host, pytest.raises(InputError):
            host.list_pages("toy", "numbers", {"number": "x"})

    def test_leaving_the_loop_early_cancels_what_is_fetched_ahead(self) -> None:
        numbers = Numbers()

        async def nothing_under_way(host: Host) -> bool:
            await settle()
            return not host._reading

        with BlockingHost(lambda: Host([plugin(numbers)])) as host:
            for _ in host.list_pages("toy", "numbers"):
                break
            assert host.run(nothing_under_way)
        assert len(numbers.asked) < PAGES

    def test_a_host_closed_half_way_refuses_the_next_page(self) -> None:
        with BlockingHost(lambda: Host([plugin(Numbers())])) as host:
            pages = host.list_pages("toy", "numbers")
            next(pages)
        with pytest.raises(HostStateError, match="this host is closed"):
            next(pages)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    @pytest.mark.filterwarnings(
        "ignore:This process.*fork:DeprecationWarning"
    )  # forking with threads is what is tested
    def test_a_list_does_not_cross_a_fork(self) -> None:
        with BlockingHost(lambda: Host([plugin(Numbers())])) as host:
            pages = host.list_pages("toy", "numbers")
            next(pages)
            child = os.fork()
            if child == 0:
                try:
                    next(pages)
                except HostStateError as error:
                    os._exit(0 if "another process" in str(error) else 1)
                finally:
                    os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            assert next(pages).items == [2, 3]


async def numbered(pages: AsyncGenerator[Page, None]) -> list[int]:
    return [number async for page in pages for number in page.items]


async def test_two_listings_do_not_get_in_each_others_way() -> None:
    async def use(host: Host) -> list[list[int]]:
        listings = [host.list_pages("toy", "numbers", {"number": start}) for start in (0, 100)]
        return await asyncio.gather(*map(numbered, listings))

    assert await run(use) == [[*range(8)], [*range(100, 108)]]
