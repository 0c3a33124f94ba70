"""The same chunks and the same dataset by Apache Beam, for more than one machine. Imported only when asked for.

Rounds of a pipeline turn chunk numbers into chunk files in a folder that every Beam worker reaches; a last pipeline,
TFDS's own, writes the dataset from them. In between, this process decides from the chunks' keys which example lies in
which split, as it does without Beam, so the contents are the same.
"""

import argparse
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from typing import Any, NoReturn

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions, WorkerOptions
from apache_beam.runners import create_runner

from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.core.workers import KILLED, ChunkT, ItemT, WorkerProcess
from tfds_builders.derivations.chunks import (
    ChunkKeys,
    Computer,
    Task,
    compute_chunk,
    finished_chunks,
    read_keys,
)
from tfds_builders.derivations.splits import Slice, read_slice
from tfds_builders.example_features import encode_example

READERS = 16
"""Threads that read finished chunks' keys, for an object store answers slowly."""

_OPTIONS_OF_THEIR_OWN = ("PortableRunner", "FlinkRunner", "SparkRunner")
"""Runners whose job server may know options that Beam's Python does not."""


@dataclass(frozen=True)
class BeamComputer(Computer):
    """Computes chunks by a Beam pipeline, in rounds of as many chunks as seem to be missing.

    Attributes:
        options: as on a Beam pipeline's command line.
    """

    options: str

    def compute(
        self, task: Task[ItemT, ChunkT], chunks: Iterable[ChunkT], ahead: Callable[[], int]
    ) -> Iterator[ChunkKeys]:
        """As `Computer.compute`."""
        numbered = enumerate(chunks)
        while batch := list(islice(numbered, max(1, ahead()))):
            finished = finished_chunks(task.folder)
            missing = [(number, chunk) for number, chunk in batch if number not in finished]
            if missing:
                say(f"data: Beam: chunks to compute: {len(missing)}, in {task.folder}")
                self._run(task, missing)
            with ThreadPoolExecutor(READERS) as readers:
                yield from readers.map(partial(read_keys, task.folder), [number for number, _ in batch])

    def _run(self, task: Task[ItemT, ChunkT], numbered: list[tuple[int, ChunkT]]) -> None:
        with failing_as_one_line(), beam.Pipeline(options=pipeline_options(self.options)) as pipeline:
            _ = (
                pipeline
                | "Chunks" >> beam.Create(numbered, reshuffle=False)
                | "Spread" >> beam.Reshuffle()
                | "Compute" >> beam.ParDo(ComputeChunk(task))
            )


class ComputeChunk(beam.DoFn):
    """Writes the chunk of each (number, chunk); gives the number."""

    def __init__(self, task: Task[Any, Any]) -> None:
        self._task = task
        self._worker: WorkerProcess[Any, Any] | None = None

    def setup(self) -> None:
        self._worker = WorkerProcess(self._task.function)

    def process(self, numbered: tuple[int, Any]) -> Iterator[int]:
        assert self._worker is not None
        number, chunk = numbered
        compute_chunk(self._task, self._worker, number, chunk)
        yield number

    def teardown(self) -> None:
        if self._worker is not None:
            self._worker.stop()


def examples_transform(slices: Sequence[Slice]) -> beam.PTransform:
    """What TFDS's Beam writer takes for a split: every slice read by some worker, its examples numbered."""
    starts = accumulate((len(part.attempts) for part in slices), initial=0)
    return (
        beam.Create(list(zip(starts, slices, strict=False)), reshuffle=False)
        | beam.Reshuffle()
        | beam.FlatMap(encoded_examples)
    )


def encoded_examples(numbered: tuple[int, Slice]) -> Iterator[tuple[int, dict[str, Any]]]:
    """A slice's examples as TFDS takes them, numbered within their split."""
    start, part = numbered
    for number, example in enumerate(read_slice(part), start=start):
        yield number, encode_example(example)


def pipeline_options(text: str) -> PipelineOptions:
    """Reads options such as `--runner=DirectRunner --direct_num_workers=2`.

    Raises:
        InputError: they cannot be read, or Beam does not know one of them.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--beam-options {text}: {error}") from None
    parser = _Parser(prog="--beam-options", allow_abbrev=False, add_help=False)
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)  # what Beam's subclasses declare their options by
    _, unknown = parser.parse_known_args(words)
    options = PipelineOptions(words)
    runner = options.view_as(StandardOptions).runner
    if unknown and runner not in _OPTIONS_OF_THEIR_OWN:
        raise InputError(f"--beam-options: Beam does not know {' '.join(unknown)}")
    try:
        create_runner(runner or "DirectRunner")
        beam.Pipeline(options=options)  # which checks what the runner cannot do without
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"--beam-options: runner {runner or 'DirectRunner'}: {error}") from None
    options.view_as(TypeOptions).pipeline_type_check = False  # as TFDS does, whose types Beam cannot follow
    workers = options.view_as(WorkerOptions)
    if workers.default_sdk_harness_log_level is None:
        workers.default_sdk_harness_log_level = "WARNING"  # at INFO every worker says hundreds of lines
    return options


@contextmanager
def failing_as_one_line() -> Iterator[None]:
    """Beam wraps what a worker raised into a traceback of its own: a worker that was killed becomes one line again.

    Raises:
        InputError: a worker process was killed from outside.
    """
    try:
        yield
    except Exception as error:
        if KILLED in str(error):
            raise InputError(
                f"{KILLED} on a Beam worker, most likely for lack of memory; the same command goes on from there"
            ) from None
        raise


class _Parser(argparse.ArgumentParser):
    """Says what is wrong instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"--beam-options: {message}")
