"""The `kerasrec` command: a thin layer over the library.

It is a package of its own, because importing any module of `kerasrec` imports Keras and TensorFlow, which takes
seconds. `kerasrec --help` imports neither them nor the modules of the commands.
"""

from __future__ import annotations

from pathlib import Path

import click

from kerasrec_cli.runtime import LazyGroup
from kerasrec_cli.settings import read_settings

COMMANDS = {
    "demo": ("kerasrec_cli.demo", "Run every step on generated data: train, evaluate, export, serve, recommend."),
    "models": ("kerasrec_cli.models", "List the models and the options that --set accepts."),
    "data": ("kerasrec_cli.data", "Inspect interaction data, or pack them for use without a copy in memory."),
    "train": ("kerasrec_cli.training", "Train MODEL, evaluate it by a published protocol, and store the run."),
    "try": ("kerasrec_cli.leaderboard", "Train several models on DATA within a time limit, and rank them."),
    "tune": ("kerasrec_cli.tuning", "Search the settings of MODEL on validation users, and store the best run."),
    "evaluate": (
        "kerasrec_cli.evaluation",
        "Evaluate the model of a RUN, or compare it with the deployed model.",
    ),
    "refit": ("kerasrec_cli.refitting", "Train the model of a RUN again on all rows, with nothing held out."),
    "compare": ("kerasrec_cli.comparison", "Compare the models of RUN folders on the same test users."),
    "blend": ("kerasrec_cli.blending", "Combine the models of several RUN folders, with weights chosen on validation."),
    "plot": ("kerasrec_cli.visualise", "Draw a PICTURE of RUN folders."),
    "explore": ("kerasrec_cli.visualise", "Show what the models of one or two RUN folders do, on a local web page."),
    "export": ("kerasrec_cli.serving", "Write the model of a RUN folder as a SavedModel for TF Serving."),
    "preset": ("kerasrec_cli.presets", "Write the model of a RUN folder and its items as a preset, without user data."),
    "serve": ("kerasrec_cli.serving", "Serve an exported model with the protocols of TF Serving."),
    "recommend": (
        "kerasrec_cli.recommend",
        "Recommend items for one history or all users, from a RUN or a server.",
    ),
    "similar": ("kerasrec_cli.similar", "Print the items that are most similar to an item."),
}
"""Command → module and summary. The command is the attribute of the same name, with `_` after a Python keyword."""


@click.group(
    cls=LazyGroup,
    commands_by_module=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="KERASREC_CONFIG",
    help="TOML file with options, in one table per command.",
)
@click.version_option(package_name="kerasrec")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Autoencoder recommenders: from a file of interactions to a recommendation server.

    \b
    First steps:
      kerasrec demo                          all steps on generated data, about a minute
      kerasrec data describe ratings.csv     what a file contains
      kerasrec try ratings.csv               a leaderboard of models
      kerasrec train mult_vae --data ratings.csv --out run
      kerasrec refit run --out final         train it on all rows
      kerasrec export final --to served
      kerasrec serve served
      kerasrec recommend 127.0.0.1:8500 --history 1,50,260

    \b
    Exit codes: 0 done, or nothing to do; 2 error; 3 evaluate --better-than rejects; 130 interrupted by
    Ctrl-C (serve and explore: 0).
    KERASREC_DEBUG=1 shows the traceback of an error.
    Environment variables set options: KERASREC_EXPORT_TOP_K=50 has the effect of export --top-k 50.
    """  # noqa: D301 - click reads the character \b
    if config is not None:
        ctx.default_map = read_settings(config, COMMANDS)
