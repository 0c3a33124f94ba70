"""Measures latency, refusals and memory of `mathderive serve` under many concurrent clients.

    python benchmarks/serving.py [--checkpoint checkpoints/mini] [--clients 32] [--seconds 120] [--waiting 64]

Starts a server on loopback. Every client asks one question after another and, after a 429, waits as long as the server
says. Latency is measured on answered requests, from the question to the whole answer. It includes the compilation of
each new shape unless `--warm-up` excludes the first seconds. Memory is the resident memory of the server's process,
sampled every second. The last line of the output is a JSON object.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import openai
from generated import make_texts
from openai.types.chat import ChatCompletionUserMessageParam

EVALUATED = 750
"""Maximum characters of a derivation in the paper's evaluation."""

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    arguments = parse_arguments()
    prompts = [prompt for prompt, target in make_texts(arguments.prompts, arguments.seed) if len(target) <= EVALUATED]
    command = [sys.executable, "-m", "mathderive", "serve", "--port", "0", "--name", "served"]
    command += ["--checkpoint", arguments.checkpoint, "--waiting", str(arguments.waiting)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            result = asyncio.run(load(arguments, url, server.pid, prompts))
        finally:
            server.terminate()
    print(json.dumps({**vars(arguments), **result, "server_exit_code": server.returncode}))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "mini"))
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--warm-up", type=float, default=0, help="seconds that are not measured")
    parser.add_argument("--waiting", type=int, default=64, help="maximum requests in the server's queue")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


async def load(arguments: argparse.Namespace, url: str, process_id: int, prompts: list[str]) -> dict[str, object]:
    """Runs the clients; returns their measurements and the server's memory."""
    begin = time.monotonic() + arguments.warm_up
    end = begin + arguments.seconds
    outcomes: Counter[str] = Counter()
    latencies: list[float] = []
    memory: list[float] = []

    async def client(number: int) -> None:
        draw = random.Random(number)
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=600) as api:
            while (started := time.monotonic()) < end:
                message: ChatCompletionUserMessageParam = {"role": "user", "content": draw.choice(prompts)}
                wait = 0.0
                try:
                    await api.chat.completions.create(model="served", messages=[message])
                    outcome = "200"
                    if started >= begin:
                        latencies.append(time.monotonic() - started)
                except openai.APIStatusError as error:
                    outcome = str(error.status_code)
                    wait = float(error.response.headers.get("retry-after", 1))
                except openai.APIConnectionError as error:
                    outcome = type(error).__name__
                outcomes[outcome] += started >= begin
                await asyncio.sleep(min(wait, end - time.monotonic()) if wait else 0)

    async def watch() -> None:
        while (now := time.monotonic()) < end:
            if now >= begin:
                memory.append(resident_mebibytes(process_id))
            answered = len(latencies)
            print(f"\r{max(0, end - now):.0f} s left, {answered} answered", end="", file=sys.stderr, flush=True)
            await asyncio.sleep(1)
        print(file=sys.stderr)

    await asyncio.gather(watch(), *(client(number) for number in range(arguments.clients)))
    quantiles = statistics.quantiles(latencies, n=20)
    third = max(1, len(memory) // 3)
    return {
        "outcomes": dict(outcomes),
        "latency_p50_seconds": statistics.median(latencies),
        "latency_p95_seconds": quantiles[18],
        "answers_per_second": len(latencies) / arguments.seconds,
        "memory_mebibytes": {
            "first_third": statistics.median(memory[:third]),
            "last_third": statistics.median(memory[-third:]),
            "largest": max(memory),
        },
    }


def resident_mebibytes(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
