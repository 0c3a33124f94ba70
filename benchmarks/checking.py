"""How many derivations a second does `mathderive serve` check for trainers? Measures it on loopback.

    python benchmarks/checking.py [--seconds 120] [--clients 64] [--batch 16] [--processes N] [--derivations 1000]
        [--damaged 0.5] [--batch-clients 0.5] [--checkpoint checkpoints/mini] [--seed 0]

Each client asks without pause, on one connection. Some send single derivations to `/check`, and others batches to
`/check/batch`. The derivations are those of our own generator, and a share of them is damaged: an equation left out,
taken from another derivation, or with another sign or number. A client that is answered 429 waits as long as the server
says, and asks the same again. The time of an answer counts from the request to its last byte. Requests that are not
answered when the time is over do not count. The server and the clients share the cores of this machine.

The last line of the output is a JSON object: derivations answered a second, in all and in either form; median and 95th
percentile of the seconds of an answer; how often there was a status 429 or an error; the share of derivations that had
no verdict for lack of time; and the memory of the server with its child processes at the start, in the middle and at
the end. `resident` counts pages that processes share once for each of them, `proportional` counts them once. The exit
code is 1 if anything but a verdict or a 429 was answered, or if the server does not end well.
"""

import argparse
import asyncio
import itertools
import json
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.process_memory import memory_mebibytes  # noqa: E402
from benchmarks.validity import Question, generated  # noqa: E402
from mathderive.checker.reading.answers import split_answer  # noqa: E402
from mathderive.core.progress import progress, say  # noqa: E402

EXCHANGED = {" + ": " - ", " - ": " + ", "2": "3", "3": "2", r"\sin": r"\cos", r"\cos": r"\sin"}
"""Pieces of an equation, and those that are written in their place to damage it."""

Address = tuple[str, int]


@dataclass
class Answers:
    """The answers to all clients of one form, single or batch.

    Attributes:
        seconds: the time of each answer with status 200.
        derivations: the number of derivations that had a verdict.
        too_long: the number of those whose check took too long.
        refused: the number of answers with status 429.
        errors: how often there was another end.
    """

    seconds: list[float] = field(default_factory=list)
    derivations: int = 0
    too_long: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def note(self, results: Sequence[dict[str, object]], asked: int, seconds: float) -> None:
        """Counts an answer's verdicts, and its errors."""
        verdicts = [result for result in results if "steps" in result]
        self.errors["an error in a batch"] += len(results) - len(verdicts)
        self.errors["another number of results"] += len(results) != asked
        self.seconds.append(seconds)
        self.derivations += len(verdicts)
        self.too_long += sum("the check takes too long" in json.dumps(verdict) for verdict in verdicts)

    def summary(self, seconds: float) -> dict[str, object]:
        found: dict[str, object] = {"answers": len(self.seconds), "429": self.refused}
        found["derivations_per_second"] = round(self.derivations / seconds, 1)
        if len(self.seconds) > 1:
            found["p50_seconds"] = round(statistics.median(self.seconds), 3)
            found["p95_seconds"] = round(statistics.quantiles(self.seconds, n=20, method="inclusive")[18], 3)
        return found


def make_questions(options: argparse.Namespace) -> list[dict[str, str]]:
    """Generates derivations, and damages a share of them."""
    rng = random.Random(options.seed)
    honest: list[Question] = []
    with progress("derivations") as report:
        for question in itertools.islice(generated(options.seed), options.derivations):
            honest.append(question)
            report("generated", len(honest), options.derivations)
    others = [equation for _, text in honest for equation in split_answer(text)]
    questions = []
    for prompt, text in honest:
        written = damaged(text, others, rng) if rng.random() < options.damaged else text
        questions.append({"prompt": prompt, "derivation": written})
    return questions


def damaged(text: str, others: Sequence[str], rng: random.Random) -> str:
    """Leaves out an equation, exchanges a piece of it, or writes another one in its place."""
    equations = split_answer(text)
    place = rng.randrange(len(equations))
    kind = rng.random()
    if kind < 0.25 and len(equations) > 1:
        del equations[place]
    elif kind < 0.75 and (pieces := [piece for piece in EXCHANGED if piece in equations[place]]):
        piece = rng.choice(pieces)
        equations[place] = equations[place].replace(piece, EXCHANGED[piece], 1)
    else:
        equations[place] = rng.choice(others)
    return " and ".join(equations)


