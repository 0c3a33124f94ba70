"""The equations of a prompt, in the data's form or in other words: `show that`, lower case, commas, `$`."""

import re

from mathderive.checker.reading.layout import equations_of, without_layout
from mathderive.checker.reading.words import SUPPOSED, has_relation
from mathderive.symbolic.prompts import Prompt, split_prompt

MAX_CHARACTERS = 20_000
"""Maximum number of characters of a prompt in other words."""

_VERB = re.compile(
    r"(?i)(?<![A-Za-z\\])(?:show|prove|derive|obtain|find|deduce|verify|conclude|demonstrate|establish|get)(?![A-Za-z])"
    r"(?:\s+(?:the\s+(?:result|equation|formula|identity)|that|how))*"
)
_END = re.compile(r"(?:[\s,.:;]|(?<![A-Za-z])(?:and|then|we|to|can)(?![A-Za-z]))+\Z")


def asked_of(text: str) -> Prompt:
    """The premises, the equations to derive first, and the goal.

    Raises:
        ValueError: the text is not a prompt; the message says what was expected where.
    """
    try:
        asked = split_prompt(text)
    except ValueError:
        other = _in_other_words(text) if len(text) <= MAX_CHARACTERS else None
        if other is None:
            raise
        return other
    premises = tuple(one for premise in asked.premises for one in equations_of(premise) or [premise])
    derive = tuple(one for equation in asked.derive for one in equations_of(equation) or [equation])
    *before, goal = equations_of(asked.goal) or [asked.goal]
    return Prompt(premises, (*derive, *before), goal)


def _in_other_words(text: str) -> Prompt | None:
    text = without_layout(text)
    verbs = list(_VERB.finditer(text))
    if not verbs:
        return None
    ends = [verb.start() for verb in verbs[1:]] + [len(text)]
    premises = _equations(text[: verbs[0].start()])
    asked = [one for verb, end in zip(verbs, ends, strict=True) for one in _equations(text[verb.end() : end])]
    return Prompt(tuple(premises), tuple(asked[:-1]), asked[-1]) if asked else None


def _equations(text: str) -> list[str]:
    # The comma has the clause read as people write it, and the words before its equations taken away.
    return [SUPPOSED.sub("", one, count=1) for one in equations_of(f"{_END.sub('', text)},") if has_relation(one)]
