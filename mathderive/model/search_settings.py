"""The settings of greedy search and beam search as decoding takes them. Imports nothing, so that it loads everywhere.

`mathderive.config.schema.OutputSearchSettings` is the user's form of the same settings: it checks each of them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """The settings of a search for outputs, with the names of `generate` in transformers.

    Attributes:
        num_beams: number of hypotheses; 1 is greedy search.
        repetition_penalty: factor above 1 that makes tokens less likely which the output or its start has already.
        length_penalty: exponent of the length in `log-probability / length ** length_penalty`, by which beam search
            compares finished hypotheses.
        early_stopping: whether beam search ends as soon as `num_beams` hypotheses are finished; by default it ends when
            no live hypothesis can be better.
    """

    num_beams: int = 1
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    early_stopping: bool = False
