"""`mathderive compare`: reads two finished runs that were evaluated on the same examples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mathderive.config.schema import Name
from mathderive.core.errors import InputError
from mathderive.core.extensions import extension_digests
from mathderive.core.files import sha256
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.stamps import read_manifest
from mathderive.records import EVALUATION_SETS, EvaluationSet, Record, Score, read_jsonl

if TYPE_CHECKING:
    from mathderive.report.run_comparison import RunComparison


class _StampPart(BaseModel):
    """The part of a stage's stamp that is read here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _ScoreStamp(_StampPart):
    """The inputs of a score stage beside the answers."""

    version: int
    libraries: dict[str, str]
    bleurt: dict[str, Any] | None = None


class _ReportStamp(_StampPart):
    """The inputs of a report.

    Attributes:
        data: the content hash of the dataset that the evaluated examples are taken from.
        scores: the SHA-256 of each file of scores by predictor.
        extensions: the SHA-256 of each extension by its name.
    """

    config: dict[str, Any]
    data: str
    scores: dict[Name, list[str]]
    extensions: dict[str, str] = {}


@dataclass(frozen=True)
class _FinishedRun:
    """A run folder with the stamps of its last stages."""

    paths: RunPaths
    score: _ScoreStamp
    report: _ReportStamp

    @property
    def predictors(self) -> list[str]:
        return list(self.report.scores)


def compare_runs(
    first: Path, second: Path, predictors: tuple[str, str] | None = None, reads_answers: bool = False
) -> "RunComparison":
    """Sets two runs side by side.

    Args:
        first, second: the run folders.
        predictors: the predictor of the first run and that of the second run to compare; by default those of the same
            name, and the remaining ones if there is one in each run.
        reads_answers: also reads the answers and their verdicts, which the page shows.

    Raises:
        InputError: a run is not finished, or the runs cannot be compared: they were evaluated on other examples, scored
            in other ways, or have no such predictors.
    """
    from mathderive.metrics.checked_answers import CheckedAnswer
    from mathderive.report.run_comparison import ComparedRun, Pair, RunComparison

    runs = _open(first), _open(second)
    _raise_if_incomparable(*runs)
    pairs = _match_predictors(*runs) if predictors is None else _asked_predictors(*runs, predictors)
    one, other = (
        ComparedRun(
            name=name,
            folder=str(run.paths.folder),
            config=run.report.config,
            scores={predictor: _read_sets(run.paths.scores, predictor, Score) for predictor in chosen},
            checked={
                predictor: _read_sets(run.paths.verdicts, predictor, CheckedAnswer)
                for predictor in chosen
                if reads_answers
            },
        )
        for run, name, chosen in zip(runs, _names(first, second), zip(*pairs, strict=True), strict=True)
    )
    for pair in pairs:
        _raise_if_other_examples((first, second), (one.scores[pair[0]], other.scores[pair[1]]))
    return RunComparison(one, other, [Pair(*pair) for pair in pairs], _notes(*runs, pairs, predictors is not None))


def _open(folder: Path) -> _FinishedRun:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected that of a finished run, such as runs/quick")
    paths = RunPaths(folder)
    run = _FinishedRun(paths, _read_stamp(paths, "score", _ScoreStamp), _read_stamp(paths, "report", _ReportStamp))
    for predictor, digests in run.report.scores.items():
        files = sorted(paths.scores_of(predictor).glob("*"))
        if [sha256(path) for path in files if path.is_file()] != digests:
            raise InputError(
                f"{paths.scores_of(predictor)}: not the scores of this run's report; expected `report` to be run again"
            )
    return run


_StampT = TypeVar("_StampT", bound=_StampPart)


def _read_stamp(paths: RunPaths, stage: str, kind: type[_StampT]) -> _StampT:
    path = paths.manifest(stage)
    manifest = read_manifest(path)
    if manifest is None or not manifest.done:
        raise InputError(
            f"{path}: the {stage} stage is not done; expected the folder of a finished run, such as runs/quick"
        )
    try:
        return kind.model_validate(manifest.stamp)
    except ValidationError as error:
        problem: Any = error.errors(include_url=False)[0]
        key = ".".join(map(str, ("stamp", *problem["loc"])))
        raise InputError(f"{path}: {key}: {problem['msg']}; expected the manifest that the stage wrote") from None


