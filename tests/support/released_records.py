"""The authors' result files as records, with the scores that they recorded."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mathderive.records import EVALUATION_SETS, Example, Prediction, StepRecord
from mathderive.symbolic.engine.derivation import Derivation, derivation_from_json

MODELS = {"flan-t5-large": "flan-t5-large", "gpt-4": "gpt-4", "gpt-3.5-turbo": "chatgpt"}
"""The model's name in the files' keys, and its file's."""

UNRENAMED = "released-25-vr"
"""An example with a bound variable that the authors left unrenamed: its steps 4 and 5 do not replay."""

METRIC_KEYS = {"rouge2": "rouge", "bleu": "bleu", "gleu": "gleu"}


@dataclass(frozen=True)
class Released:
    rows: list[dict[str, Any]]
    examples: list[Example]
    predictions: list[Prediction]


@cache
def load(folder: Path, model: str) -> Released:
    rows = json.loads((folder / f"{MODELS[model]}_results.json").read_text(encoding="utf-8"))
    examples, predictions = [], []
    for number, row in enumerate(rows):
        for name in EVALUATION_SETS:
            prefix = "" if name == "static" else f"{name.upper()} "
            ids = {"id": f"released-{number}-{name}", "source_id": f"released-{number}", "set": name}
            steps = [StepRecord(annotation=a, srepr=s) for a, s in row[f"{prefix}srepr_derivation"]]
            prompt = row[f"{prefix}prompt"].rsplit("Prompt: ", 1)[-1]
            examples.append(Example(**ids, prompt=prompt, target=row[f"{prefix}derivation"], steps=steps))
            key = "static" if name == "static" else name.upper()
            predictions.append(Prediction(**ids, model=model, text=row[f"{key}_{model}"]))
    return Released(rows, examples, predictions)


def derivation_of(example: Example) -> Derivation:
    return derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
