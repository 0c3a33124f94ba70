"""The T5 predictor, from a folder of ours and from Hugging Face's."""

import threading
from pathlib import Path

import pytest

from mathderive.config.schema import DecodingSettings
from mathderive.core.errors import InputError
from mathderive.model.weights import write_folder
from mathderive.predictors import t5
from mathderive.predictors.t5 import T5Model
from mathderive.records import Example
from tests.support import tiny_training
from tests.support.torch_t5 import CONFIGS, random_params

DECODING = DecodingSettings(batch_size=4, max_source_length=24, max_target_length=12)


def example(number, prompt):
    identity = {"id": f"s{number}-static", "source_id": f"s{number}", "set": "static"}
    return Example(**identity, prompt=prompt, target="x = 1", steps=[])


EXAMPLES = [example(number, prompt) for number, (prompt, _) in enumerate(tiny_training.PAIRS[:10])]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("model") / "t5"
    tiny_training.run(folder, training=tiny_training.TRAINING.model_copy(update={"steps": 8}))
    return folder


@pytest.fixture(scope="module")
def predictor(checkpoint):
    return T5Model("ours", str(checkpoint), DECODING)


def test_every_example_is_in_one_batch_whatever_the_order(predictor) -> None:
    batches = predictor.batches(EXAMPLES)
    assert batches == predictor.batches(EXAMPLES[::-1])
    assert sorted(one.id for batch in batches for one in batch) == sorted(one.id for one in EXAMPLES)
    assert [len(batch) for batch in batches] == [4, 4, 2]


def test_predictions_are_whole_records_in_order(predictor) -> None:
    batches = predictor.batches(EXAMPLES)
    for batch, predictions in zip(batches, predictor.predict(batches), strict=True):
        assert [prediction.id for prediction in predictions] == [one.id for one in batch]
        for prediction in predictions:
            assert prediction.model == "ours"
            assert prediction.error is None
            assert prediction.finish_reason in ("stop", "length")
            assert 1 < prediction.usage["prompt_tokens"] <= 24
            assert 1 <= prediction.usage["completion_tokens"] <= 12
            if prediction.finish_reason == "length":
                assert prediction.usage["completion_tokens"] == 12


@pytest.mark.parametrize(("asked", "used"), [(None, "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")])
def test_the_config_may_name_the_dtype(checkpoint, monkeypatch: pytest.MonkeyPatch, asked, used) -> None:
    seen = []
    monkeypatch.setattr(
        t5, "decode", lambda config, params, sources, longest, dtype, *_: (seen.append(dtype), [[1]] * 4)[1]
    )
    model = T5Model("ours", str(checkpoint), DECODING.model_copy(update={"dtype": asked}))
    list(model.predict([EXAMPLES[:4]]))
    assert seen == [used]


def test_the_same_checkpoint_and_batch_give_the_same_text(predictor, checkpoint) -> None:
    batches = predictor.batches(EXAMPLES)
    again = T5Model("ours", str(checkpoint), DECODING)
    assert list(again.predict(batches)) == list(predictor.predict(batches))


def test_batches_under_way_together_do_not_change_each_other(predictor) -> None:
    batches = predictor.batches(EXAMPLES)
    alone = [predictions for batch in batches for predictions in predictor.predict([batch])]
    assert list(predictor.predict(batches)) == alone


def test_two_batches_are_under_way_at_once(predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=60)  # breaks where one batch waits for the other to end

    def ids(batch):
        both.wait()
        return [one.id for one in batch]

    monkeypatch.setattr(predictor, "_predict_batch", ids)
    batches = predictor.batches(EXAMPLES)[:2]
    assert list(predictor.predict(batches)) == [[one.id for one in batch] for batch in batches]


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


def test_what_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json: no such file"):
        T5Model("none", str(tmp_path), DECODING)
