"""The three text metrics of the paper's tables (ROUGE-2, BLEU, GLEU), and whether the goal was reached.

Each compares a prediction with its reference as raw strings, nothing stripped or prepended, and so repeats
the scores that the authors recorded. None of them knows whether a step is true.

A text longer than `MAX_CHARACTERS` is cut there before it is scored, so that no output, however long, holds
up a run. No recorded output has more than 1,360 characters, and a text at the bound is so much longer than
any reference (750 characters by default) that its precision is next to nothing with or without the rest.
"""

import math
from functools import cache
from typing import TYPE_CHECKING

from mathderive.checker.reading.answers import split_answer
from mathderive.records import Example, Prediction, Score

if TYPE_CHECKING:  # importing these takes seconds, most of it nltk: see the functions below
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

MAX_CHARACTERS = 20_000
_ORDERS = (1, 2, 3, 4)


def rouge2(prediction: str, reference: str) -> float:
    """ROUGE-2 F-measure (Lin, 2004) as `rouge_score` computes it without stemming; between 0 and 1.

    Its tokens are runs of `a-z0-9` of the lower-cased text, so LaTeX counts by its names and numbers alone.
    """
    scores = _rouge_scorer().score(reference[:MAX_CHARACTERS], prediction[:MAX_CHARACTERS])
    return float(scores["rouge2"].fmeasure)


def bleu(prediction: str, reference: str) -> float:
    """Sentence BLEU (Papineni et al., 2002) of orders 1 to 4 without smoothing; between 0 and 1.

    The brevity penalty times the geometric mean of the clipped n-gram precisions, over the tokens of
    sacrebleu's `13a` tokenizer. Exactly 0 where an order has no match: nltk's `sentence_bleu` returns a tiny
    number there, the authors recorded 0.
    """
    from nltk.translate.bleu_score import brevity_penalty, modified_precision

    candidate, target = _tokens(prediction), _tokens(reference)
    precisions = [modified_precision([target], candidate, order) for order in _ORDERS]
    if not all(precision.numerator for precision in precisions):
        return 0.0
    mean_log = math.fsum(math.log(precision) for precision in precisions) / len(_ORDERS)
    return float(brevity_penalty(len(target), len(candidate)) * math.exp(mean_log))


def gleu(prediction: str, reference: str) -> float:
    """Google's GLEU (Wu et al., 2016, section 4.1) as nltk computes it; between 0 and 1.

    The smaller of precision and recall over all n-grams of orders 1 to 4 together; tokens as for `bleu`.
    """
    from nltk.translate.gleu_score import corpus_gleu

    pairs = [[_tokens(reference)]], [_tokens(prediction)]
    return float(corpus_gleu(*pairs, min_len=_ORDERS[0], max_len=_ORDERS[-1]))


def equations(derivation: str) -> list[str]:
    """The equations of a derivation's text, as written; an empty text has one empty equation."""
    return split_answer(derivation) or [""]


def normalised(equation: str) -> str:
    """The equation without whitespace and without a leading backslash, for comparing.

    A T5 spaces its text (`\\ frac { d }`), and those trained the authors' way never write an answer's first
    token, which is mostly a backslash.
    """
    return "".join(equation.split()).removeprefix("\\")


def goal_reached(prediction: str, reference: str) -> bool:
    """Whether the prediction's last equation is the reference's last equation, the goal, once `normalised`.

    `reference` may be the goal alone. The goal stands in the prompt, so this says that the answer ends where
    it was told to, not that it got there by true steps.
    """
    goal = normalised(equations(reference)[-1])
    return bool(goal) and normalised(equations(prediction)[-1]) == goal


def score(example: Example, prediction: Prediction) -> Score:
    """Scores one prediction against its example's target. An empty prediction scores 0.

    Raises:
        ValueError: the prediction answers another example.
    """
    if prediction.id != example.id:
        raise ValueError(f"the prediction answers {prediction.id}, not {example.id}")
    text, target = prediction.text, example.target
    return Score(
        id=prediction.id,
        source_id=prediction.source_id,
        set=prediction.set,
        model=prediction.model,
        rouge2=rouge2(text, target),
        bleu=bleu(text, target),
        gleu=gleu(text, target),
        goal_reached=goal_reached(text, target),
    )


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
