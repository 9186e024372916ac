"""The `kerasrec` command: a thin layer over the library.

It stands beside the package, not in it, so that `kerasrec --help` answers before Keras and
TensorFlow are imported (seconds), and so that their start-up log can be kept off the terminal.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import inspect
import json
import math
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasrec_cli.recommend import Question, ask_run, ask_server, listed, show_answer, titles_of
from kerasrec_cli.runtime import OneLineErrors, check_file, name_settings, one_of, stop_when_told
from kerasrec_cli.settings import arguments, given, parse_settings, protocol_settings, spell

if TYPE_CHECKING:
    from kerasrec import Interactions
    from kerasrec.runs import Run

SERVED_NAME = "default"
"""Model name where none is given; TF Serving's own default."""


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="kerasrec")
def main() -> None:
    """Autoencoder recommenders from a file of interactions to a live endpoint.

    \b
    Start here:
      kerasrec demo                          the whole path on generated data, in a minute
      kerasrec data describe ratings.csv     what is in a file
      kerasrec train mult_vae --data ratings.csv --out run
      kerasrec export run --to served
      kerasrec serve served
      kerasrec recommend 127.0.0.1:8500 --history 1,50,260

    Set KERASREC_DEBUG=1 to see the traceback behind an error.
    """  # noqa: D301 - click looks for the character \b itself


@main.group()
def data() -> None:
    """Look at interaction data."""


