"""The best k items of all users, from an exported model, on Apache Beam. Workers do not need kerasrec.

    pip install apache-beam tensorflow pyarrow

    python beam_score.py --model served --packed packed --out lists/part
    python beam_score.py --model served --events 'events/*.parquet' --user user_id --item item_id --time timestamp
        --out lists/part --runner=DirectRunner --direct_running_mode=multi_processing --direct_num_workers=4

`--model` is a folder of `kerasrec export`, of which the newest version is used. The histories are those of a packed
folder (`kerasrec data pack`, `kerasrec data prepare`), or of events in Parquet files. All paths may be on any file
system of Beam. The result is Parquet with the columns `user_id`, `rank` (from 1), `item_id` and `score`. The lists of a
user are in one file, by rank; the order of the users is not defined. Other options go to Beam.
"""

import argparse
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.parquetio import ReadFromParquetBatched, WriteToParquetBatched
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from pyarrow.parquet import ParquetFile

Histories = dict[str, np.ndarray]
"""The histories of some users, oldest item first: "user_ids" `(n_users,)`; "indptr" `(n_users + 1,)`, so that user
`u` has the slice `indptr[u]:indptr[u + 1]` of "item_ids" `(n,)` and of "values" `(n,)` float32. It is no class of this
script, because the other processes of the workers do not have its module."""


