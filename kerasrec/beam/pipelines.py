"""The pipelines of `prepare`, and the work of a worker on one element."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from kerasrec.beam.assembly import UserRange
from kerasrec.beam.events import EventFormat, Piece
from kerasrec.beam.files import file_systems, import_beam, load_arrays, load_object, save_arrays, save_object
from kerasrec.beam.shards import (
    CoreItems,
    Summary,
    core_counts,
    divided_by_range,
    divided_by_user,
    joined_rows,
    merged_shard,
    plain_integers,
    range_boundaries,
    summary_of,
    with_integer_ids,
)
from kerasrec.data.errors import DataError
from kerasrec.data.interactions import Interactions
from kerasrec.data.table import CONTENT
from kerasrec.types import Array

ROUNDS_PER_PIPELINE = 4
"""Rounds of the core in one pipeline: the start of a pipeline takes longer than a round of small data."""


class Pipelines:
    """The pipelines of `prepare`.

    Args:
        event_format: how events are read.
        staging: folder for shards and ranges.
        n_shards: number of shards, and at most of ranges.
        min_items: number of items that each user needs.
        min_users: number of users that each item needs.
        beam_options: options of the pipelines.
        bar: counts the pipelines.
    """

    def __init__(
        self,
        event_format: EventFormat,
        staging: str,
        n_shards: int,
        min_items: int,
        min_users: int,
        beam_options: Sequence[str],
        bar: tqdm,
    ) -> None:
        self.event_format = event_format
        self.staging = staging
        self.n_shards = n_shards
        self.min_items = min_items
        self.min_users = min_users
        self.beam_options = list(beam_options)
        self.bar = bar

    def divide(self, files: Mapping[str, int], min_value: float | None) -> Summary:
        """Writes the shards, and returns their summary."""
        beam = import_beam()
        numbered = [(path, number, n_bytes) for number, (path, n_bytes) in enumerate(files.items())]

        def build(pipeline: Any) -> Any:
            return (
                pipeline
                | "files" >> beam.Create(numbered)
                | "pieces" >> beam.FlatMap(_pieces, self.event_format)
                | "spread pieces" >> beam.Reshuffle()
                | "events" >> beam.FlatMap(_events_by_shard, self.event_format, self.n_shards)
                | "group by shard" >> beam.GroupByKey()
                | "merge" >> beam.Map(_write_shard, self.event_format, self.staging, min_value)
                | "summary" >> beam.CombineGlobally(Summary.total).without_defaults()
            )

        summary: Summary = self._run("reading events", build)
        return summary

    def core_items(self, summary: Summary) -> Array:
        """Returns the ids of the items of the core."""
        beam = import_beam()
        ids, counts = summary.items.ids, summary.items.counts
        if summary.items_are_integers:
            ids = plain_integers(ids, "items")
            order = np.argsort(ids)
            ids, counts = ids[order], counts[order]
        if self.min_items == self.min_users == 1:
            return ids
        core = CoreItems(ids[counts >= self.min_users], (len(ids),))

        def build(pipeline: Any) -> Any:
            shards = self._shards(pipeline, summary)
            # As a file, because a runner limits the size of a pipeline.
            items = pipeline | "core" >> beam.Create([path]) | "load core" >> beam.Map(load_object)
            for n in range(ROUNDS_PER_PIPELINE):
                side = beam.pvalue.AsSingleton(items)
                counts = shards | f"count {n}" >> beam.Map(_core_counts, side, self.min_items)
                total = counts | f"sum {n}" >> beam.CombineGlobally(sum).without_defaults()
                items = total | f"drop {n}" >> beam.Map(_next_core, beam.pvalue.AsSingleton(items), self.min_users)
            return items

        path = self._path("core.pickle")
        while len(core.ids) and not core.is_stable:
            save_object(core, path)
            core = self._run("core", build)
        return core.ids

    def order(self, summary: Summary, items: Array) -> list[UserRange]:
        """Writes the ranges of users, and returns their files."""
        beam = import_beam()
        quantiles = summary.user_quantiles
        if summary.users_are_integers:
            quantiles = plain_integers(quantiles, "users")
        boundaries = range_boundaries(quantiles, self.n_shards)
        path = self._path("items.pickle")
        save_object(items, path)

        def build(pipeline: Any) -> Any:
            catalogue = pipeline | "items" >> beam.Create([path]) | "load items" >> beam.Map(load_object)
            side = beam.pvalue.AsSingleton(catalogue)
            return (
                self._shards(pipeline, summary)
                | "rows" >> beam.FlatMap(_rows_by_range, side, self.min_items, boundaries)
                | "group by range" >> beam.GroupByKey()
                | "write ranges" >> beam.Map(_write_range, self.staging)
                | "files of ranges" >> beam.combiners.ToList()
            )

        ranges: list[UserRange] = self._run("ordering users", build)
        return ranges

    def _shards(self, pipeline: Any, summary: Summary) -> Any:
        """Returns the collection of the paths of all shards, and how to read them."""
        beam = import_beam()
        integers = (summary.users_are_integers, summary.items_are_integers)
        shards = [(_shard_path(self.staging, shard), integers) for shard in summary.shards]
        return pipeline | "shards" >> beam.Create(shards) | "spread shards" >> beam.Reshuffle()

    def _path(self, name: str) -> str:
        return str(file_systems().join(self.staging, name))

    def _run(self, step: str, build: Callable[[Any], Any]) -> Any:
        """Runs a pipeline.

        Args:
            step: description of the pipeline.
            build: adds the transforms to a pipeline, and returns a collection of one element.

        Returns:
            The element.
        """
        beam = import_beam()
        from apache_beam.options.pipeline_options import PipelineOptions

        self.bar.set_postfix_str(step)
        path = self._path("result.pickle")
        try:
            with beam.Pipeline(options=PipelineOptions(self.beam_options)) as pipeline:
                build(pipeline) | "result" >> beam.Map(save_object, path)  # noqa: B018 - Beam's syntax
        except Exception as error:
            # Runners report an error of a worker as text.
            messages = re.findall(r"DataError: (.+?)(?: \[while running .*)?$", str(error), re.MULTILINE)
            messages += [str(error).partition(" [while running")[0]] * isinstance(error, DataError)
            if messages:
                raise DataError(messages[-1].replace("\\'", "'")) from None
            raise
        self.bar.update()
        return load_object(path)


# ---- the work on one element, in a process of a worker ---------------------------------------------


def _pieces(file: tuple[str, int, int], event_format: EventFormat) -> Iterator[Piece]:
    return event_format.pieces(*file)


def _events_by_shard(piece: Piece, event_format: EventFormat, n_shards: int) -> Iterator[tuple[int, Any]]:
    for table, dropped in event_format.events(piece):
        if dropped or not len(table):
            yield 0, (None, dropped)
        for shard, rows in divided_by_user(table, n_shards):
            yield shard, (rows, {})


def _write_shard(
    group: tuple[int, Iterable[Any]], event_format: EventFormat, staging: str, min_value: float | None
) -> Summary:
    number, parts = group
    shard, row_counts = merged_shard(parts, event_format.duplicates, min_value)
    if shard is not None:
        arrays = {name: getattr(shard, name) for name in CONTENT}
        arrays["values"] = None if shard.is_binary else shard.values
        save_arrays(_shard_path(staging, number), arrays)
    return summary_of(number, shard, row_counts, from_text=event_format.text is not None)


def _shard_path(staging: str, number: int) -> str:
    return str(file_systems().join(staging, f"shard-{number:05d}.npz"))


def _load_shard(shard: tuple[str, tuple[bool, bool]]) -> Interactions:
    path, integers = shard
    arrays: dict[str, Any] = load_arrays(path)
    values = arrays.pop("values", np.broadcast_to(np.float32(1), len(arrays["items"])))
    return with_integer_ids(Interactions(values=values, times=arrays.pop("times", None), **arrays), *integers)


def _core_counts(shard: tuple[str, tuple[bool, bool]], core: CoreItems, min_items: int) -> Array:
    return core_counts(_load_shard(shard), core.ids, min_items)


def _next_core(counts: Array, core: CoreItems, min_users: int) -> CoreItems:
    ids = core.ids[counts >= min_users]
    return CoreItems(ids, (*core.sizes, len(ids)))


def _rows_by_range(
    shard: tuple[str, tuple[bool, bool]], items: Array, min_items: int, boundaries: Array
) -> Iterator[tuple[int, Any]]:
    return divided_by_range(_load_shard(shard), items, min_items, boundaries)


def _write_range(group: tuple[int, Iterable[Any]], staging: str) -> UserRange:
    number, parts = group
    arrays = joined_rows(parts)
    path = str(file_systems().join(staging, f"range-{number:05d}.npz"))
    save_arrays(path, arrays)
    n_users, n = len(arrays["user_ids"]), len(arrays["items"])
    return UserRange(number, path, n_users, n, arrays["values"] is None, arrays["times"] is not None)
