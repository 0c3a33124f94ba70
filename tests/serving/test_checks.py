"""A slow check delays no other client for long, and a client that hangs up frees its place."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from mathderive.checker.supervision import CheckRequest, SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.core.workers import WorkerProcess
from mathderive.serving.check_processes import CheckProcess
from mathderive.serving.checks import LONGEST_WAIT, MAX_QUICK, MAX_SLOW, SHARE_SECONDS, Checks
from mathderive.serving.children import CHILDREN
from mathderive.serving.protocol import Refusal

PROMPT = "Given f{(x)} = x^{2}, then obtain x = 1"
SLOW = " and ".join(
    " + ".join(rf"\frac{{d^{{9}}}}{{d x^{{9}}}} \sin^{{2}}{{({k + i} x + y)}} e^{{{i} x}}" for i in range(4))
    + " = "
    + " + ".join(rf"\frac{{d^{{9}}}}{{d x^{{9}}}} (1 - \cos^{{2}}{{({k + i} x + y)}}) e^{{{i} x}}" for i in range(4))
    for k in range(2, 62)
)
"""Sixty true equations, each of which takes the checker a fifth of a second."""

LONG = " and ".join(rf"\frac{{d}}{{d x}} \sin{{({k} x)}} = {k} \cos{{({k} x)}}" for k in range(2, 10))
"""Eight true equations that take the checker a tenth of a second each, far from their limit."""


class Client:
    """The part of a request that tells whether the client has hung up."""

    def __init__(self) -> None:
        self._gone = asyncio.Event()

    def hang_up(self) -> None:
        self._gone.set()

    async def receive(self) -> dict[str, str]:
        await self._gone.wait()
        return {"type": "http.disconnect"}


async def check(checks: Checks, derivation: str, client: Client | None = None) -> tuple[str, float]:
    """The status or the first equation's truth, and the seconds that it took."""
    started = time.monotonic()
    request: Any = client or Client()
    try:
        (first, *_) = (await checks.check(CheckRequest(PROMPT, derivation, rules="textbook"), request)).steps
        outcome: str = "too long" if "too long" in first.reason else first.truth
    except Refusal as refusal:
        outcome = str(refusal.status)
    return outcome, time.monotonic() - started


def with_checks(run: Callable[[Checks], Awaitable[None]]) -> None:
    async def run_all() -> None:
        checks = Checks()
        async with checks.running():
            await run(checks)

    asyncio.run(run_all())


@pytest.mark.slow
def test_slow_checks_do_not_hold_up_others() -> None:
    async def run(checks: Checks) -> None:
        slow = [asyncio.create_task(check(checks, SLOW)) for _ in range(4)]
        outcomes: list[tuple[str, float]] = []
        while len(outcomes) < 8:
            await asyncio.sleep(0.5)
            outcomes.append(await check(checks, "x = 1"))
        assert max(seconds for _, seconds in outcomes) < 5
        assert {outcome for outcome, _ in outcomes} == {"incorrect"}
        # One that runs while nobody waits is judged, as far as its own CPU time goes.
        assert {outcome for outcome, _ in await asyncio.gather(*slow)} <= {"too long", "429", "valid", "undecided"}

    with_checks(run)


@pytest.mark.slow
def test_a_short_derivation_goes_before_a_full_queue_of_long_ones() -> None:
    async def run(checks: Checks) -> None:
        slow = [asyncio.create_task(check(checks, SLOW)) for _ in range(MAX_SLOW + 2)]
        await asyncio.sleep(0.3)
        outcome, seconds = await check(checks, "x = 1")
        assert outcome == "incorrect"
        assert seconds < LONGEST_WAIT
        outcomes = [outcome for outcome, _ in await asyncio.gather(*slow)]
        assert "429" in outcomes

    with_checks(run)


def test_short_derivations_that_take_long_hold_up_no_others() -> None:
    async def run(checks: Checks) -> None:
        heavy = [
            asyncio.create_task(check(checks, SLOW[: SLOW.index(" and ")].replace("2 x", f"{k} x"))) for k in range(20)
        ]
        outcome, seconds = await check(checks, "x = 1")
        assert outcome == "incorrect"
        assert seconds < 5
        await asyncio.gather(*heavy)

    with_checks(run)


@dataclass
class Noted:
    """The derivations whose checks have begun, paused and ended, once for each time."""

    begun: list[str] = field(default_factory=list)
    pauses: int = 0
    ended: list[str] = field(default_factory=list)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    """What checks do while they have little time in the quick lane."""
    found = Noted()
    check_whole, pause = CheckProcess.check, CheckProcess.pause

    def check_noted(process: CheckProcess, asked: CheckRequest) -> Validity:
        found.begun.append(asked.output)
        try:
            return check_whole(process, asked)
        finally:
            found.ended.append(asked.output)

    def pause_noted(process: CheckProcess) -> bool:
        is_paused = pause(process)
        found.pauses += is_paused
        return is_paused

    monkeypatch.setattr(CheckProcess, "check", check_noted)
    monkeypatch.setattr(CheckProcess, "pause", pause_noted)
    monkeypatch.setattr("mathderive.serving.checks.QUICK_SECONDS", 0.05)
    monkeypatch.setattr("mathderive.serving.checks.LONG_QUICK_SECONDS", 0.05)
    return found


