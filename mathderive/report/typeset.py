"""LaTeX equations as MathML. Only equations that can be parsed are converted, from the parsed form printed anew.

Any other text has no MathML and is shown as plain characters. A parsed equation can still contain a name from a file,
and latex2mathml passes the contents of `\\text{}` and `\\href{}` through as markup. So its output is used only if
it consists of the elements and attributes of presentation MathML listed here, and it is written anew from the checked
tree.
"""

import re
from itertools import pairwise
from xml.etree import ElementTree

from markupsafe import Markup

from mathderive.core.caching import cached_within
from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.tree_printer import as_written

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_ELEMENTS = frozenset(
    ("math", "mrow", "mi", "mo", "mn", "mfrac", "msub", "msup", "msubsup", "mover", "mspace", "msqrt", "mroot")
)
ATTRIBUTES = frozenset({"display", "stretchy", "accent", "fence", "form", "width"})
"""The attributes of MathML that may be shown."""
_MAX_CHARACTERS = 2_000
_CACHE_BYTES = 64 * 2**20
"""Maximum bytes of the cache, since the server typesets what strangers send."""
_PRINTED = re.compile(r"[A-Za-z0-9 \\{}()\[\]_^=+\-*/.,|]*")
"""The characters that our printer uses for this vocabulary; none of them has a meaning in HTML."""


@cached_within(_CACHE_BYTES)
def typeset(text: str) -> Markup | None:
    """Converts any text to a `<math>` element; None if it is to be shown as plain characters."""
    try:
        return mathml(as_written(text))
    except LatexError:
        return None


def mathml(latex: str) -> Markup | None:
    """Converts LaTeX of `as_written` or of our printer; None if the conversion is not certain to be right."""
    from latex2mathml.converter import convert

    if len(latex) > _MAX_CHARACTERS or not _PRINTED.fullmatch(latex):
        return None
    try:
        tree = ElementTree.fromstring(convert(_prepared(latex), display="block"))
    except Exception:  # latex2mathml raises many kinds of errors, and all of them mean the same here
        return None
    if not _is_presentation(tree):
        return None
    _mend(tree)
    ElementTree.register_namespace("", _NAMESPACE)
    return Markup(ElementTree.tostring(tree, encoding="unicode"))


def split_formulas(text: str) -> list[str]:
    """Splits a text at its dollar signs: words at even places, formulas at odd ones.

    A text with an unpaired dollar sign stays whole.
    """
    pieces = text.split("$")
    return pieces if len(pieces) % 2 else [text]


def _prepared(latex: str) -> str:
    """Adds growing parentheses, and gaps before differentials and functions, which the printed text lacks."""
    spaced = re.sub(r" d(?=[A-Za-z\\])", r"\\, d", _with_growing_parentheses(latex))
    return re.sub(r"(?<=[\w})]) (?=\\(?:sin|cos|log)\b)", r" \\, ", spaced)


def _with_growing_parentheses(latex: str) -> str:
    """Puts `\\left` and `\\right` before parentheses that match within their braces."""
    partner: dict[int, str] = {}
    open_parentheses: list[list[int]] = [[]]
    for position, character in enumerate(latex):
        if character == "{":
            open_parentheses.append([])
        elif character == "}":
            if len(open_parentheses) == 1:
                return latex
            open_parentheses.pop()
        elif character == "(":
            open_parentheses[-1].append(position)
        elif character == ")" and open_parentheses[-1]:
            partner[open_parentheses[-1].pop()] = r"\left("
            partner[position] = r"\right)"
    return "".join(partner.get(position, character) for position, character in enumerate(latex))


def _is_presentation(tree: ElementTree.Element) -> bool:
    return all(
        isinstance(node.tag, str)
        and node.tag.removeprefix(f"{{{_NAMESPACE}}}") in _ELEMENTS
        and ATTRIBUTES.issuperset(node.attrib)
        and "\\" not in (node.text or "")  # a command that latex2mathml does not know
        for node in tree.iter()
    )


def _mend(tree: ElementTree.Element) -> None:
    """Corrects, in place, the errors that latex2mathml makes with this vocabulary."""
    for node in tree.iter():
        # \operatorname leaves an empty operator, which takes up space.
        for child in list(node) if node.tag.endswith("}mrow") else []:
            if child.tag.endswith("}mo") and not child.text:
                node.remove(child)
        # These are letters here (\omicron, \partial, \nabla), without an operator's space around them.
        if node.tag.endswith("}mo") and node.text in ("ο", "∂", "∇"):
            node.tag = f"{{{_NAMESPACE}}}mi"
        if node.tag.endswith("}mover"):
            node.set("accent", "true")  # latex2mathml sets it for \hat and \tilde, but not for \dot
            # The signs of a keyboard touch the letter, in mathematics fonts at least.
            node[1].text = {"^": "ˆ", "~": "˜"}.get(node[1].text or "", node[1].text)
        for before, child in pairwise(node):
            # A minus after an opening parenthesis or a relation is a sign, with a sign's space.
            if child.text == "−" and before.tag.endswith("}mo") and before.text != ")":
                child.set("form", "prefix")
