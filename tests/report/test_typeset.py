"""Typesetting: everything our vocabulary prints, and nothing that anybody else wrote."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from released_records import MODELS, load

from mathderive.metrics.text import equations
from mathderive.report.typeset import Typesetter, mathml, typeset


def shown_text(markup: str | None) -> str:
    assert markup is not None
    return "".join(ElementTree.fromstring(markup).itertext())


def test_every_reference_equation_is_set(shared_reference: Path) -> None:
    examples = [example for model in MODELS for example in load(shared_reference, model).examples]
    printed = {equation for example in examples for equation in equations(example.target)}
    typesetter = Typesetter(printed)
    for equation in printed:
        text = shown_text(typesetter.mathml(equation))
        assert not re.search(r"[\\{}_^]", text.replace("^", "")), equation
        # Digits and parentheses survive one for one.
        for characters in ("()", "0123456789"):
            count = sum(map(equation.count, characters))
            assert sum(map(text.count, characters)) == count, equation


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
def test_the_same_equation_in_other_spacing_is_set_from_the_printed_text(written: str) -> None:
    printed = r"\frac{d}{d x} f{(x)} = 1"
    assert Typesetter({printed}).mathml(written) == mathml(printed)


@pytest.mark.parametrize("written", [r"\frac{d}{d x} f{(x)} = 2", r"\text{<img src=x>}", "", "x"])
def test_what_nobody_printed_is_not_set(written: str) -> None:
    assert Typesetter({r"\frac{d}{d x} f{(x)} = 1"}).mathml(written) is None


def test_names_that_differ_in_spaces_only_are_not_set() -> None:
    typesetter = Typesetter({"a b = 1", "ab = 1", "c = 1"})
    assert typesetter.mathml("a b = 1") is None
    assert typesetter.mathml("c = 1") is not None


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
def test_not_even_a_trusted_equation_brings_markup_in(latex: str) -> None:
    markup = Typesetter({latex}).mathml(latex)
    if markup is not None:
        tree = ElementTree.fromstring(markup)
        assert all(node.tag.startswith("{http://www.w3.org/1998/Math/MathML}m") for node in tree.iter())
        names = {name for node in tree.iter() for name in node.attrib}
        assert names <= {"display", "stretchy", "accent", "fence", "form", "width"}


@pytest.mark.parametrize("text", [r"\frac{d}{d x} f{(x)} = 2 x", r"\frac { d } { d x } f {(x)} = 2x", "a = b = c"])
def test_anybodys_equation_is_set_as_it_was_written(text):
    assert typeset(text) is not None


@pytest.mark.parametrize(
    "text", ["x + x = 1", "1 + 1 = 2", "b + a = c", r"\frac{x}{x} = 1", r"\href{javascript:a}{x} = 1"]
)
def test_what_reading_would_change_is_not_set(text):
    assert typeset(text) is None
