"""A batch of derivations gets the verdicts that each of them gets alone, and takes nobody else's turn."""

import asyncio
import gc
import http.client
import json
import os
import signal
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mathderive.checker.supervision import CheckRequest
from mathderive.serving.check_batches import MAX_WAITING, CheckBatches
from mathderive.serving.checks import LONGEST_WAIT, MAX_QUICK, MAX_SLOW, Checks
from mathderive.serving.derivations import MAX_BATCH, Checked, CheckedBatch, Derivation, DerivationBatch
from mathderive.serving.protocol import ErrorBody, Refusal
from tests.serving.test_checks import PROMPT, SLOW, Client
from tests.support.served import Served

DERIVATIVE = r"Given f{(x)} = x^{2}, then obtain \frac{d}{d x} f{(x)} = 2 x"
RIGHT = r"f{(x)} = x^{2} and \frac{d}{d x} f{(x)} = \frac{d}{d x} x^{2} and \frac{d}{d x} f{(x)} = 2 x"
MIXED: list[dict[str, str]] = [
    {"prompt": DERIVATIVE, "derivation": RIGHT},
    {"prompt": "Prove it.", "derivation": RIGHT},
    {"prompt": DERIVATIVE, "derivation": RIGHT.replace("= 2 x", "= 3 x")},
    {"prompt": DERIVATIVE, "derivation": RIGHT, "rules": "paper"},
    {"prompt": DERIVATIVE, "derivation": ""},
    {"prompt": PROMPT, "derivation": "x = 1"},
]
SLOW_ITEM = Derivation(prompt=PROMPT, derivation=" and ".join(SLOW.split(" and ")[:40]))
QUICK_ITEM = Derivation(prompt=PROMPT, derivation="x = 1")


def post(served: Served, path: str, body: Any) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(served.url).netloc, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {**served.headers, "Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_batch_has_the_answers_of_single_checks_in_its_order(served: Served) -> None:
    items = MIXED * (MAX_BATCH // len(MIXED))
    status, answer = post(served, "/check/batch", {"derivations": items})
    alone = [post(served, "/check", item) for item in MIXED]
    assert status == 200
    assert [one_status for one_status, _ in alone] == [200, 400, 200, 200, 200, 200]
    assert answer == {"results": [body for _, body in alone] * (MAX_BATCH // len(MIXED))}
    assert [result.get("verified") for result in answer["results"][:3]] == [True, None, False]
    assert answer["results"][1]["error"]["param"] == "prompt"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"derivations": []}, "derivations"),
        ({"derivations": MIXED[:1] * (MAX_BATCH + 1)}, "derivations"),
        ({"derivations": MIXED[:1], "rules": "paper"}, "rules"),
        ({"derivations": [MIXED[0], {**MIXED[0], "seed": 1}]}, "derivations.1.seed"),
        ({"derivations": [{**MIXED[0], "rules": "own"}]}, "derivations.0.rules"),
        ({"derivations": [{"prompt": DERIVATIVE, "derivation": "x" * 20_001}]}, "derivations.0.derivation"),
        ({"derivations": [{"prompt": "x" * 10_001, "derivation": "x = 1"}]}, "derivations.0.prompt"),
        ({"derivations": [{"derivation": "x = 1"}]}, "derivations.0.prompt"),
        ({"derivations": {}}, "derivations"),
        ({}, "derivations"),
        ([], None),
    ],
)
def test_a_body_out_of_bounds_is_refused_whole(served: Served, body: Any, named: str | None) -> None:
    status, answer = post(served, "/check/batch", body)
    assert status == 400
    assert answer["error"]["param"] == named


Run = Callable[[Checks, CheckBatches], Awaitable[None]]


def with_batches(run: Run, processes: int = 2) -> None:
    async def run_all() -> None:
        checks = Checks(processes)
        async with checks.running():
            await run(checks, CheckBatches(checks))

    asyncio.run(run_all())


def begin(
    batches: CheckBatches, items: list[Derivation], client: Client | None = None
) -> "asyncio.Task[CheckedBatch | int]":
    """Sends a batch; the result is its answer, or the status with which it is refused."""
    request: Any = client or Client()

    async def send() -> CheckedBatch | int:
        try:
            return await batches.check(DerivationBatch(derivations=items), request)
        except Refusal as refusal:
            assert refusal.status != 429 or int(refusal.headers["Retry-After"]) > 0
            return refusal.status

    return asyncio.create_task(send())


def truths(answer: CheckedBatch | int) -> list[str]:
    """The verdict on the first equation of each derivation."""
    assert isinstance(answer, CheckedBatch)
    return [result.steps[0].truth if isinstance(result, Checked) else "error" for result in answer.results]


