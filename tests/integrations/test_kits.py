"""Every example of docs/verifiers.md runs with the released kits, in an environment of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mathderive
from mathderive.integrations.questions import Question, exported_questions
from mathderive.records import Example
from tests.support.command import TINY, run
from tests.support.kits import PACKAGES, kits_folder
from tests.support.served import KEY, Served, serving
from tfds_builders.export.rows import rl_row

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verifiers.md").read_text(encoding="utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.split("\n## ")[1:]}
PROMPT = r"Given x = a b, then obtain \cos{(2 x + 2 b)} = \cos{(2 a b + 2 b)}"
GOOD = [r"x = a b", r"x + b = a b + b", r"2 x + 2 b = 2 a b + 2 b", r"\cos{(2 x + 2 b)} = \cos{(2 a b + 2 b)}"]
FALSE = r"x + b = a b + a"
SERVED_TOKENS = 256

TWO_FORMS_OF_TRL = """
import json

data = load_dataset("derivations", split="train")
texts = data.map(lambda row: {"prompt": row["question"] + "\\n"})


class Recorded(DerivationReward):
    calls = []

    def __call__(self, completions, **columns):
        rewards = super().__call__(completions, **columns)
        self.calls.append([completions, rewards])
        return rewards


for name, rows in {"chats": data, "texts": texts}.items():
    reward = Recorded(shaped=True)
    reward.calls = []
    trainer = GRPOTrainer(model="policy", reward_funcs=reward, args=settings, train_dataset=rows)
    trainer.train()
    norms = [float(entry["grad_norm"]) for entry in trainer.state.log_history if "grad_norm" in entry]
    print(json.dumps({"name": name, "calls": reward.calls, "norms": norms}))
"""


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


@pytest.fixture(scope="module")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kits_folder(tmp_path_factory)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export, as the page has it."""
    place = tmp_path_factory.mktemp("examples")
    run("export", "derivations", "--config", TINY, "--format", "rl", cwd=place)
    return place


@pytest.fixture(scope="module")
def mini(kits: Path) -> Iterator[Served]:
    with serving(ROOT / "checkpoints" / "mini", tokens=SERVED_TOKENS) as server:
        yield server


def execute(kits: Path, folder: Path, *command: str | Path, **variables: str) -> str:
    """Runs a program of the environment as a user does, and returns what it prints."""
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "MATHDERIVE_SHARED")}
    environment |= {"PATH": f"{kits}:{os.environ['PATH']}", "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    environment |= {"PYTHONUNBUFFERED": "1", "COLUMNS": "200", **variables}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return done.stdout


def execute_shell(kits: Path, folder: Path, section: str, served: Served, **variables: str) -> str:
    """Runs the command of a section against the served model."""
    (command,) = blocks(section, "bash")
    assert "http://127.0.0.1:8000/v1" in command
    command = command.replace("http://127.0.0.1:8000", served.url).replace("KEY=none", f"KEY={KEY}")
    return execute(kits, folder, "bash", "-euc", command, **variables)


def expect_verdicts(folder: Path, answers: dict[str, tuple[str, float]]) -> None:
    """Checks that the questions are the export's first ones, and that each answer has what the checker says."""
    questions = {one.id: one for one in exported_questions(folder / "derivations", "static")}
    assert list(answers) == list(questions)[:3]
    for name, (text, value) in answers.items():
        assert value == mathderive.check(questions[name].prompt, text, rules="paper").verified
    assert 1.0 in [value for _, value in answers.values()]


def test_the_page_shows_what_the_reward_is(tmp_path: Path) -> None:
    (code,), (shown,) = blocks("Rewards", "python"), blocks("Rewards", "text")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout, done.returncode) == (shown, 0), done.stderr[-3000:]


