"""The benchmark of hostile connections: a few of them leave the server able to serve."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "hostile_connections.py"
KINDS = ("say nothing", "send half a head", "send a huge body", "check short texts", "cut a request")


@pytest.mark.slow
@pytest.mark.long
def test_a_server_serves_while_and_after_it_is_attacked() -> None:
    kinds = [argument for kind in KINDS for argument in ("--kind", kind)]
    command = [sys.executable, str(BENCHMARK), "--seconds", "5", "--connections", "20", *kinds]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["serves_afterwards"], done.stderr[-3000:]
    assert found["server_exit_code"] == 0
    assert found["open_connections"] >= 15
    assert found["check"]["answers"] + sum(found["check"]["refused"].values()) == 5
    assert found["chat"]["answers"] >= 1
