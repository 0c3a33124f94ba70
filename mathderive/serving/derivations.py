"""The messages of the checker's routes: derivations to check, one or a batch, and their verdicts."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from mathderive.checker.verdicts import Validity, VerdictLabel
from mathderive.records import Rules
from mathderive.serving.protocol import Asked, ErrorBody, Text

MAX_BATCH = 64
"""Maximum number of derivations in a batch."""


class Derivation(Asked):
    """A prompt, equations joined by ` and `, and the steps that count as one."""

    prompt: Annotated[Text, Field(max_length=10_000)]
    derivation: Annotated[Text, Field(max_length=20_000)]
    rules: Rules = "textbook"


class DerivationBatch(Asked):
    """Derivations that are checked independently of each other."""

    derivations: Annotated[list[Derivation], Field(min_length=1, max_length=MAX_BATCH)]


class Checked(Validity):
    """The verdict on a derivation, with the words for each equation's verdict."""

    labels: list[VerdictLabel]

    @classmethod
    def with_labels(cls, validity: Validity) -> Self:
        """Adds the words to a verdict."""
        return cls(**dict(validity), labels=[step.label for step in validity.steps])


class CheckedBatch(BaseModel):
    """For each derivation of a batch, in its order, the verdict or the error that it alone would have been answered."""

    results: list[Checked | ErrorBody]
