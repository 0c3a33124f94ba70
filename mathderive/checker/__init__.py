"""The checker: which equations of a derivation are true, and which operators give them."""

LIBRARIES = ("sympy", "lark", "numpy", "python-flint")
"""The libraries that its verdicts may depend on."""