def _raise_if_incomparable(first: _FinishedRun, second: _FinishedRun) -> None:
    place = f"{first.paths.folder} and {second.paths.folder}"
    if first.report.data != second.report.data:
        raise InputError(
            f"{place}: evaluated on different data, with the content hashes {first.report.data} and "
            f"{second.report.data}; expected the same data"
        )
    versions = first.score.version, second.score.version
    if len(set(versions)) > 1:
        raise InputError(
            f"{place}: scored by versions {versions[0]} and {versions[1]} of the score stage; expected the same one, "
            "as after `report` is run again"
        )
    if first.score.bleurt and second.score.bleurt and first.score.bleurt != second.score.bleurt:
        raise InputError(f"{place}: score.bleurt: scored by different settings or checkpoints; expected the same ones")


def _match_predictors(first: _FinishedRun, second: _FinishedRun) -> list[tuple[str, str]]:
    """Pairs predictors of the same name, in the first run's order, and the remaining ones if there is one in each."""
    alone = _predictors_of_one(first, second)
    partners = dict(zip(*alone, strict=True)) if len(alone[0]) == len(alone[1]) == 1 else {}
    partners |= {name: name for name in first.predictors if name in second.predictors}
    if not partners:
        named = " and ".join(", ".join(names) or "none" for names in alone)
        raise InputError(
            f"{first.paths.folder} and {second.paths.folder}: no predictor in both, only {named}; expected one of each "
            "after --predictors"
        )
    return [(name, partners[name]) for name in first.predictors if name in partners]


def _asked_predictors(first: _FinishedRun, second: _FinishedRun, names: tuple[str, str]) -> list[tuple[str, str]]:
    for run, name in zip((first, second), names, strict=True):
        if name not in run.predictors:
            raise InputError(
                f"--predictors: {name}: {run.paths.folder} has no such predictor; expected one of "
                f"{', '.join(run.predictors)}"
            )
    return [names]


def _predictors_of_one(first: _FinishedRun, second: _FinishedRun) -> tuple[list[str], list[str]]:
    """The predictors of each run that have no namesake in the other."""
    return (
        [name for name in first.predictors if name not in second.predictors],
        [name for name in second.predictors if name not in first.predictors],
    )


def _names(first: Path, second: Path) -> tuple[str, str]:
    """A word for each run: the name of its folder; `first` and `second` where the folders have the same name."""
    one, other = (" ".join(Path(normpath(folder.absolute())).name.split()) for folder in (first, second))
    return (one, other) if one != other else ("first", "second")


_RecordT = TypeVar("_RecordT", bound=Record)


def _read_sets(
    place: Callable[[str, str], Path], predictor: str, kind: type[_RecordT]
) -> dict[EvaluationSet, list[_RecordT]]:
    """A predictor's records by set, without absent files: a set of an extension, or verdicts of unchecked answers."""
    places = {name: place(predictor, name) for name in EVALUATION_SETS}
    return {name: read_jsonl(path, kind) for name, path in places.items() if path.exists()}


def _raise_if_other_examples(
    folders: Sequence[Path], scores: Sequence[Mapping[EvaluationSet, Sequence[Score]]]
) -> None:
    evaluated = [{score.id: None for in_set in by_set.values() for score in in_set} for by_set in scores]
    sizes = " and ".join(str(len(ids)) for ids in evaluated)
    for one, other in ((0, 1), (1, 0)):
        if lacking := next((key for key in evaluated[one] if key not in evaluated[other]), None):
            raise InputError(
                f"{folders[0]} and {folders[1]}: evaluated on {sizes} examples; {folders[other]} lacks {lacking}; "
                "expected the same examples"
            )


def _notes(first: _FinishedRun, second: _FinishedRun, pairs: Sequence[tuple[str, str]], is_asked: bool) -> list[str]:
    """Says what is left out unasked, and what may make scores differ although the answers are the same."""
    notes = []
    left_out = [
        f"{', '.join(names)} of {run.paths.folder}"
        for run, chosen in zip((first, second), zip(*pairs, strict=True), strict=True)
        if (names := [name for name in run.predictors if name not in chosen])
    ]
    if left_out and not is_asked:
        notes.append(f"Left out: {' and '.join(left_out)}; --predictors compares two with different names.")
    libraries = [
        f"{name} {version} and {other_version}"
        for name, version in first.score.libraries.items()
        if (other_version := second.score.libraries.get(name, version)) != version
    ]
    if libraries:
        notes.append(f"The runs were scored with different libraries: {', '.join(libraries)}.")
    extensions = {**first.report.extensions, **second.report.extensions}
    if unknown := [name for name in extensions if name not in extension_digests()]:
        notes.append(f"Left out: what {', '.join(unknown)} measures; a --config that has these extensions adds it.")
    return notes
