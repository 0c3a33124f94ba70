r"""Replaces characters that only look like mathematics by LaTeX: Unicode letters, signs, scripts and spaces.

The time is linear in the length of the text. Characters without a replacement stay as they are.
"""

import re
import unicodedata


def _pairs(text: str) -> dict[str, str]:
    """The characters and their replacements, which stand in turn in a text."""
    parts = text.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


_COMMANDS = _pairs(
    """
    α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu ξ xi ο omicron
    π pi ρ rho σ sigma τ tau υ upsilon φ phi χ chi ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma
    Υ Upsilon Φ Phi Ψ Psi Ω Omega ϵ epsilon ϑ vartheta ϕ phi ς varsigma ħ hbar ℏ hbar ℓ ell µ mu ∆ Delta
    ∇ nabla ∂ partial ∞ infty ∫ int ∬ iint ∭ iiint ∮ oint ∯ oiint ∑ sum ∏ prod × times ⋅ cdot · cdot ∙ cdot • cdot
    ÷ div ∗ ast ± pm ∓ mp ≈ approx ≃ simeq ≅ cong ≡ equiv ≠ neq ≤ leq ≥ geq ≪ ll ≫ gg ∝ propto ∼ sim ∈ in → to
    ⇒ Rightarrow ⟹ Rightarrow ⇔ iff ⟺ iff ∴ therefore ∵ because ⟨ langle ⟩ rangle 〈 langle 〉 rangle † dagger
    … dots ⋯ dots ∘ circ
    """
)
_SIGNS = _pairs(
    r"""
    − - – - — - ⁄ / ∕ / ⁃ - ∶ : ＝ = ∣ | │ | ′ ' ’ ' ‘ ' ″ ''
    ½ \frac{1}{2} ⅓ \frac{1}{3} ⅔ \frac{2}{3} ¼ \frac{1}{4} ¾ \frac{3}{4}
    """
)
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₒₓₕₖₗₘₙₚₛₜᵢⱼ", "0123456789+-aeoxhklmnpstij", strict=True))

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufe0e\ufe0f]")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_RAISED = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_LOWERED = re.compile(f"[{''.join(_SUBSCRIPTS)}]+")
_ROOT = re.compile(r"√\s*(?:\((?P<inside>[^()√]*)\)|(?P<one>\\[A-Za-z]+|[A-Za-z]|\d+))?")
_BULLET = re.compile(r"(?m)^[ \t]*•")
_OTHER = re.compile(r"[^\x00-\x7f]")


def in_latex(text: str) -> str:
    """Writes the text with LaTeX commands in place of the characters that stand for them."""
    if text.isascii():
        return text
    text = _SPACES.sub(" ", _INVISIBLE.sub("", text))
    text = _BULLET.sub("*", text)
    text = _RAISED.sub(lambda match: "^{" + "".join(map(_SUPERSCRIPTS.__getitem__, match[0])) + "}", text)
    text = _LOWERED.sub(lambda match: "_{" + "".join(map(_SUBSCRIPTS.__getitem__, match[0])) + "}", text)
    text = _OTHER.sub(_replacement, text)
    return _ROOT.sub(_root, text)


def _replacement(match: re.Match[str]) -> str:
    character = match[0]
    if character == "√":
        return character
    if character in _SIGNS:
        return _SIGNS[character]
    if character not in _COMMANDS:
        # The letters of mathematical alphabets, such as the italic ones, become plain letters.
        character = unicodedata.normalize("NFKC", character)
        if character.isascii() or character not in _COMMANDS:
            return character
    return rf"\{_COMMANDS[character]} "


def _root(match: re.Match[str]) -> str:
    inside = match["inside"] if match["inside"] is not None else match["one"]
    return r"\sqrt" if inside is None else rf"\sqrt{{{inside}}}"
