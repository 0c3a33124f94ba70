"""The shards stage: the examples that training reads, and their independence of kills and workers."""

import json
import re
from itertools import islice
from pathlib import Path

import pytest

from mathderive.config.schema import (
    DataSettings,
    ModelSettings,
    NameShares,
    ShardsSettings,
    SplitSizes,
    TrainingSettings,
)
from mathderive.model.tokenizer import load_tokenizer
from mathderive.pipeline.results import ShardsResults
from mathderive.pipeline.token_shards import write_shards
from mathderive.records import Example
from mathderive.symbolic.vocabulary import VOCABULARY
from mathderive.training.shards import VALIDATION, read_shard
from tests.support.command import TINY, complaint, run
from tests.support.tiny_training import silent
from tests.support.withheld import WITHHELD
from tfds_builders.derivations.generation import preview

MODEL = ModelSettings(vocab_size=80)
TRAINING = TrainingSettings(batch_size=4, epochs=1, learning_rate=1e-3, max_source_length=400, max_target_length=700)
SHARDS = ShardsSettings(copies=3, examples_per_file=16)
SEED = 5


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Sixty derivations of the paper's settings; all but four of them are for training."""
    settings = DataSettings(sizes=SplitSizes(train=60, validation=1, static=1))
    return list(islice(preview(settings, 77, "train"), 60))


def make(examples: list[Example], folder: Path, shards: ShardsSettings = SHARDS, workers: int = 1) -> ShardsResults:
    folder.mkdir(exist_ok=True)
    return write_shards(examples[4:], examples[:4], shards, MODEL, TRAINING, SEED, workers, folder, silent)


@pytest.fixture(scope="module")
def shards(examples: list[Example], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ShardsResults]:
    folder = tmp_path_factory.mktemp("sharding") / "shards"
    return folder, make(examples, folder)


def texts(folder: Path, pattern: str = "*.npz") -> list[tuple[str, str]]:
    """The prompts and targets of all files, in the files' order."""
    tokenizer = load_tokenizer(folder / "tokenizer")
    return [
        (tokenizer.decode(source.tolist()), tokenizer.decode(answer.tolist()))
        for path in sorted(folder.glob(pattern))
        for source, answer in read_shard(path)
    ]


@pytest.mark.slow
def test_the_renaming_perturbations_letters_stay_out_of_training(shards: tuple[Path, ShardsResults]) -> None:
    read = [text for pair in texts(shards[0]) for text in pair]
    assert len(read) > 100
    assert not [text for text in read if WITHHELD.search(text)]


def test_copies_bear_other_names(shards: tuple[Path, ShardsResults], examples: list[Example]) -> None:
    read = [answer for _, answer in texts(shards[0], "train-*.npz")]
    own = {example.target for example in examples}
    assert 0 < sum(text in own for text in read) < 0.5 * len(read)
    made_up = re.compile(r"\\[a-z]{2,7}")
    unknown = {name for text in read for name in made_up.findall(text)} - set(VOCABULARY)
    assert len(unknown) > 40


def test_the_first_copy_goes_from_short_to_long(examples: list[Example], tmp_path: Path) -> None:
    make(examples, tmp_path, ShardsSettings(copies=1, examples_per_file=4, names=NameShares(vocabulary=0, made_up=0)))
    lengths = [len(answer) for _, answer in texts(tmp_path, "train-000-*.npz")]
    assert lengths == sorted(lengths)
    assert len(lengths) > 20


@pytest.mark.slow
def test_killed_and_called_again_with_other_workers_is_the_same(
    shards: tuple[Path, ShardsResults], examples: list[Example], tmp_path: Path
) -> None:
    make(examples, tmp_path, workers=2)
    for name in ("recipe.json", VALIDATION, "train-001-000.npz"):
        (tmp_path / name).unlink()
    assert make(examples, tmp_path) == shards[1]
    assert texts(tmp_path) == texts(shards[0])


def test_the_tokenizer_learns_no_made_up_name(shards: tuple[Path, ShardsResults], examples: list[Example]) -> None:
    tokenizer = load_tokenizer(shards[0] / "tokenizer")
    known = " ".join(text for example in examples for text in (example.prompt, example.target))
    special_and_bytes = tokenizer.vocab_size - MODEL.vocab_size + 3
    pieces = [tokenizer.decode([number]) for number in range(special_and_bytes, tokenizer.vocab_size)]
    assert len(set(pieces)) > 60
    assert all(piece in known for piece in pieces)


@pytest.mark.long
@pytest.mark.slow
def test_a_config_with_shards_trains_by_way_of_them(tmp_path: Path) -> None:
    config = ("--config", TINY, "shards.copies=2", "training.epochs=1", "training.steps=null", "training.batch_size=8",
              "training.max_source_length=400", "training.max_target_length=400")  # fmt: skip
    result = run("all", *config, cwd=tmp_path)
    assert result.stdout.strip() == "runs/tiny/report/index.html"
    folder = tmp_path / "runs" / "tiny"
    results = {stage: json.loads((folder / f"{stage}.json").read_text())["results"] for stage in ("shards", "train")}
    assert results["shards"]["examples"] == 2 * 60
    assert results["train"]["steps"] == 2 * -(-60 // 8)
    assert results["train"]["validation_rouge2"] is None
    assert run("all", *config, cwd=tmp_path).stderr.count("nothing to do") == 7
    again = run("train", *config, "shards.copies=1", cwd=tmp_path).stderr
    assert "shards: begins" in again
    assert "train: begins" in again
    for wrong, says in (("model.init_from=nowhere", "trained from scratch"), ("shards.max_characters=1", "no example")):
        assert says in complaint(run("train", *config, wrong, cwd=tmp_path, code=2).stderr)
