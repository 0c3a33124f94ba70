"""Scores of models and verdicts on references by field of physics, by hand."""

from functools import cache

from mathderive.checker.checker import Checker
from mathderive.metrics.checked_answers import CheckedAnswer, checked_answer
from mathderive.metrics.physics import PhysicsReferences, field_rows, reference_rows
from mathderive.records import RULES, Example, Prediction, Rules
from mathderive.report.physics_tables import physics_tables
from tests.metrics.test_comparisons import by_model, make_score

FIELDS = ("Mechanics", "Optics", "Mechanics")
PROMPT = "Given a = b and b = c, then obtain a = c"
TEXTS = ("a = b and b = c and a = c", "a = b and b = c and a = 2 b and a = c", "a = b and a = ) and a = c")
"""Three derivations: a verified one, one with a false equation, and one with a text that is no equation."""


@cache
def references() -> PhysicsReferences:
    ids = [f"{row}-static" for row in range(3)]

    def checked(row: int, rules: Rules) -> CheckedAnswer:
        example = Example(id=ids[row], source_id=str(row), set="static", prompt=PROMPT, target=TEXTS[row], steps=[])
        written = Prediction(id=ids[row], source_id=str(row), set="static", model="reference", text=TEXTS[row])
        return checked_answer(example, written, Checker(PROMPT, "0", rules).check(TEXTS[row]))

    return PhysicsReferences(
        names={key: f"Name of {key}" for key in ids},
        fields=dict(zip(ids, FIELDS, strict=True)),
        verdicts={rules: [checked(row, rules) for row in range(3)] for rules in RULES},
    )


def test_a_models_answers_are_averaged_by_field() -> None:
    scores = by_model([make_score(row, model=model, value=row / 4) for model in ("a", "b") for row in range(3)])
    rows = field_rows(references(), scores)
    assert [(row.model, row.field, row.answers) for row in rows] == [
        (model, field, count) for model in ("a", "b") for field, count in (("Mechanics", 2), ("Optics", 1), (None, 3))
    ]
    found = [row.means["rouge2"] for row in rows]
    assert [mean and mean.value for mean in found] == [0.25, 0.25, 0.25] * 2
    assert all(row.means["verified"] is None for row in rows)


def test_verdicts_on_references_are_counted_by_field_and_rules() -> None:
    rows = {(row.field, row.rules): row for row in reference_rows(references())}
    assert list(rows) == [(field, rules) for field in ("Mechanics", "Optics", None) for rules in RULES]
    mechanics, optics, all_fields = (rows[field, "paper"] for field in ("Mechanics", "Optics", None))
    assert (mechanics.derivations, mechanics.equations) == (2, 6)
    assert mechanics.truths["unparsable"] == 1
    assert mechanics.verified is not None
    assert mechanics.verified.value == 0.5
    assert optics.truths["incorrect"] == 1
    assert optics.sound is not None
    assert optics.sound.value == 0
    for truth, count in all_fields.truths.items():
        assert count == mechanics.truths[truth] + optics.truths[truth]


def test_tables_show_shares_and_counts() -> None:
    scores = by_model([make_score(row, model="a", value=row / 4) for row in range(3)])
    of_references, of_models = physics_tables(
        field_rows(references(), scores), reference_rows(references()), intervals=False
    )
    assert of_references.rows[0][:4] == ["Mechanics", "paper", "2", "6"]
    cells = dict(zip(of_references.head, of_references.rows[0], strict=True))
    assert (cells["Unparsable"], cells["Incorrect"], cells["Verified"]) == ("16.7 (1)", "0.0 (0)", "50.0")
    assert of_models.rows[-1][:3] == ["a", "All fields", "25.0"]
    assert of_models.rows[-1][-1] == "3"
    assert physics_tables([], []) == []


def test_references_that_were_not_checked_have_no_rows() -> None:
    unchecked = PhysicsReferences(references().names, references().fields, {})
    assert reference_rows(unchecked) == []
    (table,) = physics_tables(field_rows(unchecked, by_model([make_score(0, model="a")])), [])
    assert table.title == "Models by field of physics"
