"""`kerasrec export` and `kerasrec serve`."""

from __future__ import annotations

import contextlib
import gc
import json
import signal
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from kerasrec_cli.runtime import Command, exit_on_signals

if TYPE_CHECKING:
    from kerasrec.runs import Run

DEFAULT_NAME = "default"
"""Name of a served model if no other is given, as in TF Serving."""


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder of numbered versions.")
@click.option("--top-k", type=click.IntRange(1), default=100, show_default=True, help="Items per list by default.")
@click.option(
    "--bfloat16", is_flag=True, help="Store matrices in half the size, and print the share of equal top-100 items."
)
def export(run: Path, to: Path, top_k: int, bfloat16: bool) -> None:
    """Write the model of a RUN folder as a SavedModel for TF Serving.

    \b
    Example:
      kerasrec export run --to served
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run

    if to.is_file():
        raise ValueError(f"--to: expected a folder, got the file {to}. Fix: give a folder for the numbered versions")
    version = export_run(Run(run), to, top_k, "bfloat16" if bfloat16 else "float32")
    click.echo(f"written: {version}")
    if bfloat16:
        about = json.loads((version / "assets.extra" / "kerasrec.json").read_text(encoding="utf-8"))
        length, share = next((name.split("_")[1], about[name]) for name in about if name.endswith("_overlap"))
        click.echo(f"{share:.1%} of the top {length} items are those of float32")


def export_run(run: Run, to: Path, top_k: int, weights: str = "float32") -> Path:
    """Exports the model of a run, with the run's metrics in the metadata."""
    from kerasrec.saved_model import export_saved_model

    metadata = {name: run.metrics[name] for name in ("data", "protocol", "seed", "test", "versions")}
    return export_saved_model(run.model(), to, run.split().train, top_k=top_k, metadata=metadata, weights=weights)


@click.command(cls=Command)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="gRPC port; 0: free port.")
@click.option("--rest-port", type=click.IntRange(0, 65535), help="Port for REST and /metrics.  [default: no REST]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--name", help=f"Model name in requests, if PATH is a folder.  [default: {DEFAULT_NAME}]")
@click.option("--max-batch", type=click.IntRange(1), default=64, show_default=True, help="Maximum users per batch.")
@click.option(
    "--batch-timeout",
    type=click.FloatRange(0),
    default=0,
    show_default=True,
    help="Milliseconds to wait for more requests before a batch runs.",
)
@click.option("--max-queue", type=click.IntRange(0), default=256, show_default=True, help="Maximum waiting requests.")
@click.option("--cert", type=click.Path(exists=True), help="Certificate of the server (PEM), for TLS.")
@click.option("--key", type=click.Path(exists=True), help="Private key of the server (PEM).")
@click.option(
    "--client-ca",
    type=click.Path(exists=True),
    help="Certificate authority (PEM) that must have signed the client's certificate.",
)
@click.option(
    "--poll", type=click.FloatRange(0), default=1, show_default=True, help="Seconds between checks for new versions."
)
@click.option(
    "--grace", type=click.FloatRange(0), default=10, show_default=True, help="Seconds for open requests at shutdown."
)
@click.option(
    "--lame-duck",
    type=click.FloatRange(0),
    default=5,
    show_default=True,
    help="Seconds after SIGTERM with the health NOT_SERVING in which requests are still answered.",
)
def serve(
    path: Path,
    port: int,
    rest_port: int | None,
    host: str,
    name: str | None,
    max_batch: int,
    batch_timeout: float,
    max_queue: int,
    cert: str | None,
    key: str | None,
    client_ca: str | None,
    poll: float,
    grace: float,
    lame_duck: float,
) -> None:
    """Serve an exported model with the protocols of TF Serving.

    PATH is a model folder, whose new versions are loaded while the server runs; the folder of one
    version; or a models.config file of TF Serving, with several models, version policies and
    labels.

    \b
    Example:
      kerasrec serve served --rest-port 8501
    """  # noqa: D301 - click reads the character \b
    from kerasrec.serving import TLS, Batching, Server

    tls = TLS(cert, key, client_ca) if cert or key or client_ca else None
    batching = Batching(max_batch, batch_timeout / 1000, max_queue)
    name = name if name or path.is_file() else DEFAULT_NAME
    try:
        server = Server(path, name, host, port, rest_port, batching=batching, tls=tls, poll=poll)
    except FileNotFoundError as error:
        if not (path / "metrics.json").exists():
            raise
        raise ValueError(
            f"expected an exported model, got the run {path}. Fix: kerasrec export {path} --to served"
        ) from error
    gc.freeze()  # a collection that includes TensorFlow's modules blocks all requests for 0.3 s
    exit_on_signals()  # SystemExit leaves the block below, which finishes the open requests
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop, grace)
        # In a thread, because the handler interrupts `server.wait()`, which may hold a lock of the server.
        signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.stop, args=(grace, lame_duck)).start())
        rest = "" if rest_port is None else f", REST on {host}:{server.rest_port}"
        names = ", ".join(map(repr, server.names))
        click.echo(f"serving {path} as {names} on {host}:{server.port}{rest}; stop with Ctrl-C")
        server.wait()