def test_a_short_derivation_that_takes_long_is_paused_and_checked_once(noted: Noted) -> None:
    async def run(checks: Checks) -> None:
        assert (await check(checks, LONG))[0] == "valid"
        assert (await check(checks, "x = 1"))[0] == "incorrect"

    with_checks(run)
    assert (noted.begun.count(LONG), noted.pauses) == (1, 1)


def test_checks_begin_again_where_too_many_are_paused(noted: Noted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathderive.serving.checks.MAX_PAUSED", 1)
    monkeypatch.setattr("mathderive.serving.checks.SHARE_SECONDS", 20)  # all of them wait for a busy machine
    monkeypatch.setattr("mathderive.serving.checks.LONGEST_WAIT", 60)
    long = [LONG.replace("d x", f"d {name}").replace("x)", f"{name})") for name in "xyzuvw"]

    async def run(checks: Checks) -> None:
        outcomes = await asyncio.gather(*(check(checks, one) for one in long))
        assert [outcome for outcome, _ in outcomes] == ["valid"] * len(long)
        assert (await check(checks, "x = 1"))[0] == "incorrect"

    with_checks(run)
    assert {noted.begun.count(one) for one in long} == {1, 2}


def test_a_paused_check_of_a_client_that_hangs_up_ends(noted: Noted) -> None:
    async def run(checks: Checks) -> None:
        slow = asyncio.create_task(check(checks, SLOW))  # takes the slow lane
        client = Client()
        long = asyncio.create_task(check(checks, LONG, client))
        await until(lambda: noted.pauses > 0)
        client.hang_up()
        assert (await long)[0] == "499"
        await until(lambda: LONG in noted.ended)
        assert SLOW not in noted.ended
        await slow

    with_checks(run)
    assert noted.begun.count(LONG) == 1


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what takes a moment."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_a_paused_check_takes_no_time_and_has_the_same_verdict() -> None:
    asked = CheckRequest(PROMPT, LONG, rules="textbook")
    process = CheckProcess()
    try:
        process.make_ready()
        with ThreadPoolExecutor(1) as thread:
            verdict = thread.submit(process.check, asked)
            while process.seconds() < 0.05:
                time.sleep(0.01)
            assert process.pause()
            time.sleep(0.1)
            before = process.seconds()
            time.sleep(0.5)
            assert process.seconds() == before
            assert not verdict.done()
            process.go_on()
            assert verdict.result() == check_in_process(asked)
        assert process.seconds() > before
    finally:
        process.stop()


def check_in_process(asked: CheckRequest) -> Validity:
    with SupervisedChecker() as checker:
        return checker.check(asked.prompt, asked.output, rules=asked.rules)


def test_a_short_derivation_is_refused_once_many_wait() -> None:
    async def run(checks: Checks) -> None:
        many = [asyncio.create_task(check(checks, "x = 1")) for _ in range(MAX_QUICK + 9)]
        outcomes = [outcome for outcome, _ in await asyncio.gather(*many)]
        assert set(outcomes) == {"incorrect", "429"}
        assert outcomes.count("429") <= 9

    with_checks(run)


@pytest.mark.slow
def test_a_slow_check_alone_takes_its_time() -> None:
    async def run(checks: Checks) -> None:
        equations = SLOW.split(" and ")
        for count in range(5, len(equations), 5):
            outcome, seconds = await check(checks, " and ".join(equations[:count]))
            assert outcome == "valid"
            if seconds > SHARE_SECONDS:
                return
        raise AssertionError("no check was slow")

    with_checks(run)


def test_clients_that_hang_up_free_their_places() -> None:
    async def run(checks: Checks) -> None:
        clients = [Client() for _ in range(MAX_SLOW + 3)]
        tasks = [asyncio.create_task(check(checks, SLOW, client)) for client in clients]
        await asyncio.sleep(0.3)
        for client in clients:
            client.hang_up()
        outcomes = [outcome for outcome, _ in await asyncio.gather(*tasks)]
        assert set(outcomes) == {"499", "429"}
        assert outcomes.count("429") in (2, 3)  # they found the lane full
        deadline = time.monotonic() + 20  # the checks would take 160 s
        while (await check(checks, "x = 1"))[0] != "incorrect":
            assert time.monotonic() < deadline

    with_checks(run)


def test_a_prompt_of_another_form_is_refused_and_costs_no_process() -> None:
    async def run(checks: Checks) -> None:
        client: Any = Client()
        for _ in range(4):
            with pytest.raises(Refusal, match="a prompt begins with"):
                await checks.check(CheckRequest("Prove it.", "x = 1"), client)
        assert (await check(checks, "x = 1"))[0] == "incorrect"

    with_checks(run)


def started(_: object) -> float:
    return time.process_time()


def test_a_child_starts_without_importing_anything() -> None:
    seconds = []
    for _ in range(2):
        worker: WorkerProcess[None, float] = WorkerProcess(started, context=CHILDREN)
        seconds.append(worker.ask(None))
        worker.stop()
    assert max(one for one in seconds if isinstance(one, float)) < 0.3  # a new interpreter needs a second
