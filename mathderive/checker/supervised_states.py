"""Runs the checks of a search in a child process: states of derivations that are being written.

The child keeps the states, so a push costs one equation. If an equation ends the child, it is undecided, and the next
child makes the states again from their equations.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mathderive.checker.checker import Checker, State
from mathderive.checker.supervision import EQUATION_LIMITS, ChildOwner
from mathderive.checker.verdicts import StateVerdict
from mathderive.core.piped_workers import PipedWorker
from mathderive.core.workers import Limits, mark
from mathderive.symbolic.latex.parser import prepare_parser

MAX_STATES = 5_000
"""Maximum number of states that a child keeps."""


@dataclass(frozen=True)
class StateRequest:
    """A request for the verdict on a derivation; equations that `leave_out` numbers are not checked."""

    prompt: str
    seed: str
    equations: tuple[str, ...] = ()
    leave_out: frozenset[int] = frozenset()

    def before_last(self) -> "StateRequest":
        """The request without its last equation."""
        return replace(self, equations=self.equations[:-1], leave_out=self.leave_out - {len(self.equations)})


_states: OrderedDict[StateRequest, State] = OrderedDict()
"""The states of a child, the most recently used ones last."""


def verdict_on(request: StateRequest) -> StateVerdict | str:
    """The verdict, or the reason why the prompt cannot be read; marks each equation's number before it is checked."""
    prepare_parser()  # not in the time of the prompt
    mark(0)
    try:
        return _state(request).verdict
    except ValueError as error:
        return str(error)


def _state(request: StateRequest) -> State:
    missing: list[StateRequest] = []
    while request not in _states and request.equations:
        missing.append(request)
        request = request.before_last()
    state = _states.pop(request, None) or Checker(request.prompt, request.seed).start()
    _states[request] = state
    for longer in reversed(missing):
        number = len(longer.equations)
        mark(number)
        state = state.push(longer.equations[-1], number in longer.leave_out)
        _states[longer] = state
    while len(_states) > MAX_STATES:
        _states.popitem(last=False)
    return state


class SupervisedStates(ChildOwner):
    """Checks derivations that are being written, in a child process of its own; a context manager."""

    def __init__(self, seed: str = "", limits: Limits = EQUATION_LIMITS) -> None:
        """
        Args:
            seed: with the texts, it determines the points at which equations are tested. A process that trains against
                the checker keeps it secret.
        """
        self._worker = PipedWorker(verdict_on, limits, int)
        self._seed = seed

    def start(self, prompt: str, equations: Sequence[str] = ()) -> "SupervisedState":
        """The state of a derivation that begins with these equations.

        Raises:
            ValueError: the prompt has another form; the message says what was expected where.
            InputError, RuntimeError: as `WorkerProcess.run`.
        """
        return self.ask(StateRequest(prompt, self._seed, tuple(equations)))

    def ask(self, request: StateRequest) -> "SupervisedState":
        """The state after the equations of a request; an equation that exceeds its limits is undecided."""
        while True:
            found = self._worker.ask(request)
            if isinstance(found, StateVerdict):
                return SupervisedState(self, request, found)
            if isinstance(found, str):
                raise ValueError(found)
            if found.had_worked:
                continue  # what earlier requests left behind may have taken the memory, or the time to collect it
            if not found.mark or found.mark in request.leave_out:
                raise ValueError("the prompt takes more time or memory than is given to it")
            request = replace(request, leave_out=request.leave_out | {found.mark})


@dataclass(frozen=True)
class SupervisedState:
    """The check of a derivation that is being written."""

    _states: SupervisedStates
    _request: StateRequest
    verdict: StateVerdict

    def push(self, equation: str) -> "SupervisedState":
        """The state after one more equation; this one stays as it is.

        Raises:
            InputError, RuntimeError: as `WorkerProcess.run`.
        """
        return self._states.ask(replace(self._request, equations=(*self._request.equations, equation)))
