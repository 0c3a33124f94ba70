"""The images and compose.yaml, used as a user does."""

import hashlib
import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.containers.engine import IMAGE, ROOT, User, docker, inspect

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

MAX_BYTES = 1.2e9
"""Maximum size of the image for the CPU beyond its base image."""

RUN = ("up", "--exit-code-from=reproduction")
RUN_SECONDS = 900
"""Time limit for runs of the smoke config: a minute each on an idle machine, but all users' runs share its cores."""

INSIDE = """#!/usr/bin/env bash
echo "runs as $(id -u):$(id -g), groups $(id -G)"
grep -E '^(Cap|NoNewPrivs)' /proc/self/status
for place in / /app /app/configs /opt/venv /etc /var/tmp; do touch $place/x 2>/dev/null && echo "writes to $place"; done
touch /tmp/x /app/runs/.x /cache/x && stat --format='its file belongs to %u:%g' /app/runs/.x && rm /app/runs/.x /cache/x
exit 3
"""
"""A script in place of run.sh, which the entrypoint executes."""


def contents(user: User) -> dict[str, str]:
    """The hashes of the predictions and their scores, by file name."""
    folder = user.runs / "smoke"
    files = [path for name in ("predictions", "scores") for path in sorted((folder / name).rglob("*.jsonl"))]
    assert len(files) >= 20
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def owner_and_group(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def probe_volume(folder: Path) -> str:
    """Writes `INSIDE` to the folder and returns the option that mounts it in place of run.sh."""
    script = folder / "inside.sh"
    script.write_text(INSIDE, encoding="utf-8")
    script.chmod(0o755)
    return f"--volume={script}:/app/run.sh:ro"


def inside(user: User, service: str, folder: Path) -> str:
    """Returns what `INSIDE` says in a service of compose."""
    result = user.compose("run", "--rm", probe_volume(folder), service, check=False)
    assert result.returncode == 3, result.stdout
    return result.stdout


def wait_for_log(user: User, pattern: str) -> None:
    wait_for(lambda: re.search(pattern, user.compose("logs", "--no-color").stdout), user)


def wait_for(condition: Callable[[], object], user: User, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, user.compose("logs", "--no-color").stdout[-2000:]
        time.sleep(0.3)


def exit_code(user: User) -> int:
    """Returns the exit code of the container `reproduction`."""
    (container,) = user.compose("ps", "--all", "--quiet", "reproduction").stdout.split()
    return int(docker("inspect", "--format={{.State.ExitCode}}", container).stdout)


def test_the_image_is_small_and_has_no_build_tools(image: str, base: str) -> None:
    config = inspect(image)["Config"]
    assert config["User"] == "1000"
    assert config["Entrypoint"] == ["as_owner.sh"]
    assert "/healthz" in config["Healthcheck"]["Test"][-1]
    assert config["Labels"]["org.opencontainers.image.title"] == "mathderive"
    assert inspect(image)["Size"] - inspect(base)["Size"] <= MAX_BYTES
    said = docker("run", "--rm", "--network=none", image, "--help").stdout
    assert "installing" not in said
    assert "Reproduces" in said
    tools = docker("run", "--rm", "--entrypoint=sh", image, "-c", "command -v gcc cc make; ls /opt/venv/bin").stdout
    assert not {"gcc", "cc", "make", "pip", "pytest"} & set(re.split(r"[\s/]", tools))


def test_the_fast_tests_pass_in_the_image(image: str) -> None:
    shared = ROOT.parent / "shared"
    references = [f"--volume={shared}:/shared:ro", "--env=MATHDERIVE_SHARED=/shared"] if shared.is_dir() else []
    result = docker("run", "--rm", "--init", *references, f"{IMAGE}:test", check=False, seconds=1700)
    assert result.returncode == 0, result.stdout[-5000:]
    print(result.stdout[-300:])


@pytest.fixture(scope="module")
def reproduced(users: dict[int, User]) -> dict[int, User]:
    """All users have run the smoke config without interruption, at the same time."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda user: user.compose(*RUN, seconds=RUN_SECONDS), users.values()))
    return users


def test_the_files_of_a_run_belong_to_the_owner_of_the_checkout(reproduced: dict[int, User]) -> None:
    for user in reproduced.values():
        assert (user.runs / "smoke" / "report" / "index.html").stat().st_size > 10_000
        assert {owner_and_group(path) for path in user.runs.rglob("*")} == {(user.uid, user.uid)}
    first, *others = map(contents, reproduced.values())
    assert all(other == first for other in others)


def test_a_stopped_run_resumes_to_the_same_results(reproduced: dict[int, User]) -> None:
    """The variables are set here, to the owner of the checkout."""
    *_, user = reproduced.values()
    owner = str(user.uid)
    uninterrupted = contents(user)
    (user.runs / "smoke").rename(user.runs / "smoke-uninterrupted")
    user.compose("down")  # removes the log of its container as well
    user.compose("up", "--detach", host_uid=owner)
    wait_for_log(user, r"train: steps \d+/")
    metrics = user.runs / "smoke" / "checkpoints" / "t5" / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.stat().st_size, user)
    user.compose("stop")
    before = metrics.read_text(encoding="utf-8")
    assert exit_code(user) == 143
    assert "whose checkpoint is written" in user.compose("logs", "--no-color").stdout
    assert not (user.runs / "smoke" / "report").exists()
    user.compose(*RUN, host_uid=owner, seconds=RUN_SECONDS)
    assert contents(user) == uninterrupted
    # The metrics hold the duration of each step, so a run that began anew would have other lines.
    assert metrics.read_text(encoding="utf-8").startswith(before)


@pytest.mark.parametrize("service", ["reproduction", "server"])
def test_a_container_has_no_rights_beyond_its_folders(users: dict[int, User], service: str, tmp_path: Path) -> None:
    for user in users.values():
        said = inside(user, service, tmp_path)
        assert f"runs as {user.uid}:{user.uid}, groups {user.uid}\n" in said
        assert len(re.findall(r"Cap\w+:\s*0+\n", said)) == 5, said
        assert re.search(r"NoNewPrivs:\s*1", said)
        assert not re.search("writes to /", said)
        assert f"its file belongs to {user.uid}:{user.uid}" in said


def test_variables_name_another_owner(users: dict[int, User]) -> None:
    """In root's checkout, the variables alone let another user write to a folder that is open to that user."""
    user = next(iter(users.values()))
    other = 1234 if user.uid == 0 else user.uid
    data = ("run", "--rm", "reproduction", "data", "--config", "configs/smoke.yaml", "run.name=variables")
    user.runs.chmod(0o777)
    try:
        user.compose(*data, host_uid=str(other), seconds=RUN_SECONDS)
    finally:
        user.runs.chmod(0o755)
    assert {owner_and_group(path) for path in (user.runs / "variables").rglob("*")} == {(other, other)}
    result = user.compose(*data, host_uid="me", check=False)
    assert result.returncode == 2
    assert "HOST_UID=me" in result.stdout


def test_the_image_runs_without_compose_as_its_own_user(image: str, tmp_path: Path) -> None:
    probe = ("--rm", probe_volume(tmp_path), image)
    for user in ((), ("--user=0",)):  # root becomes the owner of the image's folder, who is the image's user
        assert "runs as 1000:1000," in docker("run", *user, *probe, check=False).stdout


def test_every_profile_can_be_read(users: dict[int, User]) -> None:
    user = next(iter(users.values()))
    services = {
        profile: user.compose(*([f"--profile={profile}"] if profile else []), "config", "--services").stdout.split()
        for profile in ("", "gpu", "serve")
    }
    assert services == {"": ["reproduction"], "gpu": ["reproduction-gpu"], "serve": ["server"]}


def test_the_server_answers(users: dict[int, User]) -> None:
    user = next(iter(users.values()))
    user.compose("--profile=serve", "up", "--detach", "--wait", "--wait-timeout=120")
    assert "reproduction" not in user.compose("--profile=serve", "ps", "--services").stdout
    place = user.compose("--profile=serve", "port", "server", "8000").stdout.strip()
    question = {"role": "user", "content": r"Given f{(x)} = \sin{(x)}, then obtain 2 f{(x)} = 2 \sin{(x)}"}
    body = json.dumps({"model": "mini", "messages": [question], "max_tokens": 60}).encode()
    request = urllib.request.Request(f"http://{place}/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)["choices"][0]["message"]["content"]
    assert r"f{(x)} = \sin{(x)}" in answer
    user.compose("--profile=serve", "stop")


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "no such config file"), ("extends: ../configs/smoke.yaml\ntraining: {stepps: 3}\n", "stepps")],
)
def test_a_wrong_config_is_one_line(users: dict[int, User], text: str | None, says: str, tmp_path: Path) -> None:
    user = next(iter(users.values()))
    if text is not None:
        (user.runs / "wrong.yaml").write_text(text, encoding="utf-8")
    result = user.compose("up", "--exit-code-from=reproduction", config="runs/wrong.yaml", check=False)
    assert result.returncode == 2
    (line,) = [line for line in result.stdout.splitlines() if "mathderive: " in line and "|" in line]
    assert says in line
    assert "Traceback" not in result.stdout


