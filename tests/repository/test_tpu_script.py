"""The commands that `scripts/tpu_vm.sh` would run, checked without a TPU."""

import shlex
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "tpu_vm.sh"


def dry_run(*arguments: str, code: int = 0, **environment: str) -> list[list[str]]:
    result = subprocess.run(
        ["bash", SCRIPT, "--dry-run", *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return [shlex.split(line) for line in (result.stdout or result.stderr).splitlines()]


def test_every_step_names_the_machine_and_its_zone() -> None:
    steps = (
        ("create",),
        ("install",),
        ("run", "--config", "configs/quick.yaml"),
        ("log",),
        ("fetch", "r"),
        ("delete",),
    )
    for step in steps:
        for command in dry_run(*step, NAME="mine", ZONE="somewhere", REPOSITORY="https://example.org/kit.git"):
            assert command[:4] == ["gcloud", "compute", "tpus", "tpu-vm"]
            assert any(word.partition(":")[0] == "mine" for word in command)
            assert "--zone=somewhere" in command


def test_arguments_reach_the_workers_as_they_are() -> None:
    copy, start = dry_run("run", "--config", "configs/paper/t5_base.yaml", "report.title=a 'b' $c")
    assert copy[4] == "scp"
    assert "--worker=all" in copy
    assert "--worker=all" in start
    (command,) = [word for word in start if word.startswith("--command=")]
    assert shlex.split(command.removeprefix("--command=")) == [
        *("bash", "tpu_worker.sh", "run", "--config", "configs/paper/t5_base.yaml", "report.title=a 'b' $c")
    ]


def test_a_spot_machine_is_asked_for() -> None:
    assert "--spot" in dry_run("create", SPOT="1")[0]
    assert "--spot" not in dry_run("create")[0]


@pytest.mark.parametrize("arguments", [(), ("bla",), ("fetch",)])
def test_what_is_wrong_is_said_in_a_line(arguments: tuple[str, ...]) -> None:
    ((first, *_),) = dry_run(*arguments, code=2)
    assert first == "tpu_vm.sh:"
