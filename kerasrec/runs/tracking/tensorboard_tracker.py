"""Writes event files for TensorBoard into the folder `tensorboard` of a run."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kerasrec.extras import install_command
from kerasrec.runs.run import Run
from kerasrec.runs.tracking.tracker import Tracker, results_of, settings_of

TENSORBOARD_FOLDER = "tensorboard"

RESULTS = ".results"
"""Suffix of the event file of `finish`."""


class RunTracker(Tracker):
    """Scalars of each epoch, the final results, settings as text and as hyper-parameters, and plots as images.

    Raises:
        ImportError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        try:
            import tensorboard  # noqa: F401
        except ImportError as error:
            raise ImportError(f"tracking needs TensorBoard. Fix: {install_command('tracking')}") from error

    def log_metrics(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Writes one scalar for each metric."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()]
        with self._events(f".epoch-{epoch:04d}") as add:
            add(Summary(value=values), epoch)

    def finish(self, run: Run, pictures: Sequence[Path]) -> None:
        """Writes results, settings, digest and plots. Later calls write nothing."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import summary as hparams

        if any((self.folder / TENSORBOARD_FOLDER).glob(f"*{RESULTS}")):
            return
        epoch = int(run.metrics.get("best_epoch", 0))
        settings = {name: _as_parameter(value) for name, value in settings_of(run).items()}
        text = json.dumps({**settings_of(run), "data_digest": run.data_digest}, indent=4)
        with self._events(RESULTS) as add:
            add(hparams.session_start_pb(settings, group_name=self.folder.name), 0)
            add(Summary(value=[_text("settings", text)]), 0)
            results = {f"result/{name}": value for name, value in results_of(run).items()}
            add(Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in results.items()]), epoch)
            add(Summary(value=[_image(file) for file in pictures]), epoch)

    @contextmanager
    def _events(self, suffix: str) -> Iterator[Any]:
        """A function that writes a summary, into a new event file that is complete at the end of the block."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        def add(summary: Any, step: int) -> None:
            # Where TensorFlow is installed, some functions of TensorBoard return its class of the same message.
            own = Summary.FromString(summary.SerializeToString())
            writer.add_event(Event(wall_time=time.time(), step=step, summary=own))

        writer = EventFileWriter(str(self.folder / TENSORBOARD_FOLDER), filename_suffix=suffix)
        try:
            yield add
        finally:
            writer.close()


def _as_parameter(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _text(tag: str, content: str) -> Any:
    """A summary of text, which TensorBoard shows as preformatted lines."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text import metadata

    lines = "\n".join(f"    {line}" for line in content.splitlines())
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[lines.encode()], tensor_shape=shape)
    return Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(tag, ""), tensor=tensor)


def _image(file: Path) -> Any:
    """A summary of a PNG file, whose header contains its width and height."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    content = file.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    image = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=content)
    return Summary.Value(tag=f"plots/{file.stem}", image=image)
