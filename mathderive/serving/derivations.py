"""The messages of the checker's routes: derivations to check, one or a batch, and their verdicts."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from mathderive.checker.filling import fill
from mathderive.checker.supervision import CheckRequest
from mathderive.checker.verdicts import Validity, VerdictLabel
from mathderive.records import Rules
from mathderive.serving.protocol import Asked, ErrorBody, Text

MAX_BATCH = 64
"""Maximum number of derivations in a batch."""


class Derivation(Asked):
    """A prompt, equations joined by ` and `, the steps that count as one, and whether to look for missing equations."""

    prompt: Annotated[Text, Field(max_length=10_000)]
    derivation: Annotated[Text, Field(max_length=20_000)]
    rules: Rules = "textbook"
    fill: bool = Field(default=False, description="Whether to look for the equations that skipped ones leave out.")

    @property
    def check_request(self) -> CheckRequest:
        """The request to the checker."""
        return CheckRequest(self.prompt, self.derivation, rules=self.rules, counts_missing=self.fill)


class DerivationBatch(Asked):
    """Derivations that are checked independently of each other."""

    derivations: Annotated[list[Derivation], Field(min_length=1, max_length=MAX_BATCH)]


class Filled(BaseModel):
    """A derivation with the equations that were found missing.

    Attributes:
        equations: all equations in their order.
        missing: the numbers, from 1, of the equations that were missing.
        open: how many equations stay skipped.
    """

    equations: list[str]
    missing: list[int]
    open: int


class Checked(Validity):
    """The verdict on a derivation, the words for each equation's verdict, and the filled derivation if asked for."""

    labels: list[VerdictLabel]
    filled: Filled | None

    @classmethod
    def answer(cls, asked: Derivation, validity: Validity) -> Self:
        """Adds to a verdict what was asked for beside it."""
        filled = None
        if asked.fill:
            found = fill(validity)
            filled = Filled(equations=list(found.equations), missing=sorted(found.missing), open=found.open)
        return cls(**dict(validity), labels=[step.label for step in validity.steps], filled=filled)


class CheckedBatch(BaseModel):
    """For each derivation of a batch, in its order, the verdict or the error that it alone would have been answered."""

    results: list[Checked | ErrorBody]
