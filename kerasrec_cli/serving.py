"""`kerasrec export` and `kerasrec serve`."""

from __future__ import annotations

import contextlib
import gc
import json
import signal
from pathlib import Path
from threading import Thread
from typing import Any

import click
from click.core import ParameterSource

from kerasrec_cli.runtime import Command, exit_on_signals, shell

DEFAULT_NAME = "default"
"""Name of a served model if no other is given, as in TF Serving."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LEVELS, FORMATS = ("debug", "info", "warning", "error"), ("text", "json")


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Folder of numbered versions.")
@click.option("--top-k", type=click.IntRange(1), default=100, show_default=True, help="Items per list by default.")
@click.option(
    "--keep", type=click.IntRange(1), help="Number of newest versions to keep; older ones are deleted.  [default: all]"
)
@click.option(
    "--metadata",
    multiple=True,
    metavar="NAME=VALUE",
    help="Further content of assets.extra/kerasrec.json. Repeatable.",
)
@click.option(
    "--bfloat16",
    is_flag=True,
    help="Store matrices in half the size, and print the share of top-100 items that stay the same.",
)
@click.option(
    "--diversify",
    type=click.FloatRange(0, 1),
    default=0,
    show_default=True,
    help="Weight of the diversity of a list (MMR): 0 ranks by score only.",
)
def export(
    run: Path,
    to: Path,
    top_k: int,
    keep: int | None,
    metadata: tuple[str, ...],
    bfloat16: bool,
    diversify: float,
) -> None:
    """Write the model of a RUN folder as a SavedModel for TF Serving.

    The version appears in --to complete or not at all, so a server may watch the folder.

    \b
    Example:
      kerasrec export run --to served
    """  # noqa: D301 - click reads the character \b
    from kerasrec.runs import Run, export_run

    if to.is_file():
        raise ValueError(f"--to: expected a folder, got the file {to}. Fix: give a folder for the numbered versions")
    opened = Run(run)
    if not opened.saw_all_rows:
        fix = "" if opened.config is None else f". Fix: kerasrec refit {shell(run)} --out final, and export final"
        click.echo(f"note: the model has not seen the validation and test rows of {run}{fix}", err=True)
    weights = "bfloat16" if bfloat16 else "float32"
    content = _parse_metadata(metadata)
    options: dict[str, Any] = {"top_k": top_k, "metadata": content, "weights": weights, "keep": keep}
    version = export_run(opened, to, **options, diversify=diversify)
    click.echo(f"written: {version}; next step: kerasrec serve {shell(to)}")
    if bfloat16:
        about = json.loads((version / "assets.extra" / "kerasrec.json").read_text(encoding="utf-8"))
        length, share = next((name.split("_")[1], about[name]) for name in about if name.endswith("_overlap"))
        click.echo(f"{share:.1%} of the top {length} items are those of float32")


def _parse_metadata(texts: tuple[str, ...]) -> dict[str, Any]:
    """Parses `("accuracy=0.3", "stage=test")`: values that are JSON become numbers, lists or booleans."""
    metadata = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"--metadata: expected NAME=VALUE, got {text}. Fix: write --metadata stage=test")
        try:
            metadata[name] = json.loads(value)
        except ValueError:
            metadata[name] = value
    return metadata


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
@click.option("--parallel", type=click.IntRange(1), help="Batches at the same time.  [default: half the processors]")
@click.option(
    "--batching-parameters-file",
    "--batching_parameters_file",
    "batching_file",
    type=FILE,
    help="File of TF Serving in place of the four options above.",
)
@click.option("--max-rows", type=click.IntRange(1), default=1000, show_default=True, help="Maximum users per request.")
@click.option("--max-width", type=click.IntRange(1), default=10_000, show_default=True, help="Maximum ids per user.")
@click.option(
    "--max-request-mb", type=click.IntRange(1), default=16, show_default=True, help="Maximum size of a request in MiB."
)
@click.option(
    "--max-connections",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Maximum connections of each protocol; fewer if `ulimit -n` is low.",
)
@click.option(
    "--header-timeout",
    type=click.FloatRange(0, min_open=True),
    default=10,
    show_default=True,
    help="Seconds to receive the head of a request.",
)
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
    help="Seconds after SIGTERM in which the server accepts new requests. Its health is NOT_SERVING at once.",
)
@click.option(
    "--monitoring-config-file",
    "--monitoring_config_file",
    "monitoring_file",
    type=FILE,
    help="File of TF Serving with the REST path of the metrics.",
)
@click.option(
    "--enable-cors-support",
    "--rest_api_enable_cors_support",
    "cors",
    is_flag=True,
    help="Allow web pages of other origins to read REST answers.",
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="Lowest level to log.")
@click.option(
    "--log-format", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of log lines."
)
@click.option("--access-log", is_flag=True, help="Log each request.")
@click.pass_context
def serve(
    context: click.Context,
    path: Path,
    port: int,
    rest_port: int | None,
    host: str,
    name: str | None,
    max_batch: int,
    batch_timeout: float,
    max_queue: int,
    parallel: int | None,
    batching_file: Path | None,
    max_rows: int,
    max_width: int,
    max_request_mb: int,
    max_connections: int,
    header_timeout: float,
    cert: str | None,
    key: str | None,
    client_ca: str | None,
    poll: float,
    grace: float,
    lame_duck: float,
    monitoring_file: Path | None,
    cors: bool,
    log_level: str,
    log_format: str,
    access_log: bool,
) -> None:
    """Serve an exported model with the protocols of TF Serving.

    PATH is a model folder, whose new versions are loaded while the server runs; the folder of one
    version; or a models.config file of TF Serving, with several models, version policies and
    labels, which is read again when it changes.

    \b
    Example:
      kerasrec serve served --rest-port 8501
    """  # noqa: D301 - click reads the character \b
    from kerasrec.serving import TLS, Batching, Limits, Server
    from kerasrec.serving.logs import configure_logs
    from kerasrec.serving.text_configs import read_batching, read_metrics_path

    configure_logs(log_level, log_format, access_log)
    tls = TLS(cert, key, client_ca) if cert or key or client_ca else None
    if batching_file is None:
        batching = Batching(max_batch, batch_timeout / 1000, max_queue, parallel)
    else:
        for option in ("max_batch", "batch_timeout", "max_queue", "parallel"):
            if context.get_parameter_source(option) != ParameterSource.DEFAULT:
                name = option.replace("_", "-")
                raise ValueError(f"expected --{name} or --batching-parameters-file, got both. Fix: leave one out")
        batching = read_batching(batching_file)
    limits = Limits(max_rows, max_width, max_request_mb * 2**20, max_connections, header_timeout)
    options: dict[str, Any] = {"batching": batching, "tls": tls, "poll": poll, "limits": limits, "cors": cors}
    if monitoring_file is not None:
        metrics_path = read_metrics_path(monitoring_file)
        options["metrics_paths"] = () if metrics_path is None else (metrics_path,)
    name = name if name or path.is_file() else DEFAULT_NAME
    try:
        server = Server(path, name, host, port, rest_port, **options)
    except FileNotFoundError as error:
        if not (path / "metrics.json").exists():
            raise
        raise ValueError(
            f"expected an exported model, got the run {path}. Fix: kerasrec export {shell(path)} --to served"
        ) from error
    gc.freeze()  # a collection that includes TensorFlow's modules blocks all requests for 0.3 s
    exit_on_signals()  # SystemExit leaves the block below, which finishes the open requests
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop, grace)
        # In a thread, because the handler interrupts `server.wait()`, which may hold a lock of the server.
        signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.stop, args=(grace, lame_duck)).start())
        rest = "" if rest_port is None else f", REST on {server.rest_address}"
        names = ", ".join(map(repr, server.names))
        click.echo(f"serving {path} as {names} on {server.address}{rest}; stop with Ctrl-C")
        server.wait()
