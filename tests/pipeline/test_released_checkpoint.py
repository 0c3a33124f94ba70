"""`checkpoints/mini`, the checkpoint that comes with the kit."""

import json
import shutil
from pathlib import Path

import pytest

from mathderive.config.schema import DecodingSettings
from mathderive.core.checksums import CHECKSUMS
from mathderive.core.errors import InputError
from mathderive.predictors.t5 import T5Model
from mathderive.records import EVALUATION_SETS, Example
from mathderive.symbolic.vocabulary import RENAMING_LETTERS
from mathderive.training.conversion import open_checkpoint
from tests.support.command import run

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"


def test_it_is_small_and_whole() -> None:
    assert sum(path.stat().st_size for path in MINI.iterdir()) <= 12e6
    opened = open_checkpoint(str(MINI))
    assert opened.dtype == "bfloat16"
    card = (MINI / "README.md").read_text(encoding="utf-8")
    assert f"{sum(array.size for array in opened.params().values()):,}" in card


def test_a_flipped_bit_in_any_file_is_one_line(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(MINI, tmp_path / "mini"))
    assert (copy / CHECKSUMS).is_file()
    for path in sorted(copy.iterdir()):
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 1
        path.write_bytes(damaged)
        if path.name == "README.md":
            open_checkpoint(str(copy)).params()
        else:
            with pytest.raises(InputError):
                open_checkpoint(str(copy)).params()
        path.write_bytes(content)


def test_no_piece_spells_a_letter_that_was_withheld() -> None:
    tokenizer = open_checkpoint(str(MINI)).tokenizer
    pieces = [tokenizer.decode([number]).strip() for number in range(tokenizer.vocab_size)]
    assert not set(RENAMING_LETTERS) & set(pieces)


def test_it_repeats_premises_in_letters_it_never_read() -> None:
    function, variable = RENAMING_LETTERS[:2]
    premise = rf"{function}{{({variable})}} = \sin{{({variable})}}"
    goal = rf"\frac{{d}}{{d {variable}}} {function}{{({variable})}} = \cos{{({variable})}}"
    asked = f"Given {premise}, then obtain {goal}"
    example = Example(id="s0-vr", source_id="s0", set="vr", prompt=asked, target=goal, steps=[])
    mini = T5Model("mini", str(MINI), DecodingSettings(batch_size=1, dtype="float32"))
    ((prediction,),) = mini.predict([[example]])
    assert prediction.finish_reason == "stop"
    assert prediction.text.startswith(f"{premise} and ")
    assert set(prediction.text) <= set(asked)


@pytest.mark.long
@pytest.mark.slow
def test_it_beats_the_copy_baseline_on_all_five_sets(shared_reference: Path, tmp_path: Path) -> None:
    result = run("eval", "--released", shared_reference, "evaluation.examples=20", cwd=tmp_path)
    assert "eval: on the authors' released examples" in result.stderr
    tables = json.loads((tmp_path / "runs" / "eval-quick" / "report" / "tables.json").read_text(encoding="utf-8"))
    scores = {(row["model"], row["set"]): row for row in tables["scores"]}
    for name in EVALUATION_SETS:
        for metric in ("rouge2", "bleu", "gleu"):
            assert scores["mini", name][metric] > scores["copy", name][metric] + 0.02, (name, metric)
