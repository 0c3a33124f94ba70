"""The work of self-training: the validation before it, a round, and a round's control.

A round samples answers to training prompts, keeps what the checker verifies, and goes on with the training of the model
on these answers and a share of the original examples. Its control goes on for as many steps with original examples
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mathderive.config.schema import ModelSettings, SelfTrainingSettings, TrainingSettings
from mathderive.core.errors import InputError
from mathderive.core.files import read_json, write_json
from mathderive.core.progress import progress
from mathderive.pipeline.paths import START, RunPaths, control_part, round_part
from mathderive.pipeline.results import DatasetResults, FurtherTrainingResults, RoundResults, ValidationResults
from mathderive.pipeline.run import Run
from mathderive.pipeline.self_training.answers import AnsweredPrompt, Sampling, answer_prompts
from mathderive.pipeline.self_training.originals import Pairs, ShardPairs, choose_originals, prompts_of_round
from mathderive.pipeline.self_training.reading import held_out_hashes
from mathderive.pipeline.self_training.selection import TrainingExample, admissible_answers, shortest_answers
from mathderive.predictors.settings import SamplerSettings, T5Settings
from mathderive.predictors.t5 import T5Model
from mathderive.records import EVALUATION_SETS, Example, write_jsonl
from mathderive.training.conversion import load_model, open_checkpoint
from mathderive.training.digests import digest
from mathderive.training.texts import train_on_texts
from tfds_builders.example_features import read_examples

_MODEL_NAME = "self-training"


@dataclass(frozen=True)
class SelfTraining:
    """The self-training of a run's model.

    Attributes:
        derivations: the generated dataset.
        released: the authors' examples, where they are evaluated.
    """

    run: Run
    settings: SelfTrainingSettings
    model: ModelSettings
    training: TrainingSettings
    derivations: DatasetResults
    released: DatasetResults | None

    def validate_start(self, trained: Path) -> ValidationResults:
        """Validates the trained model, and writes down what no round may train on."""
        if not self._held_out_file.exists():
            splits = self._held_out_splits()
            write_json(self._held_out_file, sorted(held_out_hashes(example for split in splits for example in split)))
        return self._validate(trained, START)

    def train_round(self, number: int, before: Path) -> RoundResults:
        """Samples the model in the folder `before`, and trains it further.

        Raises:
            InputError: no answer may be trained on, the training fails, or a worker was killed from outside.
            Terminated: a signal ended the training, and a checkpoint was written.
        """
        settings, part, seed = self.settings, round_part(number), self.run.config.run.seed
        folder = self._paths.self_training_part(part)
        prompts = prompts_of_round(self._training_examples, number, settings.prompts, seed)
        # Samples are numbered through all rounds, so that a prompt that comes again gets other samples.
        numbers = range(1 + (number - 1) * settings.samples, 1 + number * settings.samples)
        answered = self._answer(before, numbers, prompts, folder / "samples.jsonl", f"self-training {seed}")
        kept = list(shortest_answers(answered))
        own = list(admissible_answers(kept, frozenset(read_json(self._held_out_file, "canonical hashes"))))
        if not own:
            raise InputError(
                f"self_training: round {number}: none of {len(answered)} prompts has a verified answer to train on;"
                " expected a model that solves some of them, or more prompts or samples"
            )
        replay = choose_originals(self._originals, round(settings.replay * len(own)), seed, f"replay {number}")
        examples = [*own, *replay]
        steps = max(1, round(settings.epochs * -(-len(examples) // self.training.batch_size)))
        trained = self._train(before, part, number, examples, steps)
        return RoundResults(
            prompts=len(answered),
            samples=len(answered) * settings.samples,
            tokens=sum(prompt.tokens for prompt in answered),
            verified=sum(prompt.verified for prompt in answered),
            solved=sum(prompt.verified > 0 for prompt in answered),
            kept=len(kept),
            distinct=len(own),
            **dict(trained),
        )

    def train_control(self, number: int, before: Path, of_round: RoundResults) -> FurtherTrainingResults:
        """Trains the model in the folder `before` as long as in a round, on as many original examples.

        Raises:
            InputError, Terminated: as `train_round`.
        """
        seed = self.run.config.run.seed
        examples = choose_originals(self._originals, of_round.examples, seed, f"control {number}")
        return self._train(before, control_part(number), number, examples, of_round.steps)

    def _train(
        self, before: Path, part: str, number: int, examples: Sequence[TrainingExample], steps: int
    ) -> FurtherTrainingResults:
        write_jsonl(self._paths.self_training_part(part) / "training.jsonl", examples)
        source = open_checkpoint(str(before))
        # The digest stands for the checkpoint, so that the run folder may be moved.
        model = self.model.model_copy(update={"init_from": digest(source.params()), "tokens_to_add": ()})
        # One validation at the end: the best checkpoint by ROUGE-2 is not the one with the most verified answers.
        changes = {"steps": steps, "epochs": None, "evaluate_every": steps}
        changes |= {key: getattr(self.settings, key) for key in ("learning_rate", "warmup_steps")}
        folder = self._paths.self_trained(part)
        with progress(part) as on_progress:
            train_on_texts(
                model,
                self.training.model_copy(update=changes),
                (self.run.config.run.seed + number) % 2**32,
                [(example.prompt, example.target) for example in examples],
                [(example.prompt, example.target) for example in self._validation_examples],
                folder,
                on_progress,
                source=source,
            )
        return FurtherTrainingResults(
            examples=len(examples),
            steps=steps,
            digest=digest(load_model(folder).params),
            validation=self._validate(folder, part),
        )

    def _validate(self, model: Path, part: str) -> ValidationResults:
        """Answers the held-out prompts greedily; the checker has the seed of the score stage, and rounds another."""
        path = self._paths.self_training_part(part) / "validation.jsonl"
        chosen = self._validation_examples[: self.settings.validation_prompts]
        answered = self._answer(model, [0], chosen, path, str(self.run.config.run.seed))
        return ValidationResults(prompts=len(answered), verified=sum(prompt.verified for prompt in answered))

    def _answer(
        self, model: Path, numbers: Sequence[int], examples: Sequence[Example], path: Path, checker_seed: str
    ) -> list[AnsweredPrompt]:
        config, settings = self.run.config, self.settings
        sampler = SamplerSettings(
            kind="search",
            around=T5Settings(kind="t5"),
            temperature=settings.temperature,
            top_k=settings.top_k,
            top_p=settings.top_p,
        )
        t5 = T5Model(_MODEL_NAME, str(model), config.decoding)
        sampling = Sampling(t5, sampler, numbers, config.run.seed, checker_seed, config.score.workers)
        with progress(path.parent.name) as on_progress:
            return answer_prompts(sampling, examples, path, on_progress)

    @property
    def _paths(self) -> RunPaths:
        return self.run.paths

    @property
    def _held_out_file(self) -> Path:
        return self._paths.self_training_part(START) / "held-out.json"

    @cached_property
    def _validation_examples(self) -> list[Example]:
        return read_examples(self._paths.dataset(self.derivations.path), "validation")

    @cached_property
    def _training_examples(self) -> list[Example]:
        return read_examples(self._paths.dataset(self.derivations.path), "train")

    @cached_property
    def _originals(self) -> Pairs:
        """The pairs that the model was trained on; those of shards have other names than the training examples."""
        if self.run.config.shards:
            return ShardPairs(self._paths.shards)
        return [(example.prompt, example.target) for example in self._training_examples]

    def _held_out_splits(self) -> list[list[Example]]:
        """Every example that models are validated or evaluated on."""
        generated = self._paths.dataset(self.derivations.path)
        splits = [read_examples(generated, name) for name in ("validation", *EVALUATION_SETS)]
        if self.released is not None:
            released = self._paths.dataset(self.released.path)
            splits += [read_examples(released, name) for name in EVALUATION_SETS]
        return splits
