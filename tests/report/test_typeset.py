"""Typesetting: everything that our vocabulary prints, texts of models, and no foreign markup."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mathderive.checker.reading.answers import split_answer
from mathderive.report.typeset import mathml, typeset
from tests.support.released_records import MODELS, load


def shown_text(markup: str | None) -> str:
    assert markup is not None
    return "".join(ElementTree.fromstring(markup).itertext())


def test_every_reference_equation_is_set(shared_reference: Path) -> None:
    examples = [example for model in MODELS for example in load(shared_reference, model).examples]
    printed = {equation for example in examples for equation in split_answer(example.target)}
    for equation in printed:
        text = shown_text(typeset(equation))
        assert not re.search(r"[\\{}_^]", text), equation
        # All digits are kept; only parentheses without a meaning may be dropped.
        assert sorted(filter(str.isdigit, text)) == sorted(filter(str.isdigit, equation)), equation
        assert text.count("(") == text.count(")") <= equation.count("("), equation


def test_every_name_of_the_vocabulary_is_set(shared_reference: Path) -> None:
    vocabulary = json.loads((shared_reference / "vocabulary.json").read_text())
    for name in vocabulary:
        assert shown_text(mathml(f"{name} = 1")).endswith("=1")
        assert shown_text(mathml(rf"\operatorname{{{name}}}{{(x)}} = 1")).endswith("(x)=1")


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\omicron = \upsilon", "ο=υ"),
        (r"\operatorname{f^{\prime}}^{2}{(x,y)} = 1", "f′2(x,y)=1"),
        (r"\iint x dx dy = \mathbf{J}_P", "∬xdxdy=𝐉P"),
        (r"\mathbb{I}{(x)} = \dot{\mathbf{r}}", "𝕀(x)=𝐫˙"),
    ],
)
def test_what_the_vocabulary_needs(latex: str, text: str) -> None:
    assert shown_text(mathml(latex)) == text


def test_parentheses_grow_and_carry_their_exponent() -> None:
    tree = ElementTree.fromstring(mathml(r"(\frac{x}{y})^{2} = 1") or "")
    (power,) = [node for node in tree.iter() if node.tag.endswith("}msup")]
    assert "".join(power[0].itertext()) == "(xy)"


def test_a_sign_is_no_operator() -> None:
    tree = ElementTree.fromstring(mathml("(- x)^{2} - y = - x - 1") or "")
    forms = [node.get("form") for node in tree.iter() if node.text == "−"]
    assert forms == ["prefix", None, "prefix", None]


@pytest.mark.parametrize(
    "written",
    [r"\frac{d}{d x} f{(x)}=1", r"\ frac { d } { d x } f { (x) } = 1", "frac { d } { d x } f { (x) } = 1\n"],
)
def test_the_same_equation_in_other_spacing_is_set_alike(written: str) -> None:
    assert typeset(written) == mathml(r"\frac{d}{d x} f{(x)} = 1")


@pytest.mark.parametrize("written", [r"\text{<img src=x>}", "", "and so on", r"\frac{x}{"])
def test_what_cannot_be_read_is_not_set(written: str) -> None:
    assert typeset(written) is None


HOSTILE = [
    r"\text{<img src=x onerror=alert(1)>} = 1",
    r"\text{</math><script>alert(1)</script>} = 1",
    r"\href{javascript:alert(1)}{x} = 1",
    r"\style{background:url(x)}{x} = 1",
    r"\class{x}{y} = 1",
    r"x & < > = 1",
    r"&lt;script&gt; = 1",
    r"\unknowncommand{x} = 1",
    r"\color{red}{x} = 1",
    "{" * 900 + "x" + "}" * 900,
    "{" * 3000,
    "}" * 30,
    "x" * 5000,
    "\u202ex = 1",
    "\x00x = 1",
    "\ud800 = 1",
]


@pytest.mark.parametrize("latex", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_brings_markup_in(latex: str) -> None:
    for markup in (typeset(latex), mathml(latex)):
        if markup is not None:
            tree = ElementTree.fromstring(markup)
            assert all(node.tag.startswith("{http://www.w3.org/1998/Math/MathML}m") for node in tree.iter())
            names = {name for node in tree.iter() for name in node.attrib}
            assert names <= {"display", "stretchy", "accent", "fence", "form", "width"}


@pytest.mark.parametrize(
    ("text", "shown"), [("x + x = 1", "x+x=1"), ("b + a = 1 + 1", "b+a=1+1"), (r"\sqrt{x} = a = b", "x=a=b")]
)
def test_an_equation_is_set_as_it_was_written(text: str, shown: str) -> None:
    assert shown_text(typeset(text)) == shown
