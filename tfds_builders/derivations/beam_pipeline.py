"""Generation by Apache Beam, for more than one machine. This module is imported only with `--beam`.

A pipeline computes chunk files from chunk numbers, in a folder that every Beam worker can write. It runs several times,
until there are enough chunks. TFDS's own pipeline then writes the dataset from the files. In between, this process
assigns the examples to splits from the chunks' keys, as it does without Beam, so the contents are the same.
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
from mathderive.core.extensions import load_inherited_extensions
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
"""Number of threads that read the keys of finished chunks, because an object store answers slowly."""

_RUNNERS_WITH_OTHER_OPTIONS = ("PortableRunner", "FlinkRunner", "SparkRunner")
"""Runners with a job server that may accept options unknown to Beam's Python library."""


@dataclass(frozen=True)
class BeamComputer(Computer):
    """Computes chunks by a Beam pipeline, in rounds; each round has the estimated number of missing chunks.

    Attributes:
        options: the options of a Beam pipeline's command line.
    """

    options: str

    def compute(
        self, task: Task[ItemT, ChunkT], chunks: Iterable[ChunkT], ahead: Callable[[], int]
    ) -> Iterator[ChunkKeys]:
        """Implements `Computer.compute`."""
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
    """Writes the files of each (number, chunk) and returns the number."""

    def __init__(self, task: Task[Any, Any]) -> None:
        self._task = task
        self._worker: WorkerProcess[Any, Any] | None = None

    def setup(self) -> None:
        load_inherited_extensions()
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
    """The Beam transform that TFDS writes a split from: workers read the slices and number the examples."""
    starts = accumulate((len(part.attempts) for part in slices), initial=0)
    return (
        beam.Create(list(zip(starts, slices, strict=False)), reshuffle=False)
        | beam.Reshuffle()
        | beam.FlatMap(encoded_examples)
    )


def encoded_examples(numbered: tuple[int, Slice]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields a slice's examples in TFDS's form, numbered within their split."""
    load_inherited_extensions()
    start, part = numbered
    for number, example in enumerate(read_slice(part), start=start):
        yield number, encode_example(example)


def pipeline_options(text: str) -> PipelineOptions:
    """Parses options such as `--runner=DirectRunner --direct_num_workers=2`.

    Raises:
        InputError: the text cannot be parsed, or Beam does not know an option.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--beam-options {text}: {error}") from None
    parser = _Parser(prog="--beam-options", allow_abbrev=False, add_help=False)
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)  # the method in which Beam's subclasses declare their options
    _, unknown = parser.parse_known_args(words)
    options = PipelineOptions(words)
    runner = options.view_as(StandardOptions).runner
    if unknown and runner not in _RUNNERS_WITH_OTHER_OPTIONS:
        raise InputError(f"--beam-options: Beam does not know {' '.join(unknown)}")
    try:
        create_runner(runner or "DirectRunner")
        beam.Pipeline(options=options)  # checks the options that the runner requires
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"--beam-options: runner {runner or 'DirectRunner'}: {error}") from None
    options.view_as(TypeOptions).pipeline_type_check = False  # as TFDS does: Beam cannot check its types
    workers = options.view_as(WorkerOptions)
    if workers.default_sdk_harness_log_level is None:
        workers.default_sdk_harness_log_level = "WARNING"  # at INFO every worker logs hundreds of lines
    return options


def runs_on_this_machine(options: PipelineOptions) -> bool:
    """Whether the runner's workers have this machine's files and environment variables."""
    return options.view_as(StandardOptions).runner in (None, "DirectRunner")


@contextmanager
def failing_as_one_line() -> Iterator[None]:
    """Turns the traceback in which Beam wraps the error of a killed worker process back into one line.

    Raises:
        InputError: a worker process was killed from outside.
    """
    try:
        yield
    except Exception as error:
        if KILLED in str(error):
            raise InputError(
                f"{KILLED} on a Beam worker, most likely for lack of memory; the same command resumes from there"
            ) from None
        raise


class _Parser(argparse.ArgumentParser):
    """Raises an error instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"--beam-options: {message}")
