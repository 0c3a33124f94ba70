"""The functions of the task files for lm-evaluation-harness in `lm_eval_tasks/`."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mathderive.api.checking import Checker
from mathderive.integrations.questions import exported_questions

TASK_FILES = Path(__file__).with_name("lm_eval_tasks")
"""The folder for `--include_path`; `python -m mathderive.integrations.evaluation_harness` prints it."""


def load(folder: str, split: str = "static", **metadata: Any) -> dict[str, Any]:
    """The questions of an export, as the split `test`.

    Args:
        folder: an export in the format `jsonl` or `rl`.
        split: the split of the export.
        metadata: other metadata of the task, which are ignored.
    """
    from datasets import Dataset

    def rows() -> Iterator[dict[str, str]]:
        for question in exported_questions(folder, split):
            yield {**question._asdict(), "message": question.message()}

    return {"test": Dataset.from_list(list(rows()))}


def process_results(row: dict[str, Any], answers: Sequence[str]) -> dict[str, float]:
    """The properties of an answer as 0 or 1."""
    verdict = _checker().check(row["prompt"], answers[0])
    return {
        "verified": float(verdict.verified),
        "sound": float(verdict.sound),
        "goal_reached": float(verdict.goal_reached),
    }


@cache
def _checker() -> Checker:
    return Checker()


if __name__ == "__main__":
    print(TASK_FILES)
