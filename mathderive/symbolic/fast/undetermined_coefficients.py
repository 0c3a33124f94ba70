"""Antiderivatives of polynomials in the variable, sines, cosines and exponentials, by undetermined coefficients.

SymPy 1.5.1 finds them by its heuristic Risch algorithm, which searches without a bound. Here the derivative of every
generator is a polynomial in the generators, so that the algorithm comes down to one system of linear equations: a
polynomial whose degree is one more than the integrand's is differentiated, and its coefficients are compared.

The algorithm takes a sine and a cosine for independent, so `∫ x*sin(x)**2 dx` has the terms `x**2*sin(x)**2/4` and
`x**2*cos(x)**2/4`. Where that leaves a choice, as between `sin(x)**2/2` and `-cos(x)**2/2`, SymPy's answer varies with
the hash seed of the process. Here it is the cosine of a linear argument, and the sine of any other.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement
from math import comb

from sympy import Add, Dummy, Expr, Mul, Pow, S, Symbol, cos, exp, sin
from sympy.core.sorting import default_sort_key
from sympy.polys.domains.domain import Domain
from sympy.polys.matrices.sdm import SDM
from sympy.polys.polyerrors import PolificationFailed
from sympy.polys.polytools import parallel_poly_from_expr

from mathderive.symbolic.fast.differentiation import differentiate

MAX_UNKNOWNS = 130
"""Maximum number of coefficients; the third derivative of `exp(sin(x))` has 126."""

Terms = dict[tuple[int, ...], Expr]
"""A polynomial: the coefficient of each monomial, which is a tuple of exponents."""


def integrate_polynomial(term: Expr, variable: Symbol) -> Expr | None:
    """An antiderivative that is a polynomial in the generators of a term; None where there is none.

    Returns NaN where SymPy distinguishes cases, because a coefficient has a denominator that may be zero.
    """
    generators = _find_generators(term, variable)
    if generators is None or len(generators) < 2:
        return None
    places = {generator: Dummy() for generator in generators}
    parts = [term, *(differentiate(generator, variable) for generator in generators)]
    polynomials = [part.xreplace(places) for part in parts]
    try:
        polys, options = parallel_poly_from_expr(polynomials, *places.values(), field=True)
    except PolificationFailed:
        return None
    domain = options.domain
    if not domain.is_Exact or domain.is_EX or any(poly.free_symbols_in_domain & {variable} for poly in polys):
        return None
    if comb(polys[0].total_degree() + 1 + len(generators), len(generators)) > MAX_UNKNOWNS:
        return None
    integrand, *derivatives = ({monomial: domain.convert(c) for monomial, c in poly.rep.terms()} for poly in polys)
    solution = _solve(integrand, derivatives, polys[0].total_degree() + 1, domain)
    if solution is None:
        return None
    coefficients = {monomial: domain.to_sympy(value) for monomial, value in solution.items()}
    if any(value.as_numer_denom()[1].free_symbols for value in coefficients.values()):
        return S.NaN
    return Add(*(value * Mul(*map(Pow, generators, monomial)) for monomial, value in coefficients.items())).expand()


def _find_generators(term: Expr, variable: Symbol) -> list[Expr] | None:
    """The variable and the waves and exponentials of a term and of their derivatives, the preferred ones first.

    None where the term has something else, of which it is no polynomial.
    """
    found: set[Expr] = {variable}
    if not _collect(term, variable, found):
        return None
    for function in tuple(found):
        if not _collect(differentiate(function, variable), variable, found):
            return None
    return sorted(found, key=lambda part: (not _is_preferred(part, variable), default_sort_key(part)))


def _is_preferred(generator: Expr, variable: Symbol) -> bool:
    """Whether squares of a generator appear in an answer rather than those of its counterpart."""
    if not isinstance(generator, sin | cos):
        return False
    polynomial = generator.args[0].as_poly(variable)
    is_linear = polynomial is not None and polynomial.degree() == 1
    return isinstance(generator, cos) == is_linear


def _collect(expression: Expr, variable: Symbol, found: set[Expr]) -> bool:
    """Adds the generators in an expression; False where it is no polynomial in generators."""
    if variable not in expression.free_symbols or expression in found:
        return True
    if isinstance(expression, Pow):
        is_natural = expression.exp.is_Integer and expression.exp.is_positive
        return is_natural and _collect(expression.base, variable, found)
    if isinstance(expression, sin | cos | exp):
        if expression.args[0] != expression.args[0].expand():
            return False  # SymPy multiplies the argument out, and no longer recognises it
        found.add(expression)
    elif not isinstance(expression, Add | Mul):
        return False
    return all(_collect(part, variable, found) for part in expression.args)


def _solve(integrand: Terms, derivatives: list[Terms], degree: int, domain: Domain) -> Terms | None:
    """The polynomial up to a degree that has the integrand as derivative; None where there is none."""
    monomials = list(_monomials(len(derivatives), degree))
    rows: dict[tuple[int, ...], dict[int, Expr]] = {}
    for column, monomial in enumerate(monomials):
        for image, value in _differentiate(monomial, derivatives, domain).items():
            rows.setdefault(image, {})[column] = value
    for image, value in integrand.items():
        rows.setdefault(image, {})[len(monomials)] = value
    matrix = SDM(dict(enumerate(rows.values())), (len(rows), len(monomials) + 1), domain)
    reduced, pivots = matrix.rref()
    if len(monomials) in pivots:
        return None
    return {
        monomials[column]: reduced[row][len(monomials)]
        for row, column in enumerate(pivots)
        if len(monomials) in reduced[row]
    }


def _monomials(count: int, degree: int) -> Iterator[tuple[int, ...]]:
    """Yields the monomials in so many generators from a degree down to 1, powers of the first generators first."""
    for total in range(degree, 0, -1):
        for chosen in combinations_with_replacement(range(count), total):
            yield tuple(map(chosen.count, range(count)))


def _differentiate(monomial: tuple[int, ...], derivatives: list[Terms], domain: Domain) -> Terms:
    """The derivative of a monomial by the chain rule."""
    result: Terms = {}
    for place, exponent in enumerate(monomial):
        if exponent == 0:
            continue
        for factor, value in derivatives[place].items():
            image = tuple(
                power + other - (number == place)
                for number, (power, other) in enumerate(zip(monomial, factor, strict=True))
            )
            result[image] = result.get(image, domain.zero) + value * exponent
    return {image: value for image, value in result.items() if value}