@pytest.mark.slow
def test_a_batch_beyond_the_queue_is_refused_and_hanging_up_frees_the_places(caplog: pytest.LogCaptureFixture) -> None:
    async def run(_: Checks, batches: CheckBatches) -> None:
        clients = [Client() for _ in range(MAX_WAITING // MAX_BATCH)]
        waiting = [begin(batches, [SLOW_ITEM] * MAX_BATCH, client) for client in clients]
        await asyncio.sleep(0.3)
        assert await begin(batches, [QUICK_ITEM]) == 429
        assert not any(one.done() for one in waiting)
        for client in clients:
            client.hang_up()
        assert set(await asyncio.gather(*waiting)) == {499}
        assert batches.waiting == 0
        started = time.monotonic()
        assert truths(await begin(batches, [QUICK_ITEM] * MAX_BATCH)) == ["incorrect"] * MAX_BATCH
        assert time.monotonic() - started < 20  # the slow checks would take 25 minutes

    with_batches(run)
    gc.collect()  # a future with an error that nobody has seen is logged when it is collected
    assert not caplog.records


def test_places_are_free_again_as_soon_as_a_derivation_has_its_verdict() -> None:
    async def run(_: Checks, batches: CheckBatches) -> None:
        waiting = [begin(batches, [QUICK_ITEM] * MAX_BATCH) for _ in range(MAX_WAITING // MAX_BATCH)]
        await asyncio.sleep(0)
        assert await begin(batches, [QUICK_ITEM]) == 429
        while batches.waiting == MAX_WAITING:
            await asyncio.sleep(0.01)
        assert not all(one.done() for one in waiting)
        assert truths(await begin(batches, [QUICK_ITEM])) == ["incorrect"]
        # They came first; the other process may still check the last derivation.
        assert all(one.done() for one in waiting[:-1])
        assert all(truths(one) == ["incorrect"] * MAX_BATCH for one in await asyncio.gather(*waiting))

    with_batches(run)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_a_batch_of_slow_derivations_holds_up_no_single_check(processes: int) -> None:
    async def run(checks: Checks, batches: CheckBatches) -> None:
        client, request = Client(), Client()
        slow = begin(batches, [SLOW_ITEM] * MAX_BATCH, client)
        for _ in range(6):
            await asyncio.sleep(0.5)
            started = time.monotonic()
            validity = await checks.check(CheckRequest(PROMPT, "x = 1"), request)  # type: ignore[arg-type]
            assert validity.steps[0].truth == "incorrect"
            assert time.monotonic() - started < LONGEST_WAIT
        client.hang_up()
        assert await slow == 499

    with_batches(run, processes)


@pytest.mark.slow
def test_a_slow_single_check_has_its_turn_beside_batches() -> None:
    async def run(checks: Checks, batches: CheckBatches) -> None:
        client, request = Client(), Client()
        slow = [begin(batches, [SLOW_ITEM] * MAX_BATCH, client) for _ in range(3)]
        await asyncio.sleep(0.5)
        validity = await checks.check(CheckRequest(PROMPT, SLOW), request)  # type: ignore[arg-type]
        assert validity.steps
        client.hang_up()
        await asyncio.gather(*slow)

    with_batches(run)


def test_many_single_checks_do_not_hold_up_a_batch() -> None:
    """The derivations of a batch take turns with them: four have their verdicts beside about as many single ones."""

    async def run(checks: Checks, batches: CheckBatches) -> None:
        asked = CheckRequest(QUICK_ITEM.prompt, QUICK_ITEM.derivation)
        singles = [
            asyncio.create_task(checks.check(asked, Client()))  # type: ignore[arg-type]
            for _ in range(MAX_QUICK - 4)
        ]
        await asyncio.sleep(0)  # all of them wait in the lane
        assert truths(await begin(batches, [QUICK_ITEM] * 4)) == ["incorrect"] * 4
        assert sum(single.done() for single in singles) < len(singles) / 2
        await asyncio.gather(*singles)

    with_batches(run)


@pytest.mark.slow
def test_a_batch_waits_where_the_lanes_are_full() -> None:
    async def run(checks: Checks, batches: CheckBatches) -> None:
        first = SLOW[: SLOW.index(" and ")]  # short, and too much for the quick lane
        items = [SLOW_ITEM, Derivation(prompt=PROMPT, derivation=first), QUICK_ITEM]
        client = Client()
        crowd: list[asyncio.Task[Any]] = [
            asyncio.create_task(checks.check(CheckRequest(PROMPT, SLOW), client))  # type: ignore[arg-type]
            for _ in range(MAX_SLOW + 2)
        ]
        await asyncio.sleep(0.3)
        answer = await begin(batches, items)
        assert truths(answer)[1:] == ["valid", "incorrect"]
        assert truths(answer)[0] in ("valid", "undecided")
        client.hang_up()
        await asyncio.gather(*crowd, return_exceptions=True)

    with_batches(run)


def test_the_failure_of_one_check_spoils_no_other() -> None:
    async def run(_: Checks, batches: CheckBatches) -> None:
        answer = begin(batches, [QUICK_ITEM, SLOW_ITEM, QUICK_ITEM])
        before = {process: _ticks(process) for process in _descendants(os.getpid())}
        await asyncio.sleep(1)
        os.kill(max(before, key=lambda process: _ticks(process) - before[process]), signal.SIGKILL)
        first, second, third = (await answer).results  # type: ignore[union-attr]
        assert isinstance(first, Checked)
        assert isinstance(second, ErrorBody)
        assert second.error.type == "server_error"
        assert first == third

    with_batches(run)


def processes_at_work(seconds: float) -> int:
    """Counts the descendants of this process that use CPU time meanwhile."""
    before = {process: _ticks(process) for process in _descendants(os.getpid())}
    time.sleep(seconds)
    return sum(_ticks(process) - ticks > 5 for process, ticks in before.items())


def _descendants(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _ticks(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # it has ended
    return int(fields[11]) + int(fields[12])


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "slow_ones"), [(2, 1), (3, 1), (6, 3)])
def test_several_processes_check_at_once(processes: int, slow_ones: int) -> None:
    async def run(checks: Checks, batches: CheckBatches) -> None:
        client = Client()
        slow = begin(batches, [SLOW_ITEM] * MAX_BATCH, client)
        await asyncio.sleep(0.3)
        seen = [await asyncio.to_thread(processes_at_work, 1.0) for _ in range(4)]
        assert max(seen) == slow_ones
        client.hang_up()
        assert await slow == 499

    with_batches(run, processes)
