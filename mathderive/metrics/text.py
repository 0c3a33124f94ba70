"""The text metrics of the paper's tables: ROUGE-2, BLEU and GLEU; and whether an answer ends with the goal.

Each metric compares the raw strings of a prediction and its reference, without stripping or adding anything. So it
reproduces the scores that the authors recorded. No text metric knows whether a step is true.

A text is cut at `MAX_CHARACTERS` before it is scored, so that a very long output cannot hold up a run. The longest
recorded output has 1,360 characters. A text at the limit is so much longer than any reference (750 characters by
default) that the rest of it would hardly change its score.
"""

import math
from functools import cache
from typing import TYPE_CHECKING

from mathderive.checker.reading.answers import split_answer

if TYPE_CHECKING:  # importing these takes seconds, so the functions below import them when they are called
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

MAX_CHARACTERS = 20_000
"""The number of characters of a text that are scored."""

_ORDERS = (1, 2, 3, 4)


def rouge2(prediction: str, reference: str) -> float:
    """Returns the ROUGE-2 F-measure (Lin, 2004) as `rouge_score` computes it without stemming; between 0 and 1.

    Its tokens are runs of `a-z0-9` in the lower-cased text, so only the names and numbers of LaTeX count.
    """
    scores = _rouge_scorer().score(reference[:MAX_CHARACTERS], prediction[:MAX_CHARACTERS])
    return float(scores["rouge2"].fmeasure)


def bleu(prediction: str, reference: str) -> float:
    """Returns sentence BLEU (Papineni et al., 2002) of orders 1 to 4 without smoothing; between 0 and 1.

    BLEU is the brevity penalty times the geometric mean of the clipped n-gram precisions, over the tokens of
    sacrebleu's `13a` tokenizer. It is exactly 0 where an order has no match: nltk's `sentence_bleu` returns a tiny
    number there, but the authors recorded 0.
    """
    from nltk.translate.bleu_score import brevity_penalty, modified_precision

    candidate, target = _tokens(prediction), _tokens(reference)
    precisions = [modified_precision([target], candidate, order) for order in _ORDERS]
    if not all(precision.numerator for precision in precisions):
        return 0.0
    mean_log = math.fsum(math.log(precision) for precision in precisions) / len(_ORDERS)
    return float(brevity_penalty(len(target), len(candidate)) * math.exp(mean_log))


def gleu(prediction: str, reference: str) -> float:
    """Returns Google's GLEU (Wu et al., 2016, section 4.1) as nltk computes it; between 0 and 1.

    GLEU is the smaller of precision and recall over all n-grams of orders 1 to 4; its tokens are those of `bleu`.
    """
    from nltk.translate.gleu_score import corpus_gleu

    pairs = [[_tokens(reference)]], [_tokens(prediction)]
    return float(corpus_gleu(*pairs, min_len=_ORDERS[0], max_len=_ORDERS[-1]))


def normalised(equation: str) -> str:
    """Returns the equation without whitespace and without a leading backslash, for comparing texts.

    A T5 puts spaces into its text (`\\ frac { d }`). One that was trained in the authors' way never writes the first
    token of an answer, which is mostly a backslash.
    """
    return "".join(equation.split()).removeprefix("\\")


def ends_with_goal(prediction: str, reference: str) -> bool:
    """Returns whether the prediction's last equation has the same text as the goal, once both are `normalised`.

    The prompt contains the goal, so this shows that an answer ends as it was told to, not that its steps are true.
    Whether any equation of an answer states the goal is the checker's decision: `Validity.goal_reached`.

    Args:
        prediction: the answer.
        reference: the reference derivation, whose last equation is the goal, or the goal alone.
    """
    goal, last = (_last_equation(text) for text in (reference, prediction))
    return bool(goal) and last == goal


def _last_equation(text: str) -> str:
    equations = split_answer(text[-MAX_CHARACTERS:])
    return normalised(equations[-1]) if equations else ""


@cache
def _rouge_scorer() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge2"], use_stemmer=False)


@cache
def _tokenizer() -> "Tokenizer13a":
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    return Tokenizer13a()


def _tokens(text: str) -> list[str]:
    return _tokenizer()(text[:MAX_CHARACTERS]).split()
