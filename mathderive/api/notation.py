"""LaTeX to SymPy and back, in the data's notation."""

from sympy import Equality, Expr

from mathderive.checker.display import display as display_verdict
from mathderive.checker.verdicts import Validity
from mathderive.records import Example
from mathderive.symbolic.latex.parser import LatexError, parse
from mathderive.symbolic.latex.printer import latex


def read_latex(text: str) -> Expr | Equality:
    r"""Reads an equation or an expression, in its preferred reading; nothing in it is evaluated as code.

    Args:
        text: LaTeX in the data's notation, such as `f{(x)} = \sin{(x)}`, or in the variations of it that models write.

    Returns:
        An unevaluated equality for a text with one equals sign, or else an expression.

    Raises:
        ValueError: the text is too long, too deep, outside the grammar or a chain `a = b = c`, or a number in it is
            too large.
    """
    try:
        sides = parse(text)
    except LatexError as error:
        raise ValueError(str(error)) from None
    if len(sides) > 2:
        raise ValueError(f"a chain of {len(sides)} sides; expected an equation or an expression")
    return sides[0] if len(sides) == 1 else Equality(*sides, evaluate=False)


def render(value: Expr | Equality | Validity | Example) -> str:
    """Writes a value as text.

    Returns:
        LaTeX in the data's notation for an expression or equation; for a verdict the lines of `mathderive check`; for
        an example its prompt, and each step with its operator.

    Raises:
        TypeError: the value is something else.
    """
    if isinstance(value, Validity):
        return display_verdict(value)
    if isinstance(value, Example):
        from tfds_builders.derivations.display import display as display_example

        return display_example(value)
    if isinstance(value, Expr | Equality):
        return latex(value)
    raise TypeError(f"{type(value).__name__}; expected an expression, an equation, a verdict or an example")
