"""The keys in which two configs differ: by hand, and by their laws for any trees."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mathderive.config.differences import Difference, differences
from mathderive.config.loading import load_config
from tests.support.command import TINY

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text("ab", max_size=2)
    | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=12,
)
trees = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def test_overrides_are_the_differences() -> None:
    changes = ["decoding.batch_size=5", "model=null", "training=null", "predictors.0={kind: copy, name: again}"]
    one, other = (load_config(TINY, overrides).model_dump(mode="json") for overrides in ([], changes))
    found = {difference.key: difference for difference in differences(one, other)}
    assert found["decoding.batch_size"] == Difference("decoding.batch_size", "4", "5")
    assert found["predictors.0.kind"] == ("predictors.0.kind", '"t5"', '"copy"')
    assert found["predictors.0.checkpoint"].second is None  # a copy has no such key
    assert found["model"].second == "null"
    assert json.loads(found["model"].first or "")["d_model"] == 16
    assert {key.partition(".")[0] for key in found} == {"decoding", "model", "predictors", "training"}


def value_at(tree: Any, key: str) -> str | None:
    for name in key.split("."):
        if isinstance(tree, list):
            tree = dict(zip(map(str, range(len(tree))), tree, strict=True))
        if name not in tree:
            return None
        tree = tree[name]
    return json.dumps(tree)


@given(trees, trees)
def test_every_difference_is_one_and_none_is_missing(one: Any, other: Any) -> None:
    found = list(differences(one, other))
    for key, first, second in found:
        assert (first, second) == (value_at(one, key), value_at(other, key))
        assert first != second
    assert bool(found) == (one != other)
    keys = [difference.key for difference in found]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys for longer in keys if longer.startswith(f"{key}.")]


@given(trees, trees)
def test_exchanging_the_configs_exchanges_the_values(one: Any, other: Any) -> None:
    exchanged = {(key, second, first) for key, first, second in differences(other, one)}
    assert exchanged == set(differences(one, other))
    assert list(differences(one, one)) == []
