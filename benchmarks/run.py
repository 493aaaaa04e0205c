"""Measures this package against the official SDK, side by side in one run: `make bench`.

Rounds alternate, so that a noisy neighbour hits both; what counts is the ratio, and its spread over the rounds. The
results go to standard output and into `docs/explanation/performance.md`, with a chart. Nothing leaves the loopback
interface.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import aiohttp
from loopback import ACCOUNT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sdk import SMS, asynchronous, synchronous

from twilio_component.host import BlockingHost, Host
from twilio_component.host.http.messages import Response

ROOT = Path(__file__).parent.parent
ROUNDS = 7
# What a wheel holds.
SHIPPED = ("twilio_component", "component.yaml", "schemas", "fixtures/payloads")
warnings.simplefilter("ignore")


@dataclass
class Row:
    """One comparison: rates (or costs) of ours and of theirs, round by round."""

    name: str
    unit: str
    ours: list[float]
    theirs: list[float]
    target: str = ""
    less_is_better: bool = False

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.ours, self.theirs, strict=True)
        return [theirs / ours if self.less_is_better else ours / theirs for ours, theirs in pairs]

    def line(self) -> str:
        """The row as a line of a Markdown table."""
        ratio = statistics.median(self.ratios)
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        median = [f"{statistics.median(values):,.4g}" for values in (self.ours, self.theirs)]
        return "| " + " | ".join([self.name, *median, self.unit, f"**{ratio:.2f}**", spread, self.target]) + " |"


async def rate(call: Callable[[], Awaitable[Any]], number: int, in_flight: int) -> float:
    """Calls a second with so many in flight."""
    calls = iter(range(number))

    async def worker() -> None:
        for _ in calls:
            await call()

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return number / (time.perf_counter() - start)


async def sends(url: str) -> list[Row]:
    """`sendSMS` through the host, default configuration, against `create_async`; and bare aiohttp as the limit."""
    inputs = {**ours_inputs(url), "to": SMS["to"], "from": SMS["from_"], "message": SMS["body"]}
    client, http = asynchronous(url)
    session = aiohttp.ClientSession()

    async def bare() -> None:
        async with session.post(f"{url}/x", data=b"To=%2B15558675310&From=%2B15017122661&Body=Hi") as answer:
            await answer.read()

    rows = []
    async with Host.discover() as host:
        calls = [
            lambda: host.invoke_action("twilio", "sendSMS", inputs),
            lambda: client.messages.create_async(**SMS),
            bare,
        ]
        for in_flight, number in ((1, 600), (10, 1_500), (100, 2_000)):
            for call in calls:
                await rate(call, 100, in_flight)
            rounds = [[await rate(call, number, in_flight) for call in calls] for _ in range(ROUNDS)]
            ours, theirs, limit = (list(values) for values in zip(*rounds, strict=True))
            target = "≥ 1.0" if in_flight != 10 else ""
            rows.append(Row(f"sendSMS, {in_flight} in flight, against `create_async`", "1/s", ours, theirs, target))
            rows.append(Row(f"the same against bare aiohttp calls, {in_flight} in flight", "1/s", ours, limit))
    await session.close()
    await http.close()
    return rows


def blocking_sends(url: str) -> list[Row]:
    """`BlockingHost` from threads against the synchronous client."""
    inputs = {**ours_inputs(url), "to": SMS["to"], "from": SMS["from_"], "message": SMS["body"]}
    client = synchronous(url)
    rows = []
    with BlockingHost.discover() as host:

        def run(call: Callable[[], Any], threads: int, number: int) -> float:
            with ThreadPoolExecutor(threads) as pool:
                start = time.perf_counter()
                for _ in pool.map(lambda _: call(), range(number)):
                    pass
                return number / (time.perf_counter() - start)

        def ours() -> Any:
            return host.invoke_action("twilio", "sendSMS", inputs)

        def theirs() -> Any:
            return client.messages.create(**SMS)

        for threads, number, target in ((1, 400, "≥ 1.2"), (16, 800, "≥ 2.0")):
            run(ours, threads, 50)
            run(theirs, threads, 50)
            pairs = [(run(ours, threads, number), run(theirs, threads, number)) for _ in range(ROUNDS)]
            mine, sdk = (list(values) for values in zip(*pairs, strict=True))
            name = f"sendSMS, blocking, {threads} thread{'s' if threads > 1 else ''}, against `create`"
            rows.append(Row(name, "1/s", mine, sdk, target))
    return rows


async def host_cost() -> float:
    """Microseconds of an invocation without HTTP: host, inputs, hooks, client, payload."""
    from loopback import CREATED

    class Nothing:
        async def send(self, _request: Any) -> Response:
            return Response(201, {}, CREATED.partition(b"\r\n\r\n")[2])

        async def aclose(self) -> None:
            return

    inputs = {**ours_inputs(None), "to": SMS["to"], "from": SMS["from_"], "message": SMS["body"]}
    async with Host.discover() as host:
        vars(host._resources)["transport"] = Nothing()
        rates = [await rate(lambda: host.invoke_action("twilio", "sendSMS", inputs), 3_000, 1) for _ in range(ROUNDS)]
    return 1e6 / statistics.median(rates)


def listings(url: str, kind: str, targets: tuple[str, str]) -> list[Row]:
    """100,000 messages as a `list` or a `stream`: seconds, and growth of the process."""
    measured: dict[str, list[list[float]]] = {"ours": [], "sdk": []}
    for _ in range(ROUNDS):
        for who, rounds in measured.items():
            said = program("listing.py", who, kind, url)
            rounds.append([float(value) for value in said.split()])
    (ours_s, ours_mb), (sdk_s, sdk_mb) = (list(zip(*pairs, strict=True)) for pairs in measured.values())
    name = f"listMessages, 100,000 messages, against `{kind}()`"
    return [
        Row(f"{name}: time", "s", [*ours_s], [*sdk_s], targets[0], less_is_better=True),
        Row(f"{name}: growth of memory", "MB", [*ours_mb], [*sdk_mb], targets[1], less_is_better=True),
    ]


async def late_answers(url: str, latency: float) -> Row:
    """100 in flight against a server that takes its time, and what would be ideal: nothing but waiting."""
    inputs = {**ours_inputs(url), "to": SMS["to"], "from": SMS["from_"], "message": SMS["body"]}
    ends: list[float] = []
    async with Host.discover() as host:

        async def call() -> None:
            await host.invoke_action("twilio", "sendSMS", inputs)
            ends.append(time.perf_counter())

        await rate(call, (ROUNDS + 1) * 5_000, 100)
    # All of them begin at the same moment, and take a while to spread: the first 5,000 do not count.
    rounds = [ends[5_000 * number - 1 : 5_000 * (number + 1)] for number in range(1, ROUNDS + 1)]
    rates = [5_000 / (found[-1] - found[0]) for found in rounds]
    name = f"sendSMS, 100 in flight, response after {latency * 1e3:.0f} ms, against the ideal"
    return Row(name, "1/s", rates, [100 / latency] * ROUNDS, "≥ 0.95")


def installed() -> Row:
    """Megabytes on disk of what an installation brings, without the compiled files, which not every installer makes."""
    ours, theirs = ([megabytes(name)] for name in ("twilio-component", "twilio"))
    return Row("installed with dependencies, no extras", "MB", ours, theirs, "≥ 2.0", less_is_better=True)


def megabytes(name: str) -> float:
    """What a distribution and all that it requires take on disk, as far as they are installed here."""
    seen: set[str] = set()
    waiting = [name]
    total = 0
    while waiting:
        one = canonicalize_name(waiting.pop())
        if one in seen:
            continue
        seen.add(one)
        found = distribution(one)
        required = [Requirement(text) for text in found.requires or ()]
        waiting += [item.name for item in required if not item.marker or item.marker.evaluate({"extra": ""})]
        # This checkout is not copied when it is installed: what a wheel would copy counts.
        own = [file for part in SHIPPED for file in (ROOT / part, *(ROOT / part).rglob("*"))]
        files = own if one == "twilio-component" else [Path(str(file.locate())) for file in found.files or ()]
        total += sum(file.stat().st_size for file in files if file.is_file() and file.suffix != ".pyc")
    return total / 1e6


def program(name: str, *arguments: str) -> str:
    """What a program of this folder prints."""
    script = [sys.executable, str(ROOT / "benchmarks" / name), *arguments]
    return subprocess.run(script, check=True, capture_output=True, text=True).stdout


def verifications() -> Row:
    """A webhook's signature verified, from its raw body, against the SDK's validator with its parameters parsed."""
    from urllib.parse import parse_qsl, urlencode

    from twilio.request_validator import RequestValidator

    from twilio_component.twilio.signatures.verification import sign, verify

    pairs = [(f"Parameter{number}", f"value {number}") for number in range(20)]
    url, token, body = "https://example.com/sms?flow=1", "token", urlencode(pairs).encode()
    signature = sign(token, url, pairs)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    validator = RequestValidator(token)

    def times(call: Callable[[], Any]) -> float:
        start = time.perf_counter()
        for _ in range(2_000):
            call()
        return 2_000 / (time.perf_counter() - start)

    def theirs() -> None:
        assert validator.validate(url, dict(parse_qsl(body.decode(), keep_blank_values=True)), signature)

    rounds = [(times(lambda: verify(url, headers, body, auth_tokens=token)), times(theirs)) for _ in range(ROUNDS)]
    ours, sdk = (list(values) for values in zip(*rounds, strict=True))
    return Row("a webhook verified, against `RequestValidator`", "1/s", ours, sdk, "≥ 1.5")


def cold_starts(url: str) -> list[Row]:
    """Processes from start to end, the time of a bare Python taken off."""
    send_ours = (
        "import asyncio\nfrom twilio_component.host import Host\n"
        f"inputs = { ({**ours_inputs(url), 'to': SMS['to'], 'from': SMS['from_'], 'message': SMS['body']})!r}\n"
        "async def main():\n"
        "    async with Host.discover() as host:\n"
        "        await host.invoke_action('twilio', 'sendSMS', inputs)\n"
        "asyncio.run(main())"
    )
    send_sdk = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\n"
        f"from sdk import SMS, synchronous\nsynchronous({url!r}).messages.create(**SMS)"
    )
    describe = "from twilio_component.cli.main import main; main(['describe'])"
    pairs = [
        (
            "`import twilio_component`, against `import twilio.rest`",
            "import twilio_component",
            "import twilio.rest",
            "≥ 6.7",
        ),
        ("`describe`, against `import twilio.rest`", describe, "import twilio.rest", "≥ 1.25"),
        ("one sendSMS from start to result", send_ours, send_sdk, "≥ 0.5"),
    ]
    rows = []
    for name, ours, theirs, target in pairs:
        rounds = []
        for _ in range(ROUNDS):
            bare, mine, sdk = (process(code) for code in ("pass", ours, theirs))
            rounds.append((max(mine - bare, 1e-4) * 1e3, (sdk - bare) * 1e3))
        mine_ms, sdk_ms = (list(values) for values in zip(*rounds, strict=True))
        rows.append(Row(name, "ms", mine_ms, sdk_ms, target, less_is_better=True))
    return rows


def process(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ours_inputs(url: str | None) -> dict[str, Any]:
    fields = {"username": ACCOUNT, "password": "token", **({"baseUrl": url} if url else {})}
    return {"twilioConnection": {"key": "basic", "fields": fields}}


@contextmanager
def served(*arguments: str) -> Any:
    script = [sys.executable, str(ROOT / "benchmarks/loopback.py"), *arguments]
    server = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.kill()
        server.wait()


def chart(rows: list[Row], file: Path) -> None:
    """The ratios as bars, one is even."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "twilio-component"
    import matplotlib.pyplot as plt

    names = [re.sub("`", "", row.name) for row in rows][::-1]
    figure, axes = plt.subplots(figsize=(9, 0.45 * len(rows) + 1))
    axes.barh(names, [statistics.median(row.ratios) for row in rows][::-1], color="#c8102e")
    axes.axvline(1, color="#444", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times as fast, or as small, as the official SDK (logarithmic)")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def publish(lines: list[str], start: str, end: str) -> None:
    """Print what was measured, and put it between two marks of the page."""
    measured = "\n".join(lines)
    print(measured)
    page = ROOT / "docs/explanation/performance.md"
    before, begun, rest = page.read_text(encoding="utf-8").partition(start)
    _, ended, after = rest.partition(end)
    assert begun, f"{page} has lost its mark {start}"
    assert ended, f"{page} has lost its mark {end}"
    page.write_text(f"{before}{start}\n{measured}\n{end}{after}", encoding="utf-8")


def main() -> None:
    with served() as url:
        rows = [
            *asyncio.run(sends(url)),
            *blocking_sends(url),
            *listings(url, "list", ("≥ 2.0", "≥ 1.33")),
            *listings(url, "stream", ("≥ 1.0", "")),
            verifications(),
            *cold_starts(url),
            installed(),
        ]
        leaks = program("leaks.py", url)
    with served("0.1") as url:
        rows.insert(6, asyncio.run(late_answers(url, 0.1)))
    cost = asyncio.run(host_cost())
    lines = ["| what | ours | theirs | | ratio | spread | to land |", "|---|---:|---:|---|---|---|---|"]
    lines += [row.line() for row in rows]
    lines += ["", f"The host's own cost of an invocation, everything but HTTP: {cost:.0f} µs (at most 150, goal 80)."]
    lines += ["", "A hundred thousand invocations, 100 in flight:", "", "```text", leaks.strip(), "```"]
    publish(lines, "<!-- measured -->", "<!-- end -->")
    chart(
        [row for row in rows if "bare aiohttp" not in row.name and "ideal" not in row.name],
        ROOT / "docs/explanation/performance.svg",
    )


if __name__ == "__main__":
    main()
