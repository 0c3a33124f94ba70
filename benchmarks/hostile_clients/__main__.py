"""Keeps hostile clients connected: `python -m benchmarks.hostile_clients HOST PORT CONNECTIONS SEED [KIND ...]`.

It goes on until its standard input is closed. Then it prints a JSON object: for each kind, how its connections ended
and how often, and the median number of open connections.
"""

import asyncio
import json
import os
import random
import statistics
import sys
from collections import Counter

from benchmarks.hostile_clients.kinds import HOLD_SECONDS, KINDS


async def _keep_connected(address: tuple[str, int], kind: str, ends: Counter[str], connected: set[int]) -> None:
    """One hostile client after another, for ever."""
    number = id(asyncio.current_task())
    while True:
        connected.add(number)
        try:
            end = await asyncio.wait_for(KINDS[kind](address), HOLD_SECONDS)
        except TimeoutError:
            end = "held"
        except OSError as error:  # the server closed the connection, or does not accept any
            end = type(error).__name__
        connected.discard(number)
        ends[end] += 1
        await asyncio.sleep(0)


async def _run(address: tuple[str, int], count: int, kinds: list[str]) -> None:
    ends: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    connected: set[int] = set()
    clients = []  # a task that nothing refers to may be collected
    for number in range(count):
        kind = kinds[number % len(kinds)]
        clients.append(asyncio.create_task(_keep_connected(address, kind, ends[kind], connected)))
    counts: list[int] = []
    over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not over.done():
        await asyncio.wait({over}, timeout=0.5)
        counts.append(len(connected))
    print(json.dumps({"ends": ends, "open_connections": statistics.median(counts)}), flush=True)
    os._exit(0)  # the clients would go on, and their connections end with the process


def main() -> None:
    host, port, count, seed, *kinds = sys.argv[1:]
    random.seed(int(seed))
    asyncio.run(_run((host, int(port)), int(count), kinds or list(KINDS)))


if __name__ == "__main__":
    main()