class Connection:
    """A connection that is kept for one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def post(self, path: str, body: object) -> tuple[int, dict[str, str], bytes]:
        """Sends a request; returns status, headers by their names in lower case, and body of the answer."""
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
        self._writer.write(head.encode() + b"\r\n\r\n" + content)
        await self._writer.drain()
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(status.split()[1]), headers, await self._reader.readexactly(int(headers["content-length"]))

    def close(self) -> None:
        self._writer.close()


async def ask(
    connection: Connection, asked: Sequence[dict[str, str]], is_batch: bool, answers: Answers
) -> float | None:
    """Asks once; returns the seconds after which to ask again, if the server has no room."""
    path, body = ("/check/batch", {"derivations": asked}) if is_batch else ("/check", asked[0])
    started = time.monotonic()
    status, headers, content = await connection.post(path, body)
    if status == 200:
        answer = json.loads(content)
        answers.note(answer["results"] if is_batch else [answer], len(asked), time.monotonic() - started)
    elif status == 429:
        answers.refused += 1
        return float(headers["retry-after"])
    else:
        answers.errors[str(status)] += 1
        say(f"{path}: {status}: {content[:500].decode()}")
    return None


async def run_client(
    address: Address, questions: Sequence[dict[str, str]], batch: int, draw: random.Random, answers: Answers
) -> None:
    """Asks without pause until it is cancelled; `batch` is 0 for single derivations."""
    connection = Connection(*await asyncio.open_connection(*address))
    try:
        while True:
            asked = [draw.choice(questions) for _ in range(batch or 1)]
            while seconds := await ask(connection, asked, bool(batch), answers):
                await asyncio.sleep(seconds)
    except (OSError, EOFError) as error:
        answers.errors[type(error).__name__] += 1
    finally:
        connection.close()


async def measure(
    address: Address, process_id: int, questions: Sequence[dict[str, str]], options: argparse.Namespace
) -> dict[str, object]:
    """Runs the clients for the given time; returns the measurements."""
    batching = round(options.clients * options.batch_clients)
    forms = {"single": Answers(), "batch": Answers()}
    memory = {"start": memory_mebibytes(process_id)}
    clients = [
        asyncio.create_task(
            run_client(
                address,
                questions,
                options.batch if number < batching else 0,
                random.Random(f"{options.seed} {number}"),
                forms["batch" if number < batching else "single"],
            )
        )
        for number in range(options.clients)
    ]
    for part in ("middle", "end"):
        await asyncio.sleep(options.seconds / 2)
        memory[part] = memory_mebibytes(process_id)
    for client in clients:
        client.cancel()
    outcomes = await asyncio.gather(*clients, return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    if failed:
        raise failed[0]
    derivations = sum(answers.derivations for answers in forms.values())
    return {
        "derivations_per_second": round(derivations / options.seconds, 1),
        "forms": {form: answers.summary(options.seconds) for form, answers in forms.items()},
        "too_long": round(sum(answers.too_long for answers in forms.values()) / max(1, derivations), 4),
        "errors": dict(+sum((answers.errors for answers in forms.values()), Counter())),
        "memory_mebibytes": memory,
    }


def main() -> int:
    """Starts a server, runs the clients, prints the measurements, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16, help="derivations in a batch")
    parser.add_argument("--batch-clients", type=float, default=0.5, help="share of the clients that send batches")
    parser.add_argument("--processes", type=int, help="the server's check processes; by default its own default")
    parser.add_argument("--derivations", type=int, default=1_000)
    parser.add_argument("--damaged", type=float, default=0.5, help="share of the derivations that are damaged")
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "mini"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    questions = make_questions(options)
    command = [sys.executable, "-m", "mathderive", "serve", "--port", "0", "--checkpoint", options.checkpoint]
    command += ["--check-processes", str(options.processes)] if options.processes else []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = urlsplit(server.stdout.readline().strip())
        try:
            measured = asyncio.run(measure((url.hostname or "", url.port or 0), server.pid, questions, options))
        finally:
            server.send_signal(signal.SIGTERM)
    print(json.dumps({**vars(options), **measured, "server_exit_code": server.returncode}))
    return int(bool(measured["errors"]) or server.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