def test_a_runs_folder_without_write_permission_is_one_line(users: dict[int, User]) -> None:
    for user in users.values():
        user.runs.chmod(0o555)
        try:
            result = user.compose("up", "--exit-code-from=reproduction", config="configs/scratch.yaml", check=False)
        finally:
            user.runs.chmod(0o755)
        assert result.returncode == 2
        (line,) = [line for line in result.stdout.splitlines() if "mathderive: " in line and "|" in line]
        assert f"may not be written by user {user.uid}" in line
        assert "Traceback" not in result.stdout


def test_a_tpu_worker_runs_in_a_plain_container(base: str, tmp_path: Path) -> None:
    """Runs the commands of `scripts/tpu_vm.sh` for a worker, with the CPU's libraries instead of a TPU's."""
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, tmp_path / "kit.git"], check=True)
    script = """
    git config --global --add safe.directory '*' 2>/dev/null || { apt-get update -qq && apt-get install -yqq git \
        && git config --global --add safe.directory '*'; } >/dev/null
    cp /kit/scripts/tpu_worker.sh . && bash tpu_worker.sh install /kit.git "$REVISION" \
        && bash tpu_worker.sh run data --config configs/smoke.yaml
    bash tpu_worker.sh run; echo "a second one: $?"
    while kill -0 "$(cat mathderive/runs/run.pid)" 2>/dev/null; do sleep 1; done
    tail -n 1 mathderive/runs/run.log
    """
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    said = docker(
        *("run", "--rm", "--init", "--workdir=/root", f"--volume={tmp_path}/kit.git:/kit.git:ro"),
        *(f"--volume={ROOT}:/kit:ro", f"--env=REVISION={revision.strip()}", "--env=MATHDERIVE_ACCELERATOR=cpu"),
        *(base, "bash", "-c", script),
        seconds=900,
    ).stdout
    assert f"installed {revision.strip()}" in said
    assert "a run is at work here already" in said
    assert "a second one: 2" in said
    assert said.splitlines()[-1] == "runs/smoke/data"
