r"""Removes the words around an equation: `so`, `we have`, `where C is a constant`, `(by the chain rule)`.

A text in words alone holds no equation. All patterns take time linear in the length of the text.
"""

import re

from mathderive.symbolic.latex.lexer import ELEMENTARY, LETTERS

_LEADING = """
    so then thus hence therefore now next first second third finally also again similarly likewise clearly accordingly
    consequently note that we have get obtain find see know write define let set put suppose assume since because as if
    it is follows this that gives yields implies means becomes leads to which in other words namely or and but where
    i.e. ie e.g. recall given by from the for our original equation equations step goal answer final result solution
    derivation proof premise premises can be written rewrite rewritten simplifies simplify simplifying here there are
    is was equals claim one has us with when an of on at
"""
_LEADING_WORDS = frozenset(_LEADING.split())

_WORD = r"[A-Za-z]+(?:'s|-[a-z]+)?"
_LEADING_RUN = re.compile(rf"(?:{_WORD}|[.,:;]|\s+|\bi\.e\.)+")
_TOKEN = re.compile(rf"{_WORD}|[.,:;]")

_TRAILING = re.compile(
    r"(?:(?<=[\s,;})\]])|(?<=\d))(?:(?:where|since|because|whenever|provided|using|if(?=\s)|when|while|assuming|given|which|"
    r"after|due)(?![A-Za-z])|for\s+(?:all|any|every|each|some|which|the|[A-Za-z\\$])|with\s+(?:the|an?|[a-z]{3,})\s|"
    r"by\s+(?:the|an?|[a-z]{4,}|\()(?![A-Za-z])|as\s+(?:the|an?|required|desired|expected|before|above)(?![A-Za-z])|"
    r"from\s+(?:the|[a-z]{4,}|\())"
)
"""The beginning of a clause after an equation."""

_LONG_WORD = re.compile(r"(?<![A-Za-z\\{])[A-Za-z]{4,}(?![A-Za-z}])")
_TEXT = re.compile(r"\\(?:text|textrm|textit|textbf|mbox|textnormal)\s*\{([^{}]*)\}")
_SCRIPT_BEFORE = re.compile(r"[_^{]\s*\Z")
RELATION = re.compile(
    r"[=<>]|\\(?:approx|simeq|cong|equiv|neq?|leq?|geq?|ll|gg|propto|sim|leqslant|geqslant|in|le|ge|lt|gt)(?![A-Za-z])"
)
_VERB = re.compile(
    r"(?:gives?|yields?|obtain|get|have|find|becomes?|equation|get\s+that|have\s+that|is|follows|implies|that)\s*:?\s*(?:that\s+)?"
)
_REMARK = re.compile(r"[(\[]([^()\[\]=]*)[)\]]\s*\Z")
_COMMENT = re.compile(r"(?<!\\)%\s*[A-Za-z]*")

_NAMES = LETTERS | ELEMENTARY.keys() | {"frac", "partial", "sqrt", "int", "cdot", "left", "right", "operatorname"}


REMARK_BEGINNING = re.compile(
    r"\(\s*(?:(?:by|as|from|with|where)\s+[a-z]{3}|(?:using|since|because|substituting|integrating|differentiating)\s)"
)
"""The beginning of a remark that may hold brackets itself."""


def has_relation(text: str) -> bool:
    """Whether a text holds an equals sign or another relation."""
    return RELATION.search(text) is not None


def is_prose(text: str) -> bool:
    """Whether a text without a relation is words, not a formula."""
    words = [word for word in _LONG_WORD.findall(text) if word not in _NAMES]
    known = [word for word in re.findall(r"(?<![A-Za-z\\])[A-Za-z]{2,}(?![A-Za-z])", text) if word.lower() in _COMMON]
    return bool(words) or len(known) > 1


def is_connective(text: str) -> bool:
    """Whether a text holds common words and punctuation alone."""
    return all(word.lower() in _LEADING_WORDS for word in re.findall(_WORD, text))


def says_last(text: str) -> bool:
    """Whether the words around several formulas assert the last one and only mention the others."""
    return _MENTION.search(text) is not None and _ASSERTION.search(text) is not None


_MENTION = re.compile(r"(?i)\b(?:substitut\w+|using|into|from|since|because|plug\w*|recall\w*|if|when|given|setting)\b")
_ASSERTION = re.compile(
    r"(?i)\b(?:gives?|yields?|get|have|obtain|find|becomes?|so|then|therefore|hence|thus|is|that)\b"
)

