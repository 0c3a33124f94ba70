"""The layout of a run folder: where each stage writes its files and the others find them."""

from dataclasses import dataclass
from pathlib import Path

from mathderive.records import Rules

START = "start"
"""The part of the self-training before its first round."""


def round_part(number: int) -> str:
    """The part of the self-training that is a round, numbered from 1."""
    return f"round-{number}"


def control_part(number: int) -> str:
    """The part of the self-training that is the control of a round."""
    return f"control-{number}"


@dataclass(frozen=True)
class RunPaths:
    """The files and folders of one run.

    Attributes:
        folder: the run folder, `runs/NAME`.
    """

    folder: Path

    @property
    def config(self) -> Path:
        """The resolved config of the newest accepted command."""
        return self.folder / "config.yaml"

    @property
    def lock(self) -> Path:
        """The file that is locked while a process works on the run."""
        return self.folder / ".lock"

    @property
    def old(self) -> Path:
        """The folder of earlier results, which are kept when a stage begins anew."""
        return self.folder / "old"

    @property
    def ledger(self) -> Path:
        """The record of what chat endpoints were asked and what they answered."""
        return self.folder / "ledger.sqlite"

    @property
    def downloads(self) -> Path:
        """The files of the authors, where they were downloaded."""
        return self.folder / "downloads"

    @property
    def data(self) -> Path:
        """The output folder of the data stage."""
        return self.folder / "data"

    @property
    def shards(self) -> Path:
        """The output folder of the shards stage."""
        return self.folder / "shards"

    @property
    def checkpoints(self) -> Path:
        """The output folder of the train stage."""
        return self.folder / "checkpoints"

    @property
    def self_training(self) -> Path:
        """The output folder of the self-training stages."""
        return self.folder / "self_training"

    def self_training_part(self, part: str) -> Path:
        """The folder of one part of the self-training: the start, a round, or a control."""
        return self.self_training / part

    def self_trained(self, part: str) -> Path:
        """The folder in which a part of the self-training trains a model."""
        return self.self_training_part(part) / "model"

    @property
    def all_predictions(self) -> Path:
        """The output folder of the predict stages."""
        return self.folder / "predictions"

    @property
    def all_scores(self) -> Path:
        """The output folder of the score stage."""
        return self.folder / "scores"

    @property
    def bleurt_scores(self) -> Path:
        """The BLEURT scores of a score stage that has not ended yet."""
        return self.all_scores / "bleurt.partial"

    @property
    def report(self) -> Path:
        """The output folder of the report stage."""
        return self.folder / "report"

    @property
    def report_page(self) -> Path:
        """The report itself."""
        return self.report / "index.html"

    def manifest(self, stage: str) -> Path:
        """The manifest of a stage."""
        return self.folder / f"{stage}.json"

    def dataset(self, path: str) -> Path:
        """A dataset, by its path below the run folder, which the data stage's results give."""
        return self.folder / path

    def checkpoint(self, model: str) -> Path:
        """The folder in which a model is trained."""
        return self.checkpoints / model

    def metrics(self, model: str) -> Path:
        """The metrics that are logged while a model is trained."""
        return self.checkpoint(model) / "metrics.jsonl"

    def predictions_of(self, model: str) -> Path:
        """The folder of a model's predictions."""
        return self.all_predictions / model

    def predictions(self, model: str, evaluation_set: str) -> Path:
        """A model's predictions for one set."""
        return self.predictions_of(model) / f"{evaluation_set}.jsonl"

    def scores_of(self, model: str) -> Path:
        """The folder of a model's scores."""
        return self.all_scores / model

    def scores(self, model: str, evaluation_set: str) -> Path:
        """A model's scores for one set."""
        return self.scores_of(model) / f"{evaluation_set}.jsonl"

    def verdicts(self, model: str, evaluation_set: str) -> Path:
        """The verdicts on a model's answers to one set."""
        return self.scores_of(model) / f"{evaluation_set}.verdicts.jsonl"

    def reference_verdicts(self, rules: Rules) -> Path:
        """The verdicts on references that people wrote, by the rules that count."""
        return self.all_scores / f"references-{rules}.verdicts.jsonl"

    def sensitivity(self, model: str) -> Path:
        """The changes of a model's scores from static examples to their variants."""
        return self.scores_of(model) / "sensitivity.jsonl"

    def of_process(self, process: int | None) -> "RunPaths":
        """The paths of one process among several that train together.

        Args:
            process: the process's number; process 0 and a process that is alone have the run folder itself.
        """
        return RunPaths(self.folder / f"process-{process}") if process else self
