"""The best k items of all users, from an exported model, on Apache Spark. Executors do not need kerasrec.

    pip install pyspark tensorflow pandas pyarrow

    spark-submit spark_score.py --model served --events events/ --user user_id --item item_id --time timestamp
        --out lists

`--model` is a folder of `kerasrec export`, of which the newest version is used. All executors must reach it under the
same path. The result is Parquet with the columns `user_id`, `rank` (from 1), `item_id` and `score`.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession, functions as F


def main() -> None:
    """Reads the command line and writes the lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of the export")
    parser.add_argument("--events", required=True, help="Parquet with one event in each row")
    parser.add_argument("--user", default="user_id", help="column of user ids")
    parser.add_argument("--item", default="item_id", help="column of item ids")
    parser.add_argument("--time", help="column of times")
    parser.add_argument("--value", help="column of ratings")
    parser.add_argument("--min-value", type=float, help="use only the events with at least this value")
    parser.add_argument("--k", type=int, default=100, help="number of items")
    parser.add_argument("--batch-size", type=int, default=512, help="users at once")
    parser.add_argument("--partitions", type=int, default=8, help="parts of the users, each of which loads the model")
    parser.add_argument("--threads", type=int, default=1, help="threads of TensorFlow in each Python process")
    parser.add_argument("--out", required=True, help="new folder")
    options = parser.parse_args()
    spark = SparkSession.builder.appName("kerasrec lists").getOrCreate()
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", options.batch_size)
    events = spark.read.parquet(options.events).select(
        F.col(options.user).alias("user_id"),
        F.col(options.item).alias("item_id"),
        (F.col(options.time) if options.time else F.lit(0)).alias("time"),
        (F.col(options.value) if options.value else F.lit(1.0)).cast("float").alias("value"),
    )
    types = dict(events.dtypes)
    schema = f"user_id {types['user_id']}, rank int, item_id {types['item_id']}, score float"
    users = histories(events, options.min_value).repartition(options.partitions)
    lists = users.mapInPandas(recommender(options.model, options.k, options.threads), schema)
    lists.write.parquet(options.out)


def histories(events: DataFrame, min_value: float | None) -> DataFrame:
    """One row for each user: the items of the latest events, oldest first, and their values."""
    latest = events.groupBy("user_id", "item_id").agg(F.max(F.struct("time", "value")).alias("latest"))
    if min_value is not None:
        latest = latest.filter(F.col("latest.value") >= min_value)
    entry = F.struct("latest.time", "item_id", "latest.value")
    users = latest.groupBy("user_id").agg(F.sort_array(F.collect_list(entry)).alias("history"))
    return users.select("user_id", F.col("history.item_id").alias("items"), F.col("history.value").alias("values"))


def recommender(folder: str, k: int, threads: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The function for `mapInPandas`: frames of histories to frames of lists."""

    def recommend(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        import tensorflow as tf

        if tf.config.threading.get_intra_op_parallelism_threads() != threads:  # in the first task of a process
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        versions = [int(name.strip("/")) for name in tf.io.gfile.listdir(folder) if name.strip("/").isdecimal()]
        model = tf.saved_model.load(f"{folder}/{max(versions)}" if versions else folder)
        for frame in frames:
            yield recommended(model.signatures["recommend"], frame, k)

    return recommend


def recommended(signature: Any, frame: pd.DataFrame, k: int) -> pd.DataFrame:
    """The lists of some users, from the signature `recommend` of an export."""
    import tensorflow as tf

    specs = signature.structured_input_signature[1]
    is_text = specs["exclude"].dtype == tf.string
    padding = "" if is_text else -1
    counts = frame["items"].map(len).to_numpy()
    n = len(frame)
    # Each row starts with padding, which the graph checks.
    places = np.arange(counts.max(initial=0) + 1)
    is_item = (places > 0) & (places <= counts[:, None])
    nothing = np.full((n, 1), padding)
    inputs = {"k": np.full(n, k, np.int32), "exclude": nothing, "candidates": nothing}
    if "history" in specs:
        inputs["history"] = np.full(is_item.shape, padding, object if is_text else np.int64)
        inputs["history"][is_item] = np.concatenate(frame["items"].to_list())
    if "ratings" in specs:
        inputs["ratings"] = np.zeros(is_item.shape, np.float32)
        inputs["ratings"][is_item] = np.concatenate(frame["values"].to_list())
    if "user_id" in specs:
        inputs["user_id"] = frame["user_id"].to_numpy()
    outputs = signature(**{name: tf.constant(array, specs[name].dtype) for name, array in inputs.items()})
    valid = np.arange(k) < outputs["n_valid"].numpy()[:, None]
    users, ranks = np.nonzero(valid)
    item_ids = outputs["item_ids"].numpy()[valid]
    return pd.DataFrame(
        {
            "user_id": frame["user_id"].to_numpy()[users],
            "rank": (ranks + 1).astype(np.int32),
            "item_id": [item.decode() for item in item_ids] if is_text else item_ids,
            "score": outputs["scores"].numpy()[valid],
        }
    )


if __name__ == "__main__":
    main()
