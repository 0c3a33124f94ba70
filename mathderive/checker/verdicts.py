"""What a check says about a derivation: a verdict for each equation, and what they amount to."""

from pydantic import Field

from mathderive.records import ErrorCategory, Record, Truth

TRUE: tuple[Truth, ...] = ("premise", "valid", "skipped")


class StepVerdict(Record):
    """What was found about one equation of an output.

    Attributes:
        text: the equation as it stands in the output.
        truth: see `Truth`.
        redundant: an earlier equation, or its mirror image, said it before.
        irrelevant: true, but the goal does not depend on it.
        operator: the operator that gives it, where `truth` is valid.
        operands: what the operator took beside the equations, as LaTeX.
        steps: the equations of this output, from 1, that it follows from.
        reason: a line for a person, with formulas between dollar signs.
        counterexample: values of names at which it fails, where `truth` is incorrect.
    """

    text: str
    truth: Truth
    redundant: bool = False
    irrelevant: bool = False
    operator: str | None = None
    operands: list[str] = Field(default_factory=list)
    steps: list[int] = Field(default_factory=list)
    reason: str
    counterexample: dict[str, str] | None = None

    @property
    def category(self) -> ErrorCategory | None:
        """The paper's single category: incorrect before redundant before irrelevant before skipped."""
        if self.truth == "incorrect":
            return "incorrect"
        if self.redundant:
            return "redundant"
        if self.irrelevant:
            return "irrelevant"
        return "skipped" if self.truth == "skipped" else None


class Validity(Record):
    """What was found about a derivation.

    Attributes:
        steps: a verdict for each equation.
        premises_used: for each premise of the prompt, whether the output states it.
        intermediates_present: for each equation that the prompt wants on the way, whether the output has it.
        goal_reached: the output has the goal.
        verified: the goal is reached, and it and every equation it depends on is premise or valid.
    """

    steps: list[StepVerdict]
    premises_used: list[bool]
    intermediates_present: list[bool]
    goal_reached: bool
    verified: bool
