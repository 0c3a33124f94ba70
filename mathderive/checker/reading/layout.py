r"""From the text of an answer, as people and models lay it out, to its equations.

Most answers are equations that ` and ` or ends of lines separate; such a text is split as it is (`answers.py`). A text
with anything else, such as `\begin{align}`, `$`, numbers, bullets, arrows or words, is normalised first. All steps take
time linear in the length of the text.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from itertools import zip_longest

from mathderive.checker.reading.answers import MAX_PARTS, split_answer
from mathderive.checker.reading.characters import in_latex
from mathderive.checker.reading.reasoning import TAGS, strip_reasoning
from mathderive.checker.reading.words import (
    RELATION,
    has_relation,
    is_connective,
    is_prose,
    says_last,
    without_words,
    words_of_text,
)

MAX_CHARACTERS = 100_000
"""Maximum number of characters of an answer that is normalised; a longer one is split as it is."""

MAX_LINE = 10_000
"""Maximum number of characters of a line that is looked into; the reader refuses longer equations."""

MAX_SIDES_JOINED = 7
"""Maximum number of relations of an equation that a further line continues; then a new chain begins."""

_WORDS = (
    "AND|Also|Answer|Apply|Applying|Assume|As|Because|But|By|Clearly|Consider|Define|Dividing|Differentiating|Equation"
    "|Finally|First|For|From|Given|Goal|Hence|However|If|In|Integrating|It|Let|Multiplying|Next|Note|Now|Or|Since"
    "|Setting|Similarly|Simplifying|So|Solving|Step|Substitute|Substituting|Suppose|Taking|That|The|Then|Therefore|This"
    "|Thus|Using|We|Where|Which|With|assume|because|becomes|for|from|get|gives|have|hence|implies|let|obtain|or|set|since|so"
    "|that|then|therefore|this|thus|using|we|when|where|which|with|yields"
)
_MARK = re.compile(
    r"[^\x00-\x7e\u2212]|[$&|#%;`]|:|\*\*|\\[\[\]()\\]|\\(?:begin|end|tag|label|boxed|text|mbox|textbf|qquad|quad|"
    r"Rightarrow|Longrightarrow|implies|therefore|because|iff|Leftrightarrow|nonumber|notag|square|blacksquare|to|rightarrow)"
    rf"(?![A-Za-z])|[<\[]/?(?i:{TAGS})|[=-]>|\A\s*and\s"
    r"|(?m:^[ \t]*(?:=|\+|[-*]\s|[(\[]?\d{1,3}[.)\]](?!\d)))|(?m:[,.][ \t]*$)|,\s+[A-Za-z\\][^,{}=]{0,60}="
    r"|\s\s\(\d{1,3}\)[ \t]*(?m:$)|"
    rf"(?<![A-Za-z\\{{])(?:{_WORDS})(?![A-Za-z}}])"
)
"""Whatever an answer in the data's layout never has."""

