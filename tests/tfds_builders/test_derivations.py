"""Generated datasets depend on config and seed alone, are disjoint up to renaming, and read back as written."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from etils import epath
from tensorflow_datasets.core import dataset_metadata, shuffle

import tfds_builders
from mathderive.checker.checker import check
from mathderive.config.schema import DataSettings, RunSettings
from mathderive.core.checksums import CHECKSUMS
from mathderive.core.errors import InputError
from mathderive.records import EVALUATION_SETS, PERTURBED_SETS, Example, Split
from mathderive.symbolic.engine.derivation import Derivation, canonical_form, derivation_from_json
from mathderive.symbolic.engine.evaluation_sets import evaluation_set
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.prompts import repeat_prompt
from tfds_builders.building import build_derivations
from tfds_builders.derivations import splits as splitting
from tfds_builders.derivations.display import display
from tfds_builders.derivations.generation import SPLITS, preview
from tfds_builders.example_features import read_examples

from . import make_golden_content

SAMPLING = SamplingSettings(vocabulary=tuple("abcfgxyz"), length_min=4, length_max=4, length_mean=4, length_std=1)


def settings(**changes: object) -> DataSettings:
    fields = {"sizes": {"train": 40, "validation": 6, "static": 10}, "sampling": SAMPLING, "workers": 1, **changes}
    return DataSettings.model_validate(fields)


def quiet(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


def build(folder: Path, seed: int = 0, **changes: object) -> dict[str, list[Example]]:
    built = build_derivations(settings(**changes), RunSettings(seed=seed), folder, quiet)
    return {name: read_examples(folder / built["path"], name) for name in built["sizes"]}


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    return build(tmp_path_factory.mktemp("derivations"))


def test_the_splits_have_the_sizes_asked_for(splits: dict[str, list[Example]]) -> None:
    assert {name: len(splits[name]) for name in SPLITS} == {"train": 40, "validation": 6, "static": 10}


def derivation_of(example: Example) -> Derivation:
    return derivation_from_json([(step.annotation, step.srepr) for step in example.steps])


def canonical_forms(examples: list[Example]) -> list[str]:
    return [canonical_form(derivation_of(example)) for example in examples]


def test_no_two_splits_share_a_derivation_up_to_renaming(splits: dict[str, list[Example]]) -> None:
    forms = {name: set(canonical_forms(splits[name])) for name in splits}
    assert not forms["validation"] & forms["static"]
    for name in splits:
        if name != "train":
            assert not forms["train"] & forms[name], name
        if name not in ("train", "validation"):
            assert not forms["validation"] & forms[name], name


@dataclass(frozen=True)
class Built:
    """A dataset: whether its splits are leak-free, the results of the build, and the canonical forms of each split."""

    leak_free: bool
    results: dict[str, Any]
    forms: dict[str, list[str]]


@pytest.fixture(scope="module", params=[True, False], ids=["leak_free", "plain"])
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A dataset of so few names and steps that examples and variants recur up to renaming."""
    sampling = SamplingSettings(
        vocabulary=tuple("fgxy"), length_min=3, length_max=3, length_mean=3, length_std=1, max_characters=100
    )
    sizes = {"train": 250, "validation": 20, "static": 120}
    folder = tmp_path_factory.mktemp("narrow")
    chosen = settings(sampling=sampling, sizes=sizes, workers=2, leak_free=request.param)
    built = build_derivations(chosen, RunSettings(), folder, quiet)
    forms = {name: canonical_forms(read_examples(folder / built["path"], name)) for name in built["sizes"]}
    return Built(request.param, built, forms)


@pytest.mark.slow
def test_the_metadata_state_the_actual_overlap(narrow: Built) -> None:
    forms = narrow.forms
    train = set(forms["train"])
    counts = {name: sum(form in train for form in forms[name]) for name in forms if name != "train"}
    assert narrow.results["overlap_with_train"] == counts


@pytest.mark.slow
def test_only_the_papers_plain_splits_overlap(narrow: Built) -> None:
    built = narrow.results
    assert built["lost"] == []
    if narrow.leak_free:
        assert not any(built["overlap_with_train"].values())
        evaluated = {form for name in EVALUATION_SETS for form in narrow.forms[name]}
        assert not set(narrow.forms["validation"]) & evaluated
        assert built["sizes"]["ag"] < built["sizes"]["static"]  # some were left out
    else:
        assert built["overlap_with_train"]["static"] > 0
        assert built["overlap_with_train"]["ag"] > 0
        assert built["sizes"]["ee"] == built["sizes"]["static"]


def is_solved_by_copying(example: Example) -> bool:
    return check(example.prompt, repeat_prompt(example.prompt)).verified


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("rule", ["train_only", "leave_out"])
def test_no_evaluated_question_is_solved_by_copying(tmp_path: Path, rule: str) -> None:
    splits = build(tmp_path, copy_verified=rule)
    assert {name: len(splits[name]) for name in SPLITS} == {"train": 40, "validation": 6, "static": 10}
    solved = {name for name in splits if any(map(is_solved_by_copying, splits[name]))}
    assert solved == ({"train", "validation"} if rule == "train_only" else set())
    shown = islice(preview(settings(copy_verified=rule), 0, "static"), 10)
    assert [example.prompt for example in shown] == [example.prompt for example in splits["static"]]


