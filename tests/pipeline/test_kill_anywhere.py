"""The benchmark that kills runs: a short one finds nothing wrong, and the comparison notices what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.killed_runs.commands import NEVER, KillPlan, run_command
from benchmarks.killed_runs.outputs import contents, names

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_data_stage_may_be_killed_anywhere() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "kill_anywhere.py"), "--minutes", "0.2", "--only", "data"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr[-3000:]
    assert found["runs"] >= 1
    assert found["kills"] >= 1


@pytest.mark.slow
def test_a_command_is_killed_before_a_file_operation(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    command = ["data", "--config", str(ROOT / "tests" / "support" / "tiny.yaml"), "data.sizes.train=1"]
    killed = run_command(command, tmp_path, {}, KillPlan(operation=9))
    assert (killed.was_killed, killed.left) == (True, [])
    ended = run_command(command, tmp_path, {}, NEVER)
    assert (ended.code, ended.left) == (0, [])
    assert ended.operations > 9
    assert set(ended.seconds) == {"start", "data"}


def test_what_runs_leave_is_compared(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "r"
    for name, text in {
        "predictions/m/static.jsonl": "{}\n",
        "report/index.html": "<p>",
        "checkpoints/t5/metrics.jsonl": '{"step": 1, "loss": 2.0, "tokens_per_second": 3.0}\n',
        f"checkpoints/t5/orbax/5/params/d/{'0f' * 16}": "",
        "data.json": '{"done": true, "seconds": 1.5, "results": {"sizes": {}}}',
    }.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text, encoding="utf-8")
    assert contents(tmp_path) == {
        "runs/r/predictions/m/static.jsonl": b"{}\n",
        "runs/r/checkpoints/t5/metrics.jsonl: without times": b'[{"loss": 2.0, "step": 1}]',
        "runs/r/data.json: results": b'[true, {"sizes": {}}]',
    }
    assert "runs/r/checkpoints/t5/orbax/5/params/d/*" in names(tmp_path)
    assert "runs/r/report/index.html" in names(tmp_path)
