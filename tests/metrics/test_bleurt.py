"""BLEURT's scores: PyTorch's for the same texts, the same whatever is scored beside them, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mathderive.config.schema import BleurtSettings
from mathderive.core.errors import InputError
from mathderive.metrics.bleurt import Bleurt
from mathderive.model.bert_tokenizer import load_pair_tokenizer
from tests.support.torch_bert import CONFIG, PAIRS, VOCABULARY, torch_model, torch_scores, write_bleurt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bleurt(tmp_path_factory.mktemp("bleurt"))


@pytest.fixture(scope="module")
def make(folder: Path) -> Callable[..., Bleurt]:
    return lambda **settings: Bleurt(BleurtSettings(checkpoint=str(folder), **settings))


@pytest.fixture(scope="module")
def scores(make: Callable[..., Bleurt]) -> list[float]:
    return make(batch_size=5)(PAIRS)


def test_the_scores_are_the_recorded_ones(scores: list[float]) -> None:
    with np.load(Path(__file__).parents[1] / "model" / "golden" / "bert.npz") as golden:
        np.testing.assert_allclose(scores, golden["scores"], atol=1e-5)


def test_the_scores_are_pytorchs(folder: Path, scores: list[float]) -> None:
    pytest.importorskip("torch")
    np.testing.assert_allclose(scores, torch_scores(torch_model(CONFIG, 0), folder, PAIRS), atol=1e-5)


def test_a_score_does_not_depend_on_what_is_scored_beside_it(make: Callable[..., Bleurt], scores: list[float]) -> None:
    assert len(set(scores)) == len(scores), "texts that all score the same show nothing"
    for batch_size in (1, 3, 32):
        assert make(batch_size=batch_size)(PAIRS) == pytest.approx(scores, abs=1e-6)
    bleurt = make(batch_size=5)
    for pair, score in zip(PAIRS, scores, strict=True):
        assert bleurt([pair]) == pytest.approx([score], abs=1e-6)
    assert bleurt(PAIRS[::-1] + PAIRS[:3]) == scores[::-1] + scores[:3], "the same batches, bit for bit"
    assert bleurt([]) == []


def test_batches_hold_every_pair_once_and_like_lengths_together(make: Callable[..., Bleurt]) -> None:
    batches = make(batch_size=5).batches([*PAIRS, *PAIRS[:4]])
    assert sorted(pair for batch in batches for pair in batch) == sorted(PAIRS)
    assert [len(batch) for batch in batches] == [5, 5, 5, 3]
    assert ("", "") in batches[0]
    assert PAIRS[-2] in batches[-1]


def test_fewer_tokens_are_read_where_that_is_asked_for(
    folder: Path, make: Callable[..., Bleurt], scores: list[float]
) -> None:
    whole = load_pair_tokenizer(folder).encode([(reference, prediction) for prediction, reference in PAIRS], 10**6)
    fitting = [len(ids) <= 128 for ids, _ in whole]
    assert True in fitting
    assert False in fitting
    for fits, before, after in zip(fitting, scores, make(max_length=128)(PAIRS), strict=True):
        assert (before == pytest.approx(after, abs=1e-6)) == fits


def test_what_cannot_score_is_refused_at_once(tmp_path: Path) -> None:
    def refused(place: Path, message: str, **settings: int) -> None:
        with pytest.raises(InputError, match=message) as error:
            Bleurt(BleurtSettings(checkpoint=str(place), **settings))
        assert str(place) in str(error.value)

    folder = write_bleurt(tmp_path / "bleurt")
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in [*VOCABULARY, "more"]))
    refused(folder, f"has {len(VOCABULARY) + 1} tokens and the embedding {len(VOCABULARY)} rows")
    (folder / "vocab.txt").unlink()
    refused(folder, "no tokenizer here")
    (folder / "model.safetensors").unlink()
    refused(folder, r"no model\.safetensors here")
    short = write_bleurt(tmp_path / "short", type(CONFIG)(**{**vars(CONFIG), "max_position_embeddings": 128}))
    refused(short, r"128 positions; expected score\.bleurt\.max_length to be no more")
    Bleurt(BleurtSettings(checkpoint=str(short), max_length=128))


def test_weights_that_give_no_number_are_refused(tmp_path: Path) -> None:
    path = write_bleurt(tmp_path) / "model.safetensors"
    weights = load_file(path)
    save_file(weights | {"classifier.bias": np.array([np.nan], np.float32)}, path)
    with pytest.raises(InputError, match="holds NaN or infinity"):
        Bleurt(BleurtSettings(checkpoint=str(tmp_path)))([("a", "b")])
    save_file(weights | {"classifier.weight": np.full_like(weights["classifier.weight"], 3e38)}, path)
    with pytest.raises(InputError, match="no finite number"):
        Bleurt(BleurtSettings(checkpoint=str(tmp_path)))([("a", "b")])
