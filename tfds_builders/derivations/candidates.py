"""The results of the generator's attempts, before it is known which split they belong to."""

from mathderive.records import EvaluationSet, Record, StepRecord


class Key(Record):
    """The data of a candidate that decide its split.

    Attributes:
        attempt: the number of the sampling attempt that gave the derivation, or the static one behind a variant.
        variant: the evaluation set of a variant; null for a derivation as sampled.
        canonical_hash: SHA-256 of the canonical form, which is equal for derivations that are equal up to renaming.
        target_hash: SHA-256 of the target text.
        is_copy_verified: whether the checker verifies the prompt's own equations as the answer; false where the
            settings do not ask.
    """

    attempt: int
    variant: EvaluationSet | None
    canonical_hash: str
    target_hash: str
    is_copy_verified: bool = False


class Candidate(Key):
    """A generated derivation, or a variant of one, with the texts of an example."""

    prompt: str
    target: str
    steps: list[StepRecord]

    @property
    def key(self) -> Key:
        return Key(**{name: getattr(self, name) for name in Key.model_fields})
