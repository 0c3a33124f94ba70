"""Measures how fast derivations are generated with the paper's sampling settings, in new processes with empty caches.

    python benchmarks/generation.py [--seconds 60] [--seed 0]

Each of n workers is a new process that samples every n-th attempt for the given CPU time, imports not counted. One
worker runs first, then two at once. The output gives derivations per CPU-second, attempts per derivation, peak memory
and the share of time of each operator. On most machines two busy processes slow each other down. For comparison, the
benchmark prints the cost of a plain Python loop in each of two processes at once, relative to one process. The last
line is a JSON object. Run it on a quiet machine, and quote medians.
"""

import argparse
import json
import multiprocessing
import resource
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from mathderive.core.workers import collect_garbage_rarely
from mathderive.symbolic.engine import sampling
from mathderive.symbolic.engine.settings import SamplingSettings


@dataclass(frozen=True)
class Work:
    """The work of one worker.

    Attributes:
        cpu_seconds: the CPU time of the worker after its imports.
        seconds_by_part: this time by operator; `accepting` is the time for printing and checking their results.
    """

    derivations: int
    attempts: int
    cpu_seconds: float
    peak_bytes: int
    seconds_by_part: dict[str, float]


def generate(seed: int, first: int, every: int, seconds: float) -> Work:
    """Samples the attempts first, first + every, … until the CPU time is spent."""
    seconds_by_part: defaultdict[str, float] = defaultdict(float)
    _time_parts(seconds_by_part)
    settings = SamplingSettings()
    collect_garbage_rarely()
    derivations = attempts = 0
    start = time.process_time()
    while time.process_time() - start < seconds:
        derivations += sampling.sample_derivation(settings, seed, first + attempts * every) is not None
        attempts += 1
    spent = time.process_time() - start
    # Linux counts kilobytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Work(derivations, attempts, spent, peak, seconds_by_part)


def _time_parts(seconds_by_part: defaultdict[str, float]) -> None:
    """Makes the sampler record the time of its two costly calls."""
    propose_step, is_welcome = sampling.propose_step, sampling.is_welcome

    def timed_proposal(operator: Any, *rest: Any) -> Any:
        start = time.process_time()
        try:
            return propose_step(operator, *rest)
        finally:
            seconds_by_part[operator.name] += time.process_time() - start

    def timed_acceptance(*arguments: Any) -> bool:
        start = time.process_time()
        try:
            return is_welcome(*arguments)
        finally:
            seconds_by_part["accepting"] += time.process_time() - start

    vars(sampling).update(propose_step=timed_proposal, is_welcome=timed_acceptance)


def measure(workers: int, seed: int, seconds: float) -> dict[str, Any]:
    """Runs the workers at once, and prints and returns their figures."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, maxtasksperchild=1) as pool:
        done = pool.starmap(generate, [(seed, number, workers, seconds) for number in range(workers)], chunksize=1)
    derivations, cpu = sum(work.derivations for work in done), sum(work.cpu_seconds for work in done)
    attempts = sum(work.attempts for work in done)
    parts: defaultdict[str, float] = defaultdict(float)
    for work in done:
        for part, spent in work.seconds_by_part.items():
            parts[part] += spent
    found = {
        "derivations_per_cpu_second": derivations / cpu,
        "attempts_per_derivation": attempts / derivations,
        "peak_megabytes": max(work.peak_bytes for work in done) / 2**20,
    }
    figures = ", ".join(f"{key} {value:.2f}" for key, value in found.items())
    print(f"{workers} worker(s), {cpu:.0f} CPU-seconds: {figures}")
    for part, spent in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"  {part:24} {100 * spent / cpu:5.1f} %")
    return found


def plain_loop(_: int) -> float:
    """The CPU-seconds of a fixed amount of plain Python."""
    start = time.process_time()
    counts: dict[int, int] = {}
    for number in range(10_000_000):
        counts[number % 1000] = number * 3 // 2
    return time.process_time() - start


def plain_loop_cost_ratio() -> float:
    """The cost of the loop in each of two processes at once, relative to one process alone."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        alone = pool.map(plain_loop, range(1))
        together = pool.map(plain_loop, range(2), chunksize=1)
    return sum(together) / 2 / alone[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="CPU time of each worker")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    one, two = (measure(workers, options.seed, options.seconds) for workers in (1, 2))
    one["two_workers_cost_ratio"] = one["derivations_per_cpu_second"] / two["derivations_per_cpu_second"]
    one["plain_loop_cost_ratio"] = plain_loop_cost_ratio()
    print(json.dumps({"seed": options.seed, **one}))


if __name__ == "__main__":
    main()