_KEPT = r"(?:[pbvBV]?matrix|smallmatrix|cases|array)\*?"
_BREAK = re.compile(
    rf"(?P<open>\\begin\s*\{{\s*{_KEPT}\s*\}})|(?P<close>\\end\s*\{{\s*{_KEPT}\s*\}})"
    r"|(?P<environment>\\(?:begin|end)\s*\{[A-Za-z]*\*?\}(?:\{[^{}]*\})?)|(?P<row>\\\\(?:\[[^\]\n]{0,20}\]|\*)?)"
    r"|(?P<line>\n+)|(?P<display>\\\[|\\\]|\$\$)|(?P<brace>[{}])|(?P<other>\\.)",
    re.DOTALL,
)
_ARROW = re.compile(
    r"\\(?:Rightarrow|Longrightarrow|implies|therefore|because|iff|Leftrightarrow|Longleftrightarrow)(?![A-Za-z])"
    r"|=>|(?<![-<])->|\\qquad(?![A-Za-z])|\\quad(?![A-Za-z])|[,;](?!\s?\\ )|\.\s(?=\s?[A-Z][a-z]+[ ,])"
)
_COMMAND_TO_DROP = re.compile(
    r"\\(?:tag|label|ref|eqref|hspace|vspace|color|phantom)\*?\s*\{[^{}]*\}"
    r"|\\(?:nonumber|notag|blacksquare|square|displaystyle|hfill|noindent|newline|allowdisplaybreaks|qedhere|qed|Box)"
    r"(?![A-Za-z])|\*\*|`+|(?m:^[ \t]*#+\s)"
)
_BOX = re.compile(r"\\(?:boxed|fbox|underline|mathstrut|ensuremath|bm|displaylimits)\s*(?=\{)")
_BRACE = re.compile(r"[{}]")
_INLINE = re.compile(r"\\\((?P<round>(?:(?!\\[()]).)*)\\\)|\$(?P<dollar>[^$]*)\$", re.DOTALL)
_DOUBLED = re.compile(r"\\\\(?=[A-Za-z])")
_NUMBER = re.compile(r"\s*(?:\*\*)?\s*(?:[(\[](?P<a>\d{1,3})[)\]]|(?P<b>\d{1,3})(?:\)|\.(?!\d)|:))\s*:?(?:\*\*)?\s*")
_STEP = re.compile(
    r"\s*(?:[-*]\s+)?(?:\*\*)?\s*(?:Step|Line|Equation|Eqn?|STEP|step|Eq\.)\.?\s*\(?\d{1,3}[a-z]?\)?\s*[:.)-]?(?:\*\*)?\s*:?\s*"
)
_END_NUMBER = re.compile(r"(?:\s{2,}|\\q?quad\s*|\\hfill\s*|\.\.\s?)\((\d{1,3})\)\s*\Z")
_STAR, _DASH = re.compile(r"\s*\*\s+"), re.compile(r"\s*-\s+")
_CONTINUES = re.compile(
    r"\s*(?:=(?!>)|\\(?:approx|simeq|equiv|neq?|leq?|geq?|propto|cdot|times)(?![A-Za-z])|\+(?!\s*\\infty)|[<>])"
)
_UNFINISHED = re.compile(r"(?:[=/]|(?<!\^)[+*-]|\\(?:cdot|times|approx|equiv))\s*\Z")
_SPACE = re.compile(r"\s+")
_SPACES = re.compile(r"[ \t]{3,}")


def equations_of(text: str, asked: Collection[str] = ()) -> list[str]:
    """The equations of an answer.

    Args:
        asked: the equations of the prompt, which tell a bullet from a minus sign.
    """
    if len(text) > MAX_CHARACTERS or _MARK.search(text) is None:
        return split_answer(text)
    stripped = "\n".join(line for line in map(str.strip, text.splitlines()) if line)
    lines = [_SPACES.sub("  ", line) for line in _lines(without_layout(stripped)) if line.strip()]
    if len(lines) > MAX_PARTS:
        lines = [*lines[: MAX_PARTS - 1], " ".join(lines[MAX_PARTS - 1 :])]
    lines = _without_bullets(_without_numbers(lines), asked)
    found: list[str] = []
    closed = False
    for line in lines:
        cut = False
        for place, piece in enumerate(_pieces(line)):
            if found and not place and not closed and len(found[-1]) < MAX_LINE and _continues(piece, found[-1]):
                joined = f"{found[-1].rstrip()} {piece.strip()}"
                if joined.count("=") > MAX_SIDES_JOINED:
                    joined = f"{found[-1].rpartition('=')[2].strip()} {piece.strip()}"
                    found.append(joined)
                else:
                    found[-1] = joined
                continue
            bare = _without_box(without_words(piece)).strip(" ,;.")
            # After a clause such as `for all x`, its rest is no equation either.
            if not has_relation(bare) and (not bare or cut or is_prose(piece)):
                cut = True
                continue
            cut = len(bare) < len(piece.strip()) - 4 and piece.strip().startswith(bare[:8])
            found.append(bare)
        closed = line.endswith(" and")
    return found or ([text.strip()] if text.strip() else [])


def without_layout(text: str) -> str:
    """The text in LaTeX's own characters, without thoughts, labels and commands that only arrange."""
    text = in_latex(strip_reasoning(text, between="\n"))
    if _DOUBLED.search(text) and not re.search(r"(?<!\\)\\[A-Za-z]", text):
        text = _DOUBLED.sub(r"\\", text)  # a text whose backslashes were escaped
    return words_of_text(_COMMAND_TO_DROP.sub(" ", _SPACES.sub("  ", text)))


def _lines(text: str) -> Iterator[str]:
    """The lines of a text; an environment, a row or a display is a line of its own."""
    start = depth = kept = 0
    for match in _BREAK.finditer(text):
        kind = match.lastgroup
        if kind == "open":
            kept += 1
        elif kind == "close":
            kept -= 1
        elif kind == "brace":
            depth = max(0, depth + (1 if match[0] == "{" else -1))
        elif kind == "line" and not kept:
            yield _inline(text[start : match.start()], kept)
            start, depth = match.end(), 0
        elif kind in ("environment", "row", "display") and not kept and depth == 0:
            yield _inline(text[start : match.start()], kept)
            start = match.end()
    yield _inline(text[start:], kept)