def main(arguments: list[str] | None = None) -> None:
    """Reads the command line and runs the pipeline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of the export")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--packed", help="packed folder with the histories")
    source.add_argument("--events", help="pattern of Parquet files with one event in each row")
    parser.add_argument("--user", default="user_id", help="column of user ids in --events")
    parser.add_argument("--item", default="item_id", help="column of item ids in --events")
    parser.add_argument("--time", help="column of times in --events: any numbers or dates")
    parser.add_argument("--value", help="column of ratings in --events")
    parser.add_argument("--min-value", type=float, help="use only the events with at least this value")
    parser.add_argument("--shards", type=int, default=64, help="groups of users in which --events are sorted")
    parser.add_argument("--k", type=int, default=100, help="number of items")
    parser.add_argument("--batch-size", type=int, default=512, help="users at once")
    parser.add_argument("--threads", type=int, default=1, help="threads of TensorFlow in each worker process")
    parser.add_argument("--out", required=True, help="prefix of the files")
    parser.add_argument("--out-files", type=int, default=0, help="number of files; 0 lets the runner choose")
    options, beam_options = parser.parse_known_args(arguments)
    if options.min_value is not None and options.value is None and options.events:
        parser.error("--min-value: expected --value, the column of ratings")

    with beam.Pipeline(options=PipelineOptions(beam_options)) as pipeline:
        if options.packed:
            about = packed_description(options.packed)
            user_type, item_type = (arrow_type(about["arrays"][name][0]) for name in ("user_ids", "item_ids"))
            n_users = about["arrays"]["user_ids"][1]
            histories = (
                pipeline
                | "ranges of users" >> beam.Create(range(0, n_users, options.batch_size))
                | "spread" >> beam.Reshuffle()
                | "read" >> beam.ParDo(ReadPacked(options.packed, about, options.batch_size))
            )
        else:
            columns = {"user": options.user, "item": options.item, "time": options.time, "value": options.value}
            columns = {role: name for role, name in columns.items() if name is not None}
            user_type, item_type = event_types(options.events, options.user, options.item)
            histories = (
                pipeline
                | "read" >> ReadFromParquetBatched(options.events, columns=list(columns.values()))
                | "divide" >> beam.FlatMap(divided_by_user, columns, options.shards)
                | "group" >> beam.GroupByKey()
                | "histories" >> beam.FlatMap(event_histories, options.min_value, options.batch_size)
                | "spread" >> beam.Reshuffle()
            )
        schema = pa.schema(
            [("user_id", user_type), ("rank", pa.int32()), ("item_id", item_type), ("score", pa.float32())]
        )
        _ = (
            histories
            | "score" >> RunInference(ExportedModel(options.model, options.k, options.threads))
            | "write"
            >> WriteToParquetBatched(
                options.out, schema, codec="snappy", file_name_suffix=".parquet", num_shards=options.out_files
            )
        )


# ---- histories of a packed folder -----------------------------------------------------------------


def packed_description(folder: str) -> dict[str, Any]:
    """The content of `packed.json`."""
    with FileSystems.open(FileSystems.join(folder, "packed.json")) as file:
        about: dict[str, Any] = json.load(file)
    if about["format"] != 1:
        raise ValueError(f"{folder}: expected format 1, got {about['format']}. Fix: use the script of that version")
    return about


def array_slice(folder: str, name: str, start: int, stop: int) -> np.ndarray:
    """The elements `start` to `stop` of an array in the folder."""
    with FileSystems.open(FileSystems.join(folder, f"{name}.npy")) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read_header(file)
        file.seek(file.tell() + start * dtype.itemsize)
        return np.frombuffer(file.read((stop - start) * dtype.itemsize), dtype)


class ReadPacked(beam.DoFn):
    """Reads the histories of `batch_size` users from a packed folder, of which `about` is the description."""

    def __init__(self, folder: str, about: dict[str, Any], batch_size: int) -> None:
        self.folder = folder
        self.about = about
        self.batch_size = batch_size

    def setup(self) -> None:
        """Reads the item ids once in each worker process."""
        self.item_ids = array_slice(self.folder, "item_ids", 0, self.about["arrays"]["item_ids"][1])

    def process(self, start: int) -> Iterator[Histories]:
        """Yields the histories of the users from row `start` on."""
        folder, about = self.folder, self.about
        stop = min(start + self.batch_size, about["arrays"]["user_ids"][1])
        bounds = array_slice(folder, "indptr", start, stop + 1)
        first, end = int(bounds[0]), int(bounds[-1])
        indptr = bounds - first
        items = array_slice(folder, "items", first, end)
        values = np.ones(len(items), np.float32)
        if "values" in about["arrays"]:
            values = array_slice(folder, "values", first, end)
        if not about["in_time_order"]:
            users = np.repeat(np.arange(stop - start), np.diff(indptr))
            order = np.lexsort((array_slice(folder, "times", first, end), users))
            items, values = items[order], values[order]
        user_ids = array_slice(folder, "user_ids", start, stop)
        yield {"user_ids": user_ids, "indptr": indptr, "item_ids": self.item_ids[items], "values": values}


def arrow_type(dtype: str) -> pa.DataType:
    """The type of ids in Parquet."""
    return pa.string() if np.dtype(dtype).kind == "U" else pa.int64()


# ---- histories of events ------------------------------------------------------------------------------


def event_types(pattern: str, *names: str) -> list[pa.DataType]:
    """The types of ids in the first file."""
    paths = sorted(metadata.path for result in FileSystems.match([pattern]) for metadata in result.metadata_list)
    if not paths:
        raise ValueError(f"--events: expected Parquet files, got nothing at {pattern}. Fix: check the pattern")
    with FileSystems.open(paths[0]) as file:
        schema = ParquetFile(file).schema_arrow
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise ValueError(f"{paths[0]}: expected a column {missing[0]!r}, got {', '.join(schema.names)}")
    return [pa.int64() if pa.types.is_integer(schema.field(name).type) else pa.string() for name in names]


def divided_by_user(table: pa.Table, columns: dict[str, str], n_shards: int) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each shard. All events of a user are in one shard."""
    table = pa.table({role: table[name] for role, name in columns.items()}).combine_chunks()
    users = table["user"].combine_chunks().dictionary_encode()
    hashes = [zlib.crc32(str(user).encode()) % n_shards for user in users.dictionary.to_pylist()]
    shards = np.array(hashes, np.int64)[users.indices.to_numpy()]
    for shard in np.unique(shards).tolist():
        yield shard, table.filter(pa.array(shards == shard))


