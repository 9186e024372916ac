"""The `kerasrec` command: a thin layer over the library.

It is a package of its own, because importing any module of `kerasrec` imports Keras and TensorFlow, which takes
seconds. `kerasrec --help` imports neither them nor the modules of the commands.
"""

from __future__ import annotations

import click

from kerasrec_cli.runtime import LazyGroup

COMMANDS = {
    "demo": ("kerasrec_cli.demo", "Run every step on generated data: train, evaluate, export, serve, recommend."),
    "models": ("kerasrec_cli.models", "List the models and the options that --set accepts."),
    "data": ("kerasrec_cli.data", "Inspect interaction data."),
    "train": ("kerasrec_cli.training", "Train MODEL, evaluate it by a published protocol, and store the run."),
    "evaluate": ("kerasrec_cli.training", "Evaluate the model of a RUN folder again, with any metric."),
    "compare": ("kerasrec_cli.comparison", "Compare the models of RUN folders on the same test users."),
    "blend": ("kerasrec_cli.blending", "Combine the models of several RUN folders, with weights chosen on validation."),
    "plot": ("kerasrec_cli.visualise", "Draw a PICTURE of RUN folders."),
    "explore": ("kerasrec_cli.visualise", "Show what the models of one or two RUN folders do, on a local web page."),
    "export": ("kerasrec_cli.serving", "Write the model of a RUN folder as a SavedModel for TF Serving."),
    "preset": ("kerasrec_cli.presets", "Write the model of a RUN folder and its items as a preset."),
    "serve": ("kerasrec_cli.serving", "Serve an exported model with the protocols of TF Serving."),
    "recommend": ("kerasrec_cli.recommend", "Recommend items for a history, from a RUN folder or a server."),
}
"""Command → module and summary. The command is the attribute of the same name."""


@click.group(
    cls=LazyGroup,
    commands_by_module=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="kerasrec")
def main() -> None:
    """Autoencoder recommenders: from a file of interactions to a recommendation server.

    \b
    First steps:
      kerasrec demo                          all steps on generated data, about a minute
      kerasrec data describe ratings.csv     what a file contains
      kerasrec train mult_vae --data ratings.csv --out run
      kerasrec export run --to served
      kerasrec serve served
      kerasrec recommend 127.0.0.1:8500 --history 1,50,260

    \b
    Exit codes: 0 done, or nothing to do; 2 error; 130 interrupted.
    KERASREC_DEBUG=1 shows the traceback of an error.
    """  # noqa: D301 - click reads the character \b