def _inline(line: str, kept: int) -> str:
    """A line without the signs of inline mathematics; of a sentence around formulas, the formulas."""
    if "&" in line and "\\begin" not in line and not kept:
        line = line.replace("&", " ")
    if "$" not in line and r"\(" not in line:
        return line
    formulas = [match["round"] if match["round"] is not None else match["dollar"] for match in _INLINE.finditer(line)]
    rest = _INLINE.sub(" ", line)
    said = [formula for formula in formulas if has_relation(formula)]
    if said and not has_relation(rest) and (is_prose(rest) or is_connective(rest)):
        return said[-1] if says_last(rest) else " and ".join(said)
    return line.replace("$", " ").replace(r"\(", " ").replace(r"\)", " ")


def _without_numbers(lines: list[str]) -> list[str]:
    """The lines without labels such as `Step 2:`, and without numbers that count the lines."""
    lines = [_STEP.sub("", line, count=1) if _STEP.match(line) else line for line in lines]
    matches = [(place, match) for place, line in enumerate(lines) if (match := _NUMBER.match(line))]
    numbers = [int(match["a"] or match["b"]) for _, match in matches]
    if numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] <= 1:
        for place, match in matches:
            lines[place] = lines[place][match.end() :]
    return [_END_NUMBER.sub("", line) for line in lines]


def _without_bullets(lines: list[str], asked: Collection[str]) -> list[str]:
    """The lines without bullets; a dash is one if every line has it, and it is no minus sign of an asked equation."""
    lines = [_STAR.sub("", line, count=1) if _STAR.match(line) else line for line in lines]
    dashed = [line for line in lines if _DASH.match(line)]
    if len(dashed) < 2 or len(dashed) < len(lines):
        return lines
    known = {_SPACE.sub("", one) for one in asked}
    if any(_SPACE.sub("", line) in known for line in dashed):
        return lines
    return [_DASH.sub("", line, count=1) for line in lines]


def _continues(piece: str, before: str) -> bool:
    """Whether a line goes on with the equation before it."""
    if _CONTINUES.match(piece) is not None:
        return True
    return bool(_UNFINISHED.search(before)) and not is_prose(piece)


def _pieces(line: str) -> Iterator[str]:
    """The equations of a line: ` and `, arrows and wide spaces separate them, and commas between two equations."""
    if len(line) > MAX_LINE:
        yield line
        return
    for part in split_answer(line.replace(" AND ", " and ")):
        yield from _split_at_signs(part.removeprefix("and ").removesuffix(" and"))


def _split_at_signs(part: str) -> Iterator[str]:
    signs = list(_ARROW.finditer(part))
    relations = [match.start() for match in RELATION.finditer(part)] if signs else []
    start = place = depth = 0
    for sign, after in zip_longest(signs, signs[1:]):
        depth += _opened(part, place, sign.start())
        place = sign.start()
        if depth > 0:
            continue
        is_arrow = sign[0][0] not in ",;" and "quad" not in sign[0]
        end = after.start() if after is not None else len(part)
        if is_arrow or (_any_between(relations, start, place) and _any_between(relations, sign.end(), end)):
            if part[start:place].strip():
                yield part[start:place]
            start = sign.end()
    if part[start:].strip():
        yield part[start:]


def _any_between(places: list[int], start: int, end: int) -> bool:
    return bisect_left(places, start) < bisect_left(places, end)


def _opened(text: str, start: int, end: int) -> int:
    """By how many brackets more are opened than closed."""
    inside = text[start:end]
    return sum(inside.count(sign) for sign in "([{") - sum(inside.count(sign) for sign in ")]}")


def _without_box(text: str) -> str:
    r"""The text with the content of `\boxed{...}` in its place; from a box that is not closed on, it stays as it is."""
    braces = {match.end(): match.start() for match in _BOX.finditer(text)}
    closing: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACE.finditer(text) if braces else ():
        if match[0] == "{":
            opened.append(match.start())
        elif opened:
            closing[opened.pop()] = match.start()
    dropped: list[tuple[int, int]] = []
    for brace, start in braces.items():
        if brace not in closing:
            break
        dropped += [(start, brace + 1), (closing[brace], closing[brace] + 1)]
    kept, place = [], 0
    for start, end in sorted(dropped):
        kept.append(text[place:start])
        place = end
    return "".join((*kept, text[place:]))
