"""Is an honest client served while hostile ones hold 200 connections? Measures `mathderive serve` on loopback.

    python benchmarks/hostile_connections.py [--seconds 120] [--connections 200] [--checkpoint checkpoints/mini]
        [--seed 0] [--kind "check short texts"]

The hostile clients are those of `benchmarks/hostile_clients/kinds.py`, in a process of their own, as many of each kind.
Whenever one of their connections ends, they open another one at once. Meanwhile an honest client checks a short
derivation every second, and another one asks the model a question of the page every second, each time in a new
connection.
An answer counts from the connection to its last byte. It is late after 5 seconds, and refused if it has another status
than 200. All clients have the same address, so the server cannot tell them apart by it. The server, the hostile clients
and the honest ones share the cores of this machine.

The last line of the output is a JSON object: the times of honest answers, how many were refused or late, the largest
memory of the server with its child processes, whether it answers afterwards, and how it ended. The exit code is 1 if an
honest answer was refused or late, or if the server does not serve or end well.
"""

import argparse
import asyncio
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the hostile clients are in benchmarks/hostile_clients

from benchmarks.hostile_clients.kinds import CHAT, CHECK, KINDS, connected, post  # noqa: E402
from benchmarks.process_memory import memory_mebibytes  # noqa: E402
from mathderive.core.progress import say  # noqa: E402

PROMPT = r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}"
DERIVATION = (
    r"f{(x)} = \sin{(x)} and \frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)} and \frac{d}{d x} f{(x)} = \cos{(x)}"
)
EXAMPLES = [example["prompt"] for example in json.loads((ROOT / "mathderive/serving/examples.json").read_text())]
QUESTIONS: Mapping[str, Sequence[bytes]] = {
    "check": [post(CHECK, {"prompt": PROMPT, "derivation": DERIVATION})],
    "chat": [post(CHAT, {"model": "mini", "messages": [{"role": "user", "content": one}]}) for one in EXAMPLES],
}
"""The questions that each honest client asks in turn."""

LATE_SECONDS = 5.0
WARM_UP_QUESTIONS = 30
"""Maximum number of questions before those that are measured."""

GIVEN_UP_SECONDS = 60.0
"""Seconds after which an honest client gives up."""


@dataclass
class Honest:
    """The answers to one honest client.

    Attributes:
        seconds: of each answer with status 200.
        others: how often there was another end.
    """

    seconds: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, object]:
        found: dict[str, object] = {"answers": len(self.seconds), "refused": dict(self.others)}
        if len(self.seconds) > 1:
            found["median"] = round(statistics.median(self.seconds), 3)
            found["p99"] = round(statistics.quantiles(self.seconds, n=100, method="inclusive")[98], 3)
            found["slowest"] = round(max(self.seconds), 3)
        found["late"] = sum(seconds > LATE_SECONDS for seconds in self.seconds)
        return found

    def is_served(self) -> bool:
        return bool(self.seconds) and not self.others and max(self.seconds) <= LATE_SECONDS


async def ask(address: tuple[str, int], request: bytes, honest: Honest) -> None:
    """Asks one question and notes the time of the answer."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(GIVEN_UP_SECONDS), connected(address) as connection:
            await connection.send(request)
            status = (await connection.read_all())[9:12].decode()
    except (OSError, TimeoutError) as error:
        status = type(error).__name__
    if status == "200":
        honest.seconds.append(time.monotonic() - started)
    else:
        honest.others[status or "closed"] += 1


async def ask_every_second(address: tuple[str, int], seconds: float) -> dict[str, Honest]:
    """Asks each question every second, whether or not the one before is answered."""
    found = {name: Honest() for name in QUESTIONS}
    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds)):
            for name, requests in QUESTIONS.items():
                group.create_task(ask(address, requests[number % len(requests)], found[name]))
            await asyncio.sleep(1)
            if sys.stderr.isatty():
                print(f"\r{seconds - number - 1:.0f} s left", end="", file=sys.stderr, flush=True)
    return found


async def wait_until_warm(address: tuple[str, int]) -> None:
    """Asks until the server has started its child processes and compiled the programs for the honest questions."""
    for name, requests in QUESTIONS.items():
        for _ in range(WARM_UP_QUESTIONS):
            await ask(address, requests[0], honest := Honest())
            if honest.seconds and honest.seconds[0] < 1:
                break
        else:
            say(f"{name}: still slow before the attack")


async def measure_memory(process_id: int, largest: list[float]) -> None:
    """Notes the largest memory of a process with all that descend from it, in mebibytes, until it is cancelled."""
    while True:
        largest[0] = max(largest[0], memory_mebibytes(process_id)["resident"])
        await asyncio.sleep(0.5)


@contextmanager
def hostile_clients(address: tuple[str, int], options: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Keeps hostile clients connected while the block runs, and then fills in how their connections ended."""
    given = [address[0], str(address[1]), str(options.connections), str(options.seed), *options.kind]
    command = [sys.executable, "-m", "benchmarks.hostile_clients", *given]
    found: dict[str, object] = {}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield found
            output, _ = process.communicate("", timeout=60)
        finally:
            process.kill()
    found.update(json.loads(output))


async def measure(address: tuple[str, int], process_id: int, options: argparse.Namespace) -> dict[str, object]:
    """Asks before, during and after the attack; returns the measurements."""
    largest = [0.0]
    memory = asyncio.create_task(measure_memory(process_id, largest))
    await wait_until_warm(address)
    before = await ask_every_second(address, 3)
    with hostile_clients(address, options) as attack:
        honest = await ask_every_second(address, options.seconds)
    after = await ask_every_second(address, 3)
    memory.cancel()
    for kind, ends in attack.pop("ends", {}).items():  # type: ignore[attr-defined]
        say(f"{kind}: {', '.join(f'{end} {count}' for end, count in sorted(ends.items()))}")
    return {
        "before": {name: one.summary() for name, one in before.items()},
        **{name: one.summary() for name, one in honest.items()},
        **attack,
        "all_served": all(one.is_served() for one in honest.values()),
        "serves_afterwards": all(one.is_served() for one in after.values()),
        "memory_mebibytes": round(largest[0]),
    }


def main() -> int:
    """Runs the attack, prints the measurements, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "mini"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append", default=[], help="only this kind; repeatable")
    options = parser.parse_args()
    command = [sys.executable, "-m", "mathderive", "serve", "--port", "0", "--name", "mini"]
    command += ["--checkpoint", options.checkpoint]
    with tempfile.TemporaryFile("w+") as complaints:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=complaints, text=True) as server:
            assert server.stdout is not None
            url = urlsplit(server.stdout.readline().strip())
            try:
                measured = asyncio.run(measure((url.hostname or "", url.port or 0), server.pid, options))
            finally:
                server.send_signal(signal.SIGTERM)
        complaints.seek(0)
        lines = [line for line in complaints.read().splitlines() if "PyTorch was not found" not in line]
    print("\n".join(lines[-40:]), file=sys.stderr)
    measured |= {"server_exit_code": server.returncode, "lines_of_log": len(lines)}
    print(json.dumps(measured))
    is_well = measured["all_served"] and measured["serves_afterwards"] and server.returncode == 0
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