def test_no_text_occurs_in_a_split_twice(splits: dict[str, list[Example]]) -> None:
    for name in SPLITS:
        targets = [example.target for example in splits[name]]
        assert len(set(targets)) == len(targets)


def test_variants_belong_to_static_examples(splits: dict[str, list[Example]]) -> None:
    static = {example.source_id: example for example in splits["static"]}
    for name in PERTURBED_SETS:
        for variant in splits[name]:
            assert variant.set == name
            assert variant.source_id in static
            assert variant.id == f"{variant.source_id}-{name}"
    for variant in splits["sr"]:
        original = static[variant.source_id]
        assert variant.target == original.target
        assert ", then derive " in original.prompt
        assert ", then derive " not in variant.prompt


def test_variants_conform_to_the_rule_of_their_set(splits: dict[str, list[Example]]) -> None:
    static = {example.source_id: example for example in splits["static"]}
    for name in PERTURBED_SETS:
        find_fault = evaluation_set(name).find_fault
        assert find_fault is not None
        for variant in splits[name]:
            assert find_fault(derivation_of(static[variant.source_id]), derivation_of(variant)) is None


@pytest.mark.parametrize("name", ["train", "static", "vr", "ee", "ag", "sr"])
def test_a_preview_shows_the_first_examples_of_the_dataset(splits: dict[str, list[Example]], name: Split) -> None:
    wanted = splits[name][:2]
    shown = list(islice(preview(settings(), 0, name), len(wanted)))
    assert shown == wanted
    for example in shown:
        text = display(example)
        assert text.startswith(f"{example.id}\n     {example.prompt}\n  1  ")
        assert len(text.splitlines()) == 2 + len(example.steps)


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_the_number_of_workers_changes_nothing(splits: dict[str, list[Example]], tmp_path: Path, workers: int) -> None:
    assert build(tmp_path, workers=workers) == splits


def test_another_seed_gives_other_examples(splits: dict[str, list[Example]], tmp_path: Path) -> None:
    assert build(tmp_path, seed=1)["train"] != splits["train"]


@pytest.mark.parametrize("name", ["derivations", "released"])
def test_tfds_can_read_the_description_in_a_builders_folder(name: str) -> None:
    metadata = dataset_metadata.load(epath.Path(tfds_builders.__file__).parent / name)
    assert metadata.description
    assert metadata.citation
    assert metadata.tags
    assert set(metadata.tags) <= set(dataset_metadata.valid_tags())


def test_the_papers_plain_splits_take_derivations_in_order(tmp_path: Path) -> None:
    plain = build(tmp_path, leak_free=False)
    attempts = [int(example.source_id) for name in SPLITS for example in plain[name]]
    assert attempts == sorted(attempts)


SCRIPT = """
import sys
from itertools import islice
from pathlib import Path
sys.path[:0] = {path!r}
from tests.tfds_builders.test_derivations import build_hash
if __name__ == "__main__":
    print(build_hash(Path(sys.argv[1])))
"""


def build_hash(folder: Path) -> str:
    return str(build_derivations(settings(), RunSettings(), folder, quiet)["content_hash"])


@pytest.mark.slow
@pytest.mark.long
def test_the_hash_seed_changes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text(SCRIPT.format(path=[str(Path(__file__).parents[2])]), encoding="utf-8")
    hashes = {
        subprocess.run(
            [sys.executable, script, tmp_path / hash_seed],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "4242")
    }
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 64


@pytest.mark.slow
def test_contents_match_the_hash_of_the_major_version(tmp_path: Path) -> None:
    pinned = json.loads(make_golden_content.GOLDEN.read_text(encoding="utf-8"))
    assert make_golden_content.content_hash_of(tmp_path) == pinned.get(make_golden_content.MAJOR), (
        "contents changed -> raise the major version"
    )


def test_settings_that_give_too_few_derivations_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "MAX_ATTEMPTS_PER_EXAMPLE", 20)
    narrow = SAMPLING.model_copy(update={"max_characters": 20})
    with pytest.raises(InputError, match=r"data\.sampling: 0 new derivations in"):
        build(tmp_path, sampling=narrow, sizes={"train": 1, "validation": 1, "static": 1})


def test_a_split_too_large_for_tfdss_own_writer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "MAX_MEM_BUFFER_SIZE", 1000)
    with pytest.raises(InputError, match="the same command with --beam"):
        build(tmp_path)
    assert list((tmp_path / "data" / "work" / "candidates").iterdir())


def test_a_flipped_bit_in_any_file_is_one_line(tmp_path: Path) -> None:
    built = build_derivations(
        settings(sizes={"train": 4, "validation": 1, "static": 2}), RunSettings(), tmp_path, quiet
    )
    folder = tmp_path / built["path"]
    files = [path for path in sorted(folder.iterdir()) if path.stat().st_size]
    assert CHECKSUMS in {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        damaged = bytearray(content)
        damaged[len(content) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            for split in built["sizes"]:
                read_examples(folder, split)
        path.write_bytes(content)
    assert len(read_examples(folder, "train")) == 4
