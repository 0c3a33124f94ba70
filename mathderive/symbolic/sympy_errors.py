"""The exceptions that SymPy raises on sound but unusual expressions."""

from sympy.polys.polyerrors import BasePolynomialError

SYMPY_ERRORS = (
    *(ValueError, TypeError, AttributeError, ArithmeticError, LookupError, NotImplementedError, RecursionError),
    BasePolynomialError,
)
"""Exceptions that SymPy is known to raise, for example on a derivative by something that is not a variable."""