def form_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a file is written; a command gets those that were given as `**form`."""
    options = {
        "--user": "Column of the user ids.  [default: told by its name, like the others]",
        "--item": "Column of the item ids.",
        "--value": "Column of the ratings or counts.",
        "--time": "Column of the times.",
        "--separator": "Character between columns.  [default: told by the first line]",
        "--decimal": "Before the decimals of a value: . or ,  [default: told by the first lines]",
        "--time-unit": "Of times that are numbers: s, ms, us or ns since 1970.  [default: s]",
        "--date-format": "Of times that are dates: '%d/%m/%Y %H:%M'.  [default: as ISO has it]",
        "--layout": "Of lists, one user a line: user-items or count-items.  [default: told by the numbers]",
    }
    for name, text in reversed(options.items()):
        command = click.option(name, help=text)(command)
    return command


@data.command()
@click.argument("data")
@form_options
def describe(data: str, **form: str | None) -> None:
    """Say what is in DATA: counts, density, range of values and times.

    DATA is a file or folder (MovieLens folder or zip, CSV, TSV, Parquet, one line a user), a name
    below $KERASREC_DATA, a TensorFlow Datasets name, or "generated".
    """
    from kerasrec import read

    table = read(data, **given(form))
    counts, item_counts = table.counts, table.item_counts
    click.echo(repr(table))
    click.echo(f"items a user:  median {_median(counts)}, {counts.min()} to {counts.max():,}")
    click.echo(f"users an item: median {_median(item_counts)}, {item_counts.min()} to {item_counts.max():,}")
    click.echo(f"user ids {table.user_ids[0]!s}, {table.user_ids[-1]!s} are the first and the last")
    busiest = int(item_counts.argmax())
    title = "" if table.item_titles is None else f" ({table.item_titles[busiest]})"
    click.echo(f"most popular item: {table.item_ids[busiest]!s}{title}, {item_counts.max():,} users")


@main.command("train")
@click.argument("model")
@click.option("--data", "source", default="generated", show_default=True, help="File, folder or name of the data.")
@click.option(
    "--protocol",
    help="random-ratings, held-out-users, own-items, temporal-users or leave-one-out.  "
    "[default: random-ratings for rating models, held-out-users for the rest]",
)
@click.option(
    "--held-out",
    type=click.IntRange(1),
    help="Test users, and as many for validation.  [default: a tenth; 750 for temporal-users]",
)
@click.option("--min-value", type=float, help="Ratings from here on are likes.  [default: the protocol's]")
@click.option(
    "--split",
    "split_settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another setting of the protocol: min_items=20.",
)
@click.option("--seed", type=int, default=98765, show_default=True, help="Seeds the split and the training.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training rows.  [default: the model's]")
@click.option("--batch-size", type=click.IntRange(1), help="Rows a batch.  [default: the model's]")
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="At the start; falls to 0 as a cosine over the run.  [default: the model's own way]",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="An argument of the model: reg=500.")
@form_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the run.")
def train_command(
    model: str,
    source: str,
    protocol: str | None,
    held_out: int | None,
    min_value: float | None,
    split_settings: tuple[str, ...],
    seed: int,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    settings: tuple[str, ...],
    out: Path,
    **form: str | None,
) -> None:
    """Train MODEL, measure it by a published protocol and keep everything in a folder.

    The same command run again after an interruption goes on where it stopped and ends with the
    same weights. `kerasrec models` lists the models and their arguments.
    """
    from kerasrec import PROTOCOLS, ZOO
    from kerasrec.runs import RunConfig, train

    if learning_rate is not None and not math.isfinite(learning_rate):
        raise ValueError(f"--learning-rate must be a number above 0, not {learning_rate}")
    cls = one_of(ZOO, model, "model")
    protocol = protocol or ("random-ratings" if cls.feedback == "ratings" else "held-out-users")
    rules = one_of(PROTOCOLS, protocol, "protocol")
    name_settings({"--split": rules, "--set": cls})
    shortcuts = {"held_out": held_out, "min_value": min_value}
    plan = RunConfig(
        model=model,
        data=source,
        protocol=protocol,
        seed=seed,
        epochs=epochs or cls.default_epochs,
        batch_size=batch_size or cls.default_batch_size,
        settings=protocol_settings(rules, split_settings, seed, shortcuts),
        arguments=parse_settings(cls, settings, "--set"),
        form=given(form),
        learning_rate=learning_rate,
    )
    try:
        run = train(plan, lambda: _read_aloud(source, **plan.form), out, verbose=1)
    except KeyboardInterrupt:
        if not (out / "run.json").exists():
            raise  # nothing is kept yet
        click.echo("\nstopped: the same command, run again, goes on after the last complete epoch", err=True)
        sys.exit(1)
    _show(run)
    if importlib.util.find_spec("matplotlib") is None:
        click.echo("no pictures were drawn: pip install 'kerasrec[plots]'", err=True)
    else:
        from kerasrec.plots import run_plots as pictures

        pictures.draw_all(run, out / "pictures")
    click.echo(f"\nkept in {out}; next: kerasrec export {out} --to served")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--metric", "metrics", multiple=True, help="As in ndcg_10 or plain_recall_20; may be repeated.")
def evaluate(run: Path, metrics: tuple[str, ...]) -> None:
    """Measure the model of a RUN folder again, on any metric."""
    from kerasrec.runs import Run

    for name, evaluation in Run(run).evaluate(list(metrics) or None, verbose=1).items():
        click.echo(f"\n{name}\n{evaluation}")


@main.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--metric", "metrics", multiple=True, help="As in ndcg_10; may be repeated.  [default: the model's]")
def compare(first: Path, second: Path, metrics: tuple[str, ...]) -> None:
    """Compare the models of two RUN folders on the same test users, pair by pair."""
    from kerasrec import compare
    from kerasrec.runs import Run

    tests = [Run(folder).evaluate(list(metrics) or None, verbose=1)["test"] for folder in (first, second)]
    differences = compare(*tests)
    names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
    width = max(10, *map(len, names)) + 2
    click.echo(f"{'':<18}{names[0]:>{width}}{names[1]:>{width}}{'difference':>22}{'p':>10}")
    for name, found in differences.items():
        means = "".join(f"{test.means[name]:>{width}.4f}" for test in tests)
        apart = f"{found.difference:+.4f} ± {found.standard_error:.4f}"
        click.echo(f"{name:<18}{means}{apart:>22}{found.p_value:>10.2g}")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="Model folder; gets a numbered version.")
@click.option("--top-k", type=click.IntRange(1), default=100, show_default=True, help="Items in a default answer.")
@click.option("--bfloat16", is_flag=True, help="Matrices of half the size; says how much of the lists stays the same.")
def export(run: Path, to: Path, top_k: int, bfloat16: bool) -> None:
    """Write the model of a RUN folder as a SavedModel for TF Serving."""
    from kerasrec.runs import Run

    if to.is_file():
        raise ValueError(f"--to {to} is a file: give a folder, in which the model gets a numbered version")
    written = _export(Run(run), to, top_k, "bfloat16" if bfloat16 else "float32")
    click.echo(f"written: {written}")
    if bfloat16:
        told = json.loads((written / "assets.extra" / "kerasrec.json").read_text())
        length, share = next((name.split("_")[1], told[name]) for name in told if name.endswith("_overlap"))
        click.echo(f"of the best {length} items {share:.1%} are those of float32")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="0 takes any free one.")
@click.option("--rest-port", type=click.IntRange(0, 65535), help="For REST and /metrics.  [default: no REST]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--name", help=f"Model name that clients ask for, for a folder.  [default: {SERVED_NAME}]")
@click.option("--max-batch", type=click.IntRange(1), default=64, show_default=True, help="Most users in one run.")
@click.option("--batch-timeout", type=click.FloatRange(0), default=0, show_default=True, help="Wait for more, in ms.")
@click.option("--max-queue", type=click.IntRange(0), default=256, show_default=True, help="Requests that may wait.")
@click.option("--cert", type=click.Path(exists=True), help="The server's certificate (PEM), for TLS.")
@click.option("--key", type=click.Path(exists=True), help="Its private key (PEM).")
@click.option("--client-ca", type=click.Path(exists=True), help="Answer only clients that this authority (PEM) signed.")
@click.option(
    "--poll", type=click.FloatRange(0), default=1, show_default=True, help="Seconds between looks at folders."
)
@click.option(
    "--grace", type=click.FloatRange(0), default=10, show_default=True, help="Seconds to finish in, at the end."
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
) -> None:
    """Serve an exported model, with TF Serving's own protocols.

    PATH is the model's folder, which is watched for new versions, the folder of one version, or a
    models.config file of TF Serving, with several models, version policies and labels.
    """
    from kerasrec.serving import TLS, Batching, Server

    tls = TLS(cert, key, client_ca) if cert or key or client_ca else None
    batching = Batching(max_batch, batch_timeout / 1000, max_queue)
    name = name if name or path.is_file() else SERVED_NAME
    try:
        server = Server(path, name, host, port, rest_port, batching=batching, tls=tls, poll=poll)
    except FileNotFoundError as error:
        if not (path / "metrics.json").exists():
            raise
        raise ValueError(
            f"{path} is a run, with no SavedModel to serve: export it first, kerasrec export {path} --to served"
        ) from error
    gc.freeze()  # TensorFlow's modules are a third of a second to look through, while every client waits
    stop_when_told()  # leaves the block below, which ends what is under way
    with contextlib.ExitStack() as stack:
        server.start()
        stack.callback(server.stop, grace)
        rest = "" if rest_port is None else f", REST on {host}:{server.rest_port}"
        names = ", ".join(map(repr, server.names))
        click.echo(f"serving {path} as {names} on {host}:{server.port}{rest}; stop with Ctrl-C")
        server.wait()


@main.command()
@click.argument("source", metavar="RUN|HOST:PORT")
@click.option(
    "--history",
    default="",
    help="Item ids, comma-separated: what the user has seen.  An id with a comma stands in quotes, as in a CSV file: "
    """'"Shirt, blue",Hat'.""",
)
@click.option("--ratings", default="", help="Their ratings, comma-separated, for rating models.")
@click.option("--user", help="A user id, for models that know their users (cdae, auto_rec with rows=items).")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1), help="How many items.")
@click.option("--name", default=SERVED_NAME, show_default=True, help="Model name, for a server.")
def recommend(source: str, history: str, ratings: str, user: str | None, k: int, name: str) -> None:
    """Recommend items for a history, from a RUN folder or a server."""
    from kerasrec.runs import Run

    question = Question(listed(history), listed(ratings), user)
    if not question.history and user is None:
        click.echo("note: no --history: this is the answer to somebody of whom nothing is known", err=True)
    if (Path(source) / "run.json").exists() or not re.fullmatch(r".+:\d+", source):
        items, scores, titles = ask_run(Run(source), question, k)
    else:
        items, scores = ask_server(source, name, question, k)
        titles = {}
    show_answer(items, scores, titles)


@main.command()
@click.argument("picture")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File: .png, .svg or .pdf.")
def plot(picture: str, runs: tuple[Path, ...], to: Path) -> None:
    """Draw a PICTURE of RUN folders.

    \b
    curves            loss, β and validation figure by epoch
    train-validation  the figure on training rows and on validation
    reconstruction    what the model makes of one user's row
    popularity        share found in the top 20, by popularity of the item; several runs
    history-length    Recall@20 by length of the history; several runs
    latent-map        the items in two dimensions
    comparison        test figures with standard errors; several runs
    costs             cost by size, from a CSV file of name,size,cost instead of RUN
    """  # noqa: D301 - click looks for the character \b itself
    from kerasrec.plots import plots, run_plots as pictures
    from kerasrec.runs import Run

    if to.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--to {to}: the file's name must end in .png, .svg or .pdf")
    check_file("--to", to)
    if picture == "costs":
        if len(runs) > 1 or runs[0].is_dir():
            raise ValueError(
                "costs are drawn from one CSV file of name,size,cost, not from RUN folders: give that file"
            )
        figure = plots.costs(plots.read_costs(runs[0]))
    else:
        figure = one_of({**pictures.PICTURES, "costs": plots.costs}, picture, "picture")([Run(run) for run in runs])
    figure.savefig(to, dpi=150)
    click.echo(f"written: {to}")


@main.command()
@click.argument("runs", metavar="RUN [RUN2]", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True, help="0 takes any free one.")
@click.option("--open/--no-open", "open_page", default=True, show_default=True, help="Open the page in a browser.")
@click.option("--save", "to", type=click.Path(path_type=Path), help="Write one HTML file instead of serving.")
@click.option("--user", help="With --save: whose list, a test user's id.")
def explore(runs: tuple[Path, ...], port: int, open_page: bool, to: Path | None, user: str | None) -> None:
    """Watch the models of one or two RUN folders at work, on a local web page."""
    from kerasrec.explorer import Explorer, PageServer, saved_page
    from kerasrec.runs import Run

    if len(runs) > 2:
        raise ValueError("two models are compared at a time: give one or two RUN folders")
    if to is not None:
        check_file("--save", to)
    explorers = [Explorer(Run(run)) for run in runs]
    if to is not None:
        question = None if user is None else explorers[0].question_of(user)
        to.write_text(saved_page(explorers, question), encoding="utf-8")
        click.echo(f"written: {to}")
        return
    if user is not None:
        raise ValueError("--user goes with --save: on the page, users are picked")
    server = PageServer(explorers, port)
    for explorer in explorers:
        explorer.prepare()
    stop_when_told()
    click.echo(f"{' and '.join(map(str, runs))} on {server.address}; stop with Ctrl-C")
    if open_page:
        click.launch(server.address)
    server.serve()


@main.command("models")
def models_command() -> None:
    """List the models, and the arguments that --set takes."""
    from kerasrec import ZOO

    for name, cls in ZOO.items():
        summary = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        click.secho(f"{name}  ", bold=True, nl=False)
        click.echo(f"({cls.feedback}) {summary}")
        for argument, parameter in arguments(cls).items():
            click.echo(f"    --set {argument}={spell(parameter.default)}")


@main.command()
@click.option("--out", type=click.Path(path_type=Path), help="Where to keep runs and export.  [default: nowhere]")
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True, help="Of Mult-VAE.")
def demo(out: Path | None, epochs: int) -> None:
    """Generated data → Mult-VAE → figures → export → serve → ask: the whole path in a minute."""
    from kerasrec import ZOO
    from kerasrec.runs import RunConfig, train
    from kerasrec.serving import Client, Server

    with contextlib.ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _step("1. Data")
        source = "generated"
        table = _read_aloud(source)
        _step("2. Train popularity and Mult-VAE on the same held-out-users split")
        runs = {}
        for name in ("popularity", "mult_vae"):
            cls = ZOO[name]
            plan = RunConfig(
                name, source, "held-out-users", 98765, min(epochs, cls.default_epochs), cls.default_batch_size
            )
            runs[name] = train(plan, lambda: table, folder / name, verbose=1)
        _compare(runs)
        _step("3. Export a SavedModel")
        version = _export(runs["mult_vae"], folder / "served", top_k=100)
        click.echo(f"written: {version}")
        _step("4. Serve it over gRPC and ask")
        user = int(table.counts.argmax())
        history = table.item_ids[table.row(user)][-5:].tolist()
        server = stack.enter_context(Server(folder / "served", model=SERVED_NAME, port=0))
        client = stack.enter_context(Client(f"127.0.0.1:{server.port}", model=SERVED_NAME))
        client.wait_until_ready()
        titles = titles_of(table)
        for item in history:
            click.echo(f"seen: {item}  {titles.get(item, '')}")
        item_ids, scores = client.recommend([history], k=5)
        show_answer(item_ids[0], scores[0], titles)
        click.echo("\nNow with your own file: kerasrec train mult_vae --data ratings.csv --out run")


def _compare(runs: dict[str, Run]) -> None:
    from kerasrec.inference.evaluation import format_error

    click.echo(f"\n{'test':<14}{'recall_20':>18}{'recall_50':>18}{'ndcg_100':>18}{'seconds':>9}")
    for name, run in runs.items():
        test = run.metrics["test"]
        cells = [f"{test[m]:.4f}{format_error(test[f'{m}_se'])}" for m in ("recall_20", "recall_50", "ndcg_100")]
        click.echo(f"{name:<14}" + "".join(f"{c:>18}" for c in cells) + f"{run.metrics['seconds']:>9.1f}")


def _step(title: str) -> None:
    click.secho(f"\n{title}", bold=True)


def _read_aloud(source: str, **form: str) -> Interactions:
    from kerasrec import read

    began = time.perf_counter()
    table = read(source, **form)
    click.echo(f"{table!r} read in {time.perf_counter() - began:.1f} s")
    return table


def _median(values: Any) -> str:
    return f"{sorted(values)[len(values) // 2]:,}"


def _show(run: Run) -> None:
    """A run's figures as a table."""
    from kerasrec.inference.evaluation import format_error

    figures = run.metrics
    test, validation = figures["test"], figures["validation"]
    names = [n for n in test if f"{n}_se" in test]
    click.echo(f"\n{figures['model']} on {figures['data']}, {figures['protocol']}, seed {figures['seed']}")
    click.echo(f"{'':<16}{'test':>18}{'validation':>14}")
    for name in names:
        click.echo(f"{name:<16}{test[name]:>9.4f}{format_error(test[f'{name}_se']):<9}{validation[name]:>14.4f}")
    left_out = f"; users with nothing held out, left aside: {test['left_out']:,}" if test["left_out"] else ""
    click.echo(
        f"{test['n']:,} test rows{left_out}; trained in {figures['seconds']:.1f} s, best epoch {figures['best_epoch']}"
    )


def _export(run: Run, to: Path, top_k: int, weights: str = "float32") -> Path:
    from kerasrec.saved_model import export_saved_model

    metadata = {name: run.metrics[name] for name in ("data", "protocol", "seed", "test", "versions")}
    return export_saved_model(run.model(), to, run.split().train, top_k=top_k, metadata=metadata, weights=weights)
