"""Which integrals the generator evaluates, and to what.

The rule of Meadows et al. (2024) is a quirk that is part of their data: an integral `i` is evaluated where
`str(simplify(i)) != str(simplify(i.doit()))`. Written out for SymPy's `simplify`, which takes factors and terms
that do not depend on the variable out of the integral and, if there were any, evaluates what is left: an integral
with such a factor stays; one without anything to take out is evaluated; with such a term, both texts decide. So
`∫ 2x dx` and `∫ x*y dx` stay as they are while `∫ e^x dx` and `∫ (x + y) dx` are evaluated.

Two things bound the work by size and method, never by the clock. SymPy's heuristic Risch and Meijer G algorithms,
which can run for hours, are left out; in released and sampled derivations they find nothing but `Piecewise` and
hypergeometric functions beyond the others. And integrals that no algorithm does, which are most, are not tried
(`is_out_of_reach`).
"""

from functools import lru_cache

from sympy import Derivative, Expr, Function, Integral, Piecewise, Pow, factor_terms, log, preorder_traversal, simplify
from sympy.core import random as sympy_random
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.symbolic.renaming import rename, to_pattern

ELEMENTARY = frozenset({"sin", "cos", "exp", "log"})
MAX_OPERATIONS = 40
MAX_HARD_OPERATIONS = 12
"""For integrands with derivatives of undefined functions, or the variable in a base and its exponent at once."""


class IntegralError(ValueError):
    """The integral evaluates to something that no derivation may hold."""


def evaluate_integral(integral: Integral) -> Expr | None:
    """What the generator replaces an integral by, without its constant; None where it leaves it alone.

    Raises:
        IntegralError: it would be replaced by something with cases.
    """
    pattern, names = to_pattern(integral)
    result = _evaluate_pattern(pattern)
    return None if result is None else rename(result, names)


@lru_cache(maxsize=20_000)
def _evaluate_pattern(integral: Integral) -> Expr | None:
    """`evaluate_integral`, shared by all integrals equal up to renaming; always from the same random state."""
    sympy_random.seed(0)
    factored = factor_terms(integral)
    if factored.is_Mul or is_out_of_reach(integral):
        return None
    result = integral.doit(heurisch=False, meijerg=False)
    if result.has(Integral):
        return None
    if result.has(Piecewise):
        raise IntegralError(f"{integral} evaluates to cases")
    if not isinstance(factored, Integral) and str(simplify(integral)) == str(simplify(result)):
        return None
    return result


def is_out_of_reach(integral: Integral) -> bool:
    """Whether an integral is too large to try, or of a kind that has no closed form.

    An undefined function of the variable can be integrated only along with its own derivative. A power with the
    variable in base and exponent only comes out of differentiating one, which leaves a logarithm.
    """
    integrand = integral.function
    operations = integrand.count_ops()
    return operations > MAX_OPERATIONS or any(
        _is_hard(integrand, variable, operations) for variable in integral.variables
    )


def _is_hard(integrand: Expr, variable: Basic, operations: int) -> bool:
    parts = [part for part in preorder_traversal(integrand) if part.has(variable) and part != variable]
    undefined = any(isinstance(part, AppliedUndef) for part in parts)
    derivatives = any(isinstance(part, Derivative) and part.has(AppliedUndef) for part in parts)
    tower = any(isinstance(part, Pow) and part.base.has(variable) and part.exp.has(variable) for part in parts)
    if undefined and not derivatives:
        return True
    if tower and (undefined or not integrand.has(log, Derivative)):
        return True
    if (tower or derivatives) and operations > MAX_HARD_OPERATIONS:
        return True
    for part in parts:
        if isinstance(part, Function) and not isinstance(part, AppliedUndef) and part.func.__name__ not in ELEMENTARY:
            return True
        if isinstance(part, Integral):
            inner = evaluate_integral(part)
            return inner is None
    return False