_COMMON = _LEADING_WORDS | {"a", "constant", "done", "qed"}


def without_words(text: str) -> str:
    """The equation without the words before and after it; a text that is all words is left empty."""
    text = _COMMENT.sub("", text) if "%" in text else text
    text = _without_remark(text)
    supposed = SUPPOSED.match(text)
    text = _without_leading(text)
    trailing = _TRAILING.search(text)
    if trailing is not None and has_relation(text[: trailing.start()]):
        text = text[: trailing.start()]
    text = _without_spacing(text.strip(" ,;:.\t\n")).strip(" ,;:.\t\n")
    return f"{supposed[1]} {text}" if supposed is not None and has_relation(text) else text


SUPPOSED = re.compile(r"(?i)[\s,.]*(where|let|suppose|assume|assuming|set|setting|define|if|put|when)(?:\s+that)?\s+")
"""The word before an equation that is no claim: it says what a name is, or supposes something."""

_SPACING = re.compile(r"(?:\\q?quad(?![A-Za-z])|\s)+")


def _without_spacing(text: str) -> str:
    r"""The text without `\quad` and other spaces at its ends."""
    leading = _SPACING.match(text)
    text = text if leading is None else text[leading.end() :]
    # A pattern that ends with `\Z` would look at each run of spaces from every place in it.
    last = None
    for run in _SPACING.finditer(text):
        last = run
    return text if last is None or last.end() < len(text) else text[: last.start()]


def words_of_text(text: str) -> str:
    r"""Replaces `\text{...}` by its words where they are a remark, and not a unit or part of a name."""
    if "\\" not in text:
        return text

    def replaced(match: re.Match[str]) -> str:
        before = text[max(0, match.start() - 8) : match.start()]
        inside = match[1].strip()
        if _SCRIPT_BEFORE.search(before) or not re.search(r"[A-Za-z]{2}", inside):
            return match[0]
        words = re.findall(r"[A-Za-z]+", inside)
        if any(word.lower() in _COMMON or len(word) > 3 for word in words):
            return f" {inside} "
        return match[0]

    return _TEXT.sub(replaced, text)


def _without_remark(text: str) -> str:
    """The text without a remark in brackets at its end."""
    whole = text.rstrip(" .,;")
    sentence = REMARK_BEGINNING.search(whole) if whole.endswith(")") else None
    if sentence is not None:
        return whole[: sentence.start()].rstrip()
    remark = _REMARK.search(whole[-300:]) if whole[-1:] in (")", "]") else None
    if remark is None or not has_relation(whole) or "\\" in remark[1]:
        return text
    words = [word for word in re.findall(r"[A-Za-z]{2,}", remark[1]) if word not in _NAMES]
    if any(len(word) > 4 or word.lower() in _COMMON for word in words):
        return whole[: len(whole) - len(remark[0])].rstrip()
    return text


def _without_leading(text: str) -> str:
    """The text without the words before the equation."""
    start = len(text) - len(text.lstrip(" \t.,:;"))
    run = _LEADING_RUN.match(text, start)
    relation = RELATION.search(text)
    limit = relation.start() if relation else len(text)
    if run is not None:
        start = _end_of_words(text, start, min(run.end(), limit))
    # A sentence such as `Substituting u = 2 into y gives y = 4` says its last equation.
    last = None
    for verb in _VERB_AT.finditer(text, start):
        last = verb
    if last is not None and has_relation(text[last.end() :]) and is_prose(text[start : last.end()]):
        start = last.end()
    colon = text.rfind(":", start, limit)
    if colon >= 0 and is_prose(text[start:colon]) and has_relation(text[colon:]):
        start = colon + 1
    return text[start:].lstrip(" \t.,:;")


_VERB_AT = re.compile(rf"(?<=[\s,]){_VERB.pattern}(?=[\s\\$(])")


def _end_of_words(text: str, start: int, limit: int) -> int:
    """The end of the run of common words at the start of a text.

    A single letter is a name, unless a word follows it: `a` in `a constant`.
    """
    end = start
    for token in _TOKEN.finditer(text, start, limit):
        word = token[0].lower()
        if len(word) == 1 and word.isalpha():
            continue
        if word[0].isalpha() and word not in _LEADING_WORDS:
            if len(word) < 4 or word in _NAMES:
                break
            continue
        end = token.end()
    return end
