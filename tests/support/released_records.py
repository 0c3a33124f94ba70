"""The authors' result files as records, with the scores that the authors recorded."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mathderive.records import EVALUATION_SETS, Example, Prediction, StepRecord
from mathderive.symbolic.engine.derivation import Derivation, derivation_from_json

MODELS = {"flan-t5-large": "flan-t5-large", "gpt-4": "gpt-4", "gpt-3.5-turbo": "chatgpt"}
"""The models' names in the keys of the files, and in the files' names."""

UNRENAMED = "released-25-vr"
"""An example in which the authors did not rename a bound variable, so that its steps 4 and 5 do not replay."""

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
            example_id, source_id = f"released-{number}-{name}", f"released-{number}"
            steps = [StepRecord(annotation=a, srepr=s) for a, s in row[f"{prefix}srepr_derivation"]]
            prompt = row[f"{prefix}prompt"].rsplit("Prompt: ", 1)[-1]
            target = row[f"{prefix}derivation"]
            examples.append(
                Example(id=example_id, source_id=source_id, set=name, prompt=prompt, target=target, steps=steps)
            )
            text = row[f"{'static' if name == 'static' else name.upper()}_{model}"]
            predictions.append(Prediction(id=example_id, source_id=source_id, set=name, model=model, text=text))
    return Released(rows, examples, predictions)


def derivation_of(example: Example) -> Derivation:
    return derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