def event_histories(
    group: tuple[int, Iterable[pa.Table]], min_value: float | None, batch_size: int
) -> Iterator[Histories]:
    """The histories of a shard: the latest event of each user and item, by time; at equal times, by item id."""
    table = pa.concat_tables(group[1], promote_options="permissive")
    user_ids, users = np.unique(ids_of(table["user"]), return_inverse=True)
    item_ids, items = np.unique(ids_of(table["item"]), return_inverse=True)
    values = np.ones(len(table), np.float32)
    if "value" in table.column_names:
        values = table["value"].to_numpy().astype(np.float32)
    times = table["time"].to_numpy() if "time" in table.column_names else np.zeros(len(table))
    order = np.lexsort((values, times, items, users))
    users, items, times, values = users[order], items[order], times[order], values[order]
    kept = np.append((users[1:] != users[:-1]) | (items[1:] != items[:-1]), True)
    if min_value is not None:
        kept &= values >= min_value
    users, items, times, values = users[kept], items[kept], times[kept], values[kept]
    order = np.lexsort((items, times, users))
    users, items, values = users[order], items[order], values[order]
    ids, first = np.unique(users, return_index=True)
    bounds = np.append(first, len(users))
    for start in range(0, len(ids), batch_size):
        part = bounds[start : start + batch_size + 1]
        rows = slice(part[0], part[-1])
        ids_of_part = user_ids[ids[start : start + batch_size]]
        entries = {"item_ids": item_ids[items[rows]], "values": values[rows]}
        yield {"user_ids": ids_of_part, "indptr": part - part[0], **entries}


def ids_of(column: pa.ChunkedArray) -> np.ndarray:
    """Ids as int64 or str."""
    return column.to_numpy().astype(np.int64 if pa.types.is_integer(column.type) else np.str_)


# ---- scores ---------------------------------------------------------------------------------------------


class ExportedModel(ModelHandler[Histories, pa.Table, Any]):
    """Loads the export once in each worker process, and computes the lists of batches of users."""

    def __init__(self, folder: str, k: int, threads: int) -> None:
        super().__init__()
        self.folder = folder
        self.k = k
        self.threads = threads

    def load_model(self) -> Any:
        """Loads the newest version."""
        import tensorflow as tf

        # Each worker is a process, and the machine has a worker for each core.
        tf.config.threading.set_intra_op_parallelism_threads(self.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        versions = [int(name.strip("/")) for name in tf.io.gfile.listdir(self.folder) if name.strip("/").isdecimal()]
        folder = FileSystems.join(self.folder, str(max(versions))) if versions else self.folder
        return tf.saved_model.load(folder)

    def run_inference(self, batch: list[Histories], model: Any, inference_args: Any = None) -> Iterable[pa.Table]:
        """The lists of some batches of users."""
        return [recommended(model.signatures["recommend"], histories, self.k) for histories in batch]

    def batch_elements_kwargs(self) -> dict[str, int]:
        """An element is a batch of users already."""
        return {"max_batch_size": 1}


def recommended(signature: Any, histories: Histories, k: int) -> pa.Table:
    """The lists of a batch of users, from the signature `recommend` of an export."""
    specs = signature.structured_input_signature[1]
    is_text = specs["exclude"].dtype.name == "string"
    padding = "" if is_text else -1
    if (histories["item_ids"].dtype.kind == "U") != is_text:
        expected, dtype = specs["exclude"].dtype.name, histories["item_ids"].dtype
        raise ValueError(f"expected item ids of type {expected}, got {dtype}. Fix: use the data of the model")
    counts = np.diff(histories["indptr"])
    n = len(counts)
    # Each row starts with padding, which the graph checks.
    places = np.arange(counts.max(initial=0) + 1)
    is_item = (places > 0) & (places <= counts[:, None])
    nothing = np.full((n, 1), padding)
    inputs = {"k": np.full(n, k, np.int32), "exclude": nothing, "candidates": nothing}
    if "history" in specs:
        inputs["history"] = np.full(is_item.shape, padding, histories["item_ids"].dtype)
        inputs["history"][is_item] = histories["item_ids"]
    if "ratings" in specs:
        inputs["ratings"] = np.zeros(is_item.shape, np.float32)
        inputs["ratings"][is_item] = histories["values"]
    if "user_id" in specs:
        inputs["user_id"] = histories["user_ids"]
    import tensorflow as tf

    outputs = signature(**{name: tf.constant(array, specs[name].dtype) for name, array in inputs.items()})
    valid = np.arange(k) < outputs["n_valid"].numpy()[:, None]
    users, ranks = np.nonzero(valid)
    item_ids = pa.array(outputs["item_ids"].numpy()[valid])
    return pa.table(
        {
            "user_id": pa.array(histories["user_ids"]).take(pa.array(users)),
            "rank": pa.array((ranks + 1).astype(np.int32)),
            "item_id": item_ids.cast(pa.string()) if is_text else item_ids,
            "score": pa.array(outputs["scores"].numpy()[valid]),
        }
    )


if __name__ == "__main__":
    main()
