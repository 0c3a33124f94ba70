"""The registry of operators: every entry is complete, and incomplete ones are refused."""

from dataclasses import replace

import pytest

from mathderive.core.errors import InputError
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, find_operator, register_operator
from mathderive.symbolic.engine.operators.functions import COS
from mathderive.symbolic.engine.operators.inverses import inverse_of
from mathderive.symbolic.engine.operators.registry import missing_part, operators_by_arguments
from mathderive.symbolic.engine.settings import SamplingSettings


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_every_operator_has_all_its_parts(operator: Operator) -> None:
    assert missing_part(operator) is None
    assert callable(inverse_of(operator))
    assert sum(operator in group for group in operators_by_arguments()) == 1
    assert SamplingSettings().operator_weights[operator.name] == operator.weight
    assert operator.sentence.format("equation 1", "equation 2", operand="$x$")
    if operator.mirror is not None:
        mirror = OPERATORS[operator.mirror]
        assert (mirror.mirror, mirror.arity) == (operator.name, operator.arity)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"name": "two words"}, "name"),
        ({"name": "premise"}, "taken"),
        ({"name": "cos"}, "taken"),
        ({"weight": -1}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"sentence": ""}, "sentence"),
        ({"sentence": "{0} and {operand}"}, "sentence"),
        ({"sentence": "{0"}, "sentence"),
        ({"function": None}, "function"),
        ({"arity": Arity.OPERAND}, "operands"),
        ({"arity": Arity.PREMISE, "sentence": "given"}, "draw_premise"),
    ],
)
def test_an_operator_without_a_part_is_refused(changes: dict[str, object], part: str) -> None:
    before = dict(OPERATORS)
    incomplete = replace(COS, **{"name": "mine", **changes})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=part):
        register_operator(incomplete)
    assert before == OPERATORS


def test_an_unknown_operator_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean evaluate_integrals"):
        find_operator("evaluate_integral")
