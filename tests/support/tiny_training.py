"""A training run of a few seconds, with a command line for tests that kill it."""

import json
import sys
from pathlib import Path
from typing import Any

from mathderive.config.schema import ModelSettings, TrainingSettings
from mathderive.core.progress import ProgressCallback
from mathderive.training.loop import TrainingResult
from mathderive.training.texts import train_on_texts

MODEL = ModelSettings(vocab_size=60, d_model=16, d_kv=4, d_ff=32, num_heads=2, num_layers=1, num_decoder_layers=1)
TRAINING = TrainingSettings(
    batch_size=4,
    steps=40,
    learning_rate=3e-3,
    max_source_length=16,  # most texts are longer, so there is one shape to compile
    max_target_length=16,
    evaluate_every=20,
    validation_examples=4,
    checkpoint_every=6,
    log_every=4,
)
Finished = tuple[Path, TrainingResult]
"""The folder and the result of a finished training run."""

PAIRS = [
    (f"Given {a} = {f}{{({b})}} + {n}, then obtain {a} - {n}", f"{a} = {f}{{({b})}} + {n} and {a} - {n} = {f}{{({b})}}")
    for a in ("x", "y", "\\theta", "t")
    for b in "pqr"
    for n, f in enumerate(("\\sin", "\\cos", "\\log", "e", "\\mathbf{J}"))
]


def word_overlap(prediction: str, reference: str) -> float:
    """A stand-in for ROUGE-2, so that these tests do not depend on the metrics."""
    words = set(reference.split())
    return len(words & set(prediction.split())) / len(words)


def silent(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


def run(
    folder: Path,
    model: ModelSettings = MODEL,
    training: TrainingSettings = TRAINING,
    seed: int = 0,
    on_progress: ProgressCallback = silent,
) -> TrainingResult:
    return train_on_texts(model, training, seed, PAIRS[:50], PAIRS[50:], folder, on_progress, score=word_overlap)


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl` without the values that depend on time."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    measured = {"tokens_per_second", "flops_per_second", "model_flop_utilisation"}
    return [{key: value for key, value in row.items() if key not in measured} for row in rows]


def end_after(step: int) -> ProgressCallback:
    """A progress callback that ends the process after `step` steps, without writing a checkpoint."""

    def on_progress(what: str, done: int, wanted: int, note: str = "") -> None:
        if done == step:
            raise SystemExit(0)

    return on_progress


if __name__ == "__main__":
    # FOLDER [JSON]: changed settings, and the step after which the process ends.
    changes = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    run(
        Path(sys.argv[1]),
        MODEL.model_copy(update=changes.get("model")),
        TRAINING.model_copy(update=changes.get("training")),
        on_progress=end_after(changes["end_after"]) if "end_after" in changes else silent,
    )
