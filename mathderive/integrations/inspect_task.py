"""A task of Inspect: `inspect eval mathderive/derivations -T folder=FOLDER`."""

from contextlib import closing
from itertools import islice

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from mathderive.api.checking import Checker
from mathderive.checker.display import display
from mathderive.integrations.questions import Question, exported_questions, generated_questions


@task
def derivations(
    folder: str | None = None, split: str = "static", questions: int = 100, seed: int = 0, bare: bool = False
) -> Task:
    """Derivations from premises to a goal.

    Args:
        folder: an export in the format `jsonl` or `rl`; None generates questions.
        split: the split of the export.
        questions: maximum number of questions.
        seed: the seed of generated questions.
        bare: whether a message is the bare prompt, for a model that was trained on those.
    """
    if folder is not None:
        found = list(islice(exported_questions(folder, split), questions))
    else:
        with closing(generated_questions(seed)) as further:
            found = list(islice(further, questions))
    dataset = MemoryDataset([_sample(question, bare) for question in found], name="derivations", location=folder)
    return Task(dataset=dataset, solver=generate(), scorer=verified())


@scorer(metrics=[accuracy(), stderr()])
def verified() -> Scorer:
    """Correct if the checker verifies the derivation; the explanation has the verdict on each equation."""
    checker = Checker()

    async def score(state: TaskState, target: Target) -> Score:
        answer = state.output.completion
        verdict = await anyio.to_thread.run_sync(checker.check, state.metadata["prompt"], answer)
        return Score(
            value=CORRECT if verdict.verified else INCORRECT,
            answer=answer,
            explanation=display(verdict),
            metadata={"sound": verdict.sound, "goal_reached": verdict.goal_reached},
        )

    return score


def _sample(question: Question, bare: bool) -> Sample:
    message = question.message(is_bare=bare)
    return Sample(id=question.id, input=message, target=question.reference, metadata={"prompt": question.prompt})