def test_the_page_names_the_versions_that_are_tested() -> None:
    for package in PACKAGES[:5]:
        name, version = re.sub(r"\[.*\]", "", package).replace("_", "-").split("==")
        assert f"{name} {version} |" in PAGE


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_trl_trains_two_steps_on_chats_and_on_texts(kits: Path, tmp_path: Path) -> None:
    reference = " and ".join(GOOD)
    example = Example(id="0-train", source_id="0", set="static", prompt=PROMPT, target=reference, steps=[])
    (tmp_path / "derivations" / "data").mkdir(parents=True)
    rows = "\n".join([json.dumps(rl_row(example, 0))] * 4)
    (tmp_path / "derivations" / "data" / "train-00000-of-00001.jsonl").write_text(rows)
    answers = [GOOD, GOOD[:3], [*GOOD[:2], FALSE]]
    pairs = [(asked, one) for asked in (PROMPT, Question("0", PROMPT, "").message()) for one in answers]
    (tmp_path / "lines.json").write_text(json.dumps(pairs))
    python = kits / "python"
    execute(kits, tmp_path, python, ROOT / "tests/support/tiny_policy.py", "policy", "lines.json")
    (code,), (shown,) = blocks("TRL", "python"), blocks("TRL", "text")
    printed = execute(kits, tmp_path, python, "-c", code + TWO_FORMS_OF_TRL).splitlines()
    assert shown.strip() in printed
    runs = [json.loads(line) for line in printed if line.startswith('{"name": ')]
    assert [one["name"] for one in runs] == ["chats", "texts"]
    for one in runs:
        assert len(one["calls"]) == 2
        assert max(one["norms"]) > 0
        for completions, rewards in one["calls"]:
            for completion, reward in zip(completions, rewards, strict=True):
                assert isinstance(completion, list) == (one["name"] == "chats")
                text = completion[0]["content"] if isinstance(completion, list) else completion
                assert (reward == 1.0) == mathderive.check(PROMPT, text, rules="paper").verified
        rewards = [reward for _, found in one["calls"] for reward in found]
        assert {0.0, 1.0} < set(rewards) <= {0.0, 0.5 / 3, 1.0 / 3, 1.0}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_reasoning_gym_creates_the_dataset_and_scores_answers(kits: Path, tmp_path: Path) -> None:
    (code,), (shown,) = blocks("reasoning_gym", "python"), blocks("reasoning_gym", "text")
    more = """
from reasoning_gym.composite import CompositeConfig, CompositeDataset, DatasetSpec
settings = {"length_mean": 5, "length_max": 5, "max_equation_characters": 60, "seed": 1}
mixed = CompositeDataset(CompositeConfig(size=2, seed=3, datasets=[DatasetSpec("derivations", 1.0, settings)]))
again = reasoning_gym.create_dataset("derivations", size=500, **settings)
assert [again[1]["question"], again[0]] == [data[1]["question"], data[0]]
assert data[0]["metadata"]["source_dataset"] == "derivations" and data[1]["metadata"]["source_index"] == 1
assert mixed.score_answer(mixed[0]["answer"], mixed[0]) == 1.0
beginning = data[0]["answer"].rpartition(" and ")[0]
assert again.score_answer(beginning, again[0]) == 0 < data.score_answer(beginning, data[0]) < 0.5
assert data.score_answer(None, data[0]) == 0.0
assert reasoning_gym.get_score_answer_fn("derivations")(data[0]["answer"], data[0]) == 1.0
"""
    assert execute(kits, tmp_path, kits / "python", "-c", code + more) == shown


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_verifiers_evaluates_the_served_model(kits: Path, folder: Path, mini: Served) -> None:
    (module,) = blocks("verifiers", "python")
    (folder / "derivations_taskset.py").write_text(module)
    execute_shell(kits, folder, "verifiers", mini)
    lines = (folder / "evaluated" / "verifiers" / "traces.jsonl").read_text().splitlines()
    traces: list[dict[str, Any]] = [trace for line in lines for trace in json.loads(line)["traces"]]
    answers = {}
    for trace in sorted(traces, key=lambda trace: trace["task"]["data"]["idx"]):
        assert trace["task"]["data"]["prompt"] == trace["task"]["data"]["question"]
        text = trace["nodes"][-1]["message"]["content"]
        answers[trace["task"]["data"]["id"]] = (text, trace["rewards"]["derivation_reward"]["score"])
    expect_verdicts(folder, answers)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_lm_evaluation_harness_evaluates_the_served_model(kits: Path, folder: Path, mini: Served) -> None:
    execute_shell(kits, folder, "lm-evaluation-harness", mini)
    (samples,) = (folder / "evaluated" / "lm_eval").rglob("samples_mathderive_derivations_bare_*.jsonl")
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    expect_verdicts(folder, {row["doc"]["id"]: (row["resps"][0][0], row["verified"]) for row in rows})
    (results,) = (folder / "evaluated" / "lm_eval").rglob("results_*.json")
    scores = json.loads(results.read_text())["results"]["mathderive_derivations_bare"]
    assert scores["verified,none"] == pytest.approx(sum(row["verified"] for row in rows) / 3)
    assert 0 < scores["verified,none"] <= scores["sound,none"] <= scores["goal_reached,none"] <= 1


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_inspect_evaluates_the_served_model(kits: Path, folder: Path, mini: Served) -> None:
    execute_shell(kits, folder, "Inspect", mini, PYTHONPATH=str(kits.parent / "openai"))
    code = """
import pathlib
from inspect_ai.log import read_eval_log
(place,) = pathlib.Path("evaluated/inspect").glob("*.eval")
print(read_eval_log(str(place)).model_dump_json())
"""
    log = json.loads(execute(kits, folder, kits / "python", "-c", code).splitlines()[-1])
    assert log["status"] == "success"
    scores = {sample["id"]: sample["scores"]["verified"] for sample in log["samples"]}
    order = [name for name in log["eval"]["dataset"]["sample_ids"] if name in scores]
    expect_verdicts(folder, {name: (scores[name]["answer"], float(scores[name]["value"] == "C")) for name in order})
    metrics = log["results"]["scores"][0]["metrics"]
    assert metrics["accuracy"]["value"] == pytest.approx(sum(one["value"] == "C" for one in scores.values()) / 3)
    assert "stderr" in metrics
    for score in scores.values():
        assert ("; verified" in score["explanation"]) == (score["value"] == "C")
