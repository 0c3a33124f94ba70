"""A taskset of verifiers: the questions, and the reward of an answer."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from itertools import islice

import verifiers.v1 as vf

from mathderive.integrations.questions import Question, exported_questions, generated_questions
from mathderive.integrations.rewards import DerivationReward


class DerivationData(vf.TaskData):
    """A question: `question` is the bare prompt, `reference` one of many right answers."""

    question: str
    reference: str


class DerivationTaskConfig(vf.TaskConfig):
    """The settings of scoring."""

    shaped: bool = False
    """Whether answers that are not verified earn something for what they derive."""


class DerivationTask(vf.Task[DerivationData, vf.State, DerivationTaskConfig]):
    """A question whose answer is the model's last reply."""

    @vf.reward(weight=1.0)
    async def derivation_reward(self, trace: vf.Trace) -> float:
        """The reward of the last reply; see `DerivationReward`."""
        score = shared_reward(self.config.shaped).score
        return await asyncio.to_thread(score, self.data.question, trace.last_reply, self.data.reference)


class DerivationTasksetConfig(vf.TasksetConfig):
    """The settings of the questions."""

    task: DerivationTaskConfig = DerivationTaskConfig()
    folder: str | None = None
    """An export in the format `jsonl` or `rl`; None generates questions."""
    split: str = "train"
    """The split of the export."""
    num_tasks: int = 100
    """Maximum number of questions."""
    seed: int = 0
    """The seed of generated questions."""
    bare: bool = False
    """Whether a message is the bare prompt, for a model that was trained on those."""


class DerivationTaskset(vf.Taskset[DerivationTask, DerivationTasksetConfig]):
    """The questions of an export, or generated ones."""

    def load(self) -> Iterator[DerivationTask]:
        """Yields the tasks."""
        config = self.config
        if config.folder is not None:
            for question in islice(exported_questions(config.folder, config.split), config.num_tasks):
                yield self._task(question)
            return
        with closing(generated_questions(config.seed)) as questions:
            for question in islice(questions, config.num_tasks):
                yield self._task(question)

    def _task(self, question: Question) -> DerivationTask:
        message = question.message(is_bare=self.config.bare)
        data = DerivationData(id=question.id, prompt=message, question=question.prompt, reference=question.reference)
        return DerivationTask(data, self.config.task)


@cache
def shared_reward(shaped: bool) -> DerivationReward:
    """The reward that all tasks of this process share."""
    return DerivationReward(shaped=shaped)
