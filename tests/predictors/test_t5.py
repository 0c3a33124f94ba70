"""The T5 predictor, on folders of this package and of Hugging Face."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mathderive.config.schema import DecodingSettings
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.sampling import Sampling, sample_key
from mathderive.model.weights import write_folder
from mathderive.predictors import t5
from mathderive.predictors.base import predict_set
from mathderive.predictors.t5 import T5Model
from mathderive.records import Example
from tests.support import tiny_training
from tests.support.torch_t5 import CONFIGS, random_params

DECODING = DecodingSettings(batch_size=4, max_source_length=24, max_target_length=12)


def example(number: int, prompt: str) -> Example:
    return Example(
        id=f"s{number}-static", source_id=f"s{number}", set="static", prompt=prompt, target="x = 1", steps=[]
    )


EXAMPLES = [example(number, prompt) for number, (prompt, _) in enumerate(tiny_training.PAIRS[:10])]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "t5"
    tiny_training.run(folder, training=tiny_training.TRAINING.model_copy(update={"steps": 8}))
    return folder


@pytest.fixture(scope="module")
def predictor(checkpoint: Path) -> T5Model:
    return T5Model("ours", str(checkpoint), DECODING)


@pytest.mark.slow
def test_every_example_is_in_one_batch_whatever_the_order(predictor: T5Model) -> None:
    batches = predictor.batches(EXAMPLES)
    assert batches == predictor.batches(EXAMPLES[::-1])
    assert sorted(one.id for batch in batches for one in batch) == sorted(one.id for one in EXAMPLES)
    assert [len(batch) for batch in batches] == [4, 4, 2]


def test_predictions_are_complete_records_in_order(predictor: T5Model) -> None:
    batches = predictor.batches(EXAMPLES)
    for batch, predictions in zip(batches, predictor.predict(batches), strict=True):
        assert [prediction.id for prediction in predictions] == [one.id for one in batch]
        for prediction in predictions:
            assert prediction.model == "ours"
            assert prediction.error is None
            assert prediction.finish_reason in ("stop", "length")
            assert prediction.usage is not None
            assert 1 < prediction.usage["prompt_tokens"] <= 24
            assert 1 <= prediction.usage["completion_tokens"] <= 12
            if prediction.finish_reason == "length":
                assert prediction.usage["completion_tokens"] == 12


@pytest.mark.slow
def test_a_short_answer_needs_no_compilation_after_those_beforehand(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = T5Model("ours", str(checkpoint), DECODING.model_copy(update={"batch_size": 3}))
    model.compile_short(96, 100)
    sources = [model.encode(one.prompt) for one in EXAMPLES[:2]]
    texts: list[str] = []
    with caplog.at_level(logging.DEBUG, "jax"):
        completions = model.complete(sources, [100, 70], lambda row, text: texts.append(text), 96)
        assert not [record for record in caplog.messages if "XLA compilation" in record]
        assert [one.completion_tokens for one in completions] == [100, 70]
        assert model.complete(sources, [100, 70]) == completions
        assert [record for record in caplog.messages if "XLA compilation" in record]
    assert texts


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_short_answer_is_the_beginning_of_a_longer_one(predictor: T5Model, temperature: float) -> None:
    sources = [predictor.encode(one.prompt) for one in EXAMPLES[:2]]
    samplings = [Sampling([sample_key(1, one.prompt, 0)], temperature) for one in EXAMPLES[:2]]
    short, long = (
        predictor.complete_with_samples(sources, samplings, [limit] * 2)
        if temperature
        else [[one] for one in predictor.complete(sources, [limit] * 2)]
        for limit in (5, 12)
    )
    for (begun,), (whole,) in zip(short, long, strict=True):
        assert whole.text.startswith(begun.text)
        assert begun.completion_tokens == 5 < whole.completion_tokens


@pytest.mark.parametrize(("asked", "used"), [(None, "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")])
def test_the_config_may_name_the_dtype(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None, used: str
) -> None:
    seen: list[str] = []

    def decode(config: T5Config, params: Any, sources: Any, longest: int, dtype: str, *_: Any) -> list[list[int]]:
        seen.append(dtype)
        return [[1]] * 4

    monkeypatch.setattr(t5, "decode", decode)
    model = T5Model("ours", str(checkpoint), DECODING.model_copy(update={"dtype": asked}))
    list(model.predict([EXAMPLES[:4]]))
    assert seen == [used]


def test_the_same_checkpoint_and_batch_give_the_same_text(predictor: T5Model, checkpoint: Path) -> None:
    batches = predictor.batches(EXAMPLES)
    again = T5Model("ours", str(checkpoint), DECODING)
    assert list(again.predict(batches)) == list(predictor.predict(batches))


def test_concurrent_batches_do_not_change_each_other(predictor: T5Model) -> None:
    batches = predictor.batches(EXAMPLES)
    alone = [predictions for batch in batches for predictions in predictor.predict([batch])]
    assert list(predictor.predict(batches)) == alone


def test_two_batches_are_computed_at_once(predictor: T5Model, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=60)  # breaks if one batch waits for the other to end

    def ids(batch: Sequence[Example]) -> list[str]:
        both.wait()
        return [one.id for one in batch]

    monkeypatch.setattr(predictor, "_predict_batch", ids)
    batches = predictor.batches(EXAMPLES)[:2]
    found: list[Any] = list(predictor.predict(batches))
    assert found == [[one.id for one in batch] for batch in batches]


def test_only_the_first_set_waits_for_a_compilation(checkpoint: Path, tmp_path: Path) -> None:
    notes: list[tuple[str, int, str]] = []

    def on_progress(what: str, done: int, wanted: int, note: str = "") -> None:
        notes.append((what, done, note))

    predictor = T5Model("ours", str(checkpoint), DECODING)
    for name in ("static", "vr"):
        predict_set(predictor, EXAMPLES[:2], tmp_path / f"{name}.jsonl", on_progress)
    assert notes == [
        ("ours static", 0, "compiling"),
        ("ours static", 2, ""),
        ("ours vr", 0, ""),
        ("ours vr", 2, ""),
    ]


def test_a_hugging_face_folder_predicts(tmp_path: Path) -> None:
    from transformers import T5Tokenizer

    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(piece, -3.0) for piece in "\u2581abcdeghinoprtvxyz=+-,G0123456789q"]
    T5Tokenizer(vocab=special + pieces, extra_ids=0).save_pretrained(tmp_path)
    write_folder(tmp_path, random_params(CONFIGS["t5-1.1"], 0), CONFIGS["t5-1.1"])
    predictor = T5Model("released", str(tmp_path), DECODING)
    ((first, *_),) = predictor.predict([EXAMPLES[:3]])
    assert first.text
    assert first.model == "released"


def test_a_folder_without_a_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json: no such file"):
        T5Model("none", str(tmp_path), DECODING)
