"""The verdicts of a check: one for each equation, and one for the derivation."""

from pydantic import Field

from mathderive.records import ErrorCategory, MissingOperators, Record, Rules, Truth

TRUE: tuple[Truth, ...] = ("premise", "valid", "skipped")
"""The verdicts that call an equation true."""


class VerdictLabel(Record):
    """The words for a verdict on an equation.

    Attributes:
        kind: the paper's error category if one applies, else the verdict.
        words: the verdict, then `redundant` and `irrelevant` where they apply.
    """

    kind: Truth | ErrorCategory
    words: list[str]


class StepVerdict(Record):
    """The verdict on one equation of an answer.

    Attributes:
        text: the equation as the answer writes it.
        truth: one of `Truth`.
        stated: whether the prompt says it, mirrored or not: as a premise, as a requested equation, or as the goal.
        redundant: whether an earlier equation, or its mirror image, says the same.
        irrelevant: whether it is true, but the goal does not depend on it.
        operator: the operator or textbook rule that derives it, where `truth` is valid.
        operands: the operator's operands beside the equations, as LaTeX.
        steps: the numbers, from 1, of the equations that it follows from.
        reason: a line for the reader, with formulas between dollar signs.
        counterexample: values of names at which it fails, where `truth` is incorrect.
        missing_operators: how many operators lead to it, where `truth` is skipped and somebody asked; else null.
        missing_equations: the equations between these operators, as LaTeX.
    """

    text: str
    truth: Truth
    stated: bool = False
    redundant: bool = False
    irrelevant: bool = False
    operator: str | None = None
    operands: list[str] = Field(default_factory=list)
    steps: list[int] = Field(default_factory=list)
    reason: str
    counterexample: dict[str, str] | None = None
    missing_operators: MissingOperators | None = None
    missing_equations: list[str] = Field(default_factory=list)

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

    @property
    def label(self) -> VerdictLabel:
        """The words for this verdict, on pages and in the terminal."""
        flags = {"redundant": self.redundant, "irrelevant": self.irrelevant}
        words = [self.truth, *(word for word, applies in flags.items() if applies)]
        return VerdictLabel(kind=self.category or self.truth, words=words)


class StateVerdict(Record):
    """The verdict on a derivation that is being written.

    Attributes:
        step: the verdict on its last equation, with the first operator found that verifies it; None where there is
            none yet.
        verified_so_far: whether every equation is premise or valid, and rests on such equations alone.
        goal_reached, sound, verified: as in `Validity`, if the derivation ended here.
        open_intermediates: the requested equations that no equation says yet.
    """

    step: StepVerdict | None
    verified_so_far: bool
    goal_reached: bool
    sound: bool
    verified: bool
    open_intermediates: list[str]


class Validity(Record):
    """The verdict on a derivation.

    Attributes:
        steps: a verdict for each equation.
        premises_used: for each premise of the prompt, whether the answer states it.
        intermediates_present: for each equation that the prompt wants to be derived first, whether the answer has it.
        goal_reached: whether any equation of the answer says the goal, mirrored or not.
        sound: whether the goal is reached and every equation is premise, valid or skipped.
        verified: whether the answer is sound, and the goal and every equation it depends on are premise or valid.
        rules: the steps that count as one.
    """

    steps: list[StepVerdict]
    premises_used: list[bool]
    intermediates_present: list[bool]
    goal_reached: bool
    sound: bool = False
    verified: bool
    rules: Rules = "paper"
