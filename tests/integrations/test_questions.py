"""Questions come from an export of either format, or from the generator."""

import json
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import mathderive
from mathderive.core.errors import InputError
from mathderive.integrations.questions import exported_questions, generated_questions
from tfds_builders.export.formats import FORMATS

SHORT = mathderive.SamplingSettings(length_mean=4, length_max=5, max_equation_characters=60)


def write(folder: Path, rows: list[Any]) -> Path:
    (folder / "data").mkdir(parents=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "data" / "static-00000-of-00001.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_both_formats_give_the_examples_prompt_and_target(tmp_path: Path) -> None:
    examples = mathderive.generate(3, seed=1, sampling=SHORT)
    for name in ("jsonl", "rl"):
        rows = [FORMATS[name].make_row(example, 1) for example in examples]
        found = list(exported_questions(write(tmp_path / name, rows), "static"))
        assert found == [(example.id, example.prompt, example.target) for example in examples]
        if name == "rl":
            assert [one.message() for one in found] == [row["prompt"][0]["content"] for row in rows]
        assert [one.message(is_bare=True) for one in found] == [example.prompt for example in examples]


@pytest.mark.parametrize("row", ["{", "5", {"id": "1"}, {"id": "1", "prompt": 4, "target": "x"}, {"messages": []}])
def test_another_file_is_refused_by_name_and_line(tmp_path: Path, row: Any) -> None:
    good = {"id": "1", "prompt": "Given x = y, then obtain y = x", "target": "y = x"}
    with pytest.raises(InputError, match=r"static-00000-of-00001\.jsonl, line 2: no question"):
        list(exported_questions(write(tmp_path, [good, row]), "static"))
    with pytest.raises(InputError, match="expected an export in the format jsonl or rl"):
        list(exported_questions(tmp_path, "train"))


@pytest.mark.slow
def test_generated_questions_leave_out_those_that_the_repeated_prompt_answers() -> None:
    with closing(generated_questions(1, SHORT)) as questions:
        found = list(islice(questions, 3))
    with closing(generated_questions(1 + 2**32, SHORT)) as questions:
        assert list(islice(questions, 2)) == found[:2]
    generated = {example.prompt: example.target for example in mathderive.generate(12, seed=1, sampling=SHORT)}
    for question in found:
        assert generated[question.prompt] == question.reference
        assert mathderive.check(question.prompt, question.reference, rules="paper").verified
        repeated = question.prompt.removeprefix("Given ").replace(", then derive ", " and ")
        assert not mathderive.check(
            question.prompt, repeated.replace(", then obtain ", " and "), rules="paper"
        ).verified
