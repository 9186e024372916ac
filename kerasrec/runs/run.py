"""A run: one model trained on one split by one protocol, in a folder that says all about it.

model.keras    the model of the best epoch (by validation)
users.csv      the training rows' user ids; items.csv: the catalogue, with titles
split/         training, validation and test tables, and their protocol
history.csv    one row an epoch; curves.png: its picture
checkpoints/   the last and the best epoch, from which an interrupted run goes on
run.json       what was asked for, and what the data file was like, if it was one
metrics.json   the figures; written last, so a folder that has it is complete
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import platform
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

import kerasrec
from kerasrec import models, plots
from kerasrec.callbacks import Checkpoints, EpochBar, TrainingMetrics, read_history, write_history
from kerasrec.data.interactions import Interactions
from kerasrec.data.protocols import PROTOCOLS
from kerasrec.data.splits import Split, SplitProtocol
from kerasrec.inference.evaluation import Evaluation, evaluate
from kerasrec.models.base import Recommender
from kerasrec.models.closed_form import ClosedForm


@dataclass(frozen=True)
class RunConfig:
    """What a run was asked for; two runs with equal plans end with equal weights.

    Attributes:
        model: name of the model, a key of `kerasrec.models.ZOO`.
        data: what `kerasrec.read` was given.
        protocol: name of the protocol, a key of `kerasrec.data.protocols.PROTOCOLS`.
        seed: seeds the weights, the order of the rows and everything drawn in training.
        epochs: passes over the training rows.
        batch_size: rows a batch.
        settings: of the protocol, where not its defaults (`{"held_out": 500}`).
        arguments: of the model's constructor, where not its defaults (`{"reg": 200.0}`).
        form: what else `kerasrec.read` was given (`{"value": "stars"}`).
        learning_rate: of the model's own optimizer at the start, falling to 0 as a cosine over the run; what the model
            does by itself where `None`.
    """

    model: str
    data: str
    protocol: str
    seed: int
    epochs: int
    batch_size: int
    settings: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    learning_rate: float | None = None


class Run:
    """A folder with a run in it.

    Args:
        folder: of a run that `train` or `keep` wrote.

    Attributes:
        plan: what it was asked for; `None` of a model that was trained in another way and kept.
        figures: what `metrics.json` holds.

    Raises:
        FileNotFoundError: there is no complete run in `folder`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        if not (self.folder / "metrics.json").exists():
            state = "was interrupted: train again with the same command" if self._has_plan() else "is not a run"
            raise FileNotFoundError(f"{self.folder} {state} (it has no metrics.json)")
        self.plan = read_plan(self.folder) if self._has_plan() else None
        self.metrics = _read_json(
            self.folder / "metrics.json", ("model", "data", "protocol", "seed", "test", "validation", "versions")
        )

    def __repr__(self) -> str:
        model, data, protocol = (self.metrics[name] for name in ("model", "data", "protocol"))
        return f"<Run: {model} on {data}, {protocol}, in {self.folder}>"

    def _has_plan(self) -> bool:
        return (self.folder / "run.json").exists()

    def model(self) -> Recommender:
        """The trained model."""
        path = self.folder / "model.keras"
        if path.exists() and not zipfile.is_zipfile(path):  # Keras would say that there is none
            raise ValueError(f"{path} is damaged: remove the folder {self.folder} and train again")
        return keras.saving.load_model(path)

    def split(self) -> Split:
        """The tables it was trained and measured on."""
        return Split.load(self.folder / "split")

    def history(self) -> dict[str, list[float]]:
        """Each epoch's figures, as Keras' `History` has them; NaN where an epoch lacks one."""
        rows = read_history(self.folder / "history.csv")
        return {name: [row.get(name, math.nan) for row in rows] for name in dict.fromkeys(n for r in rows for n in r)}

    def evaluate(self, metrics: list[str] | None = None, verbose: int = 0) -> dict[str, Evaluation]:
        """`{"validation": …, "test": …}`, measured anew."""
        model, split = self.model(), self.split()
        parts = {"validation": split.validation, "test": split.test}
        return {name: evaluate(model, part, metrics, verbose=verbose) for name, part in parts.items()}


def train(plan: RunConfig, data: Callable[[], Interactions], folder: str | os.PathLike[str], verbose: int = 0) -> Run:
    """Trains, measures and keeps a model, going on where an earlier call was interrupted.

    Args:
        plan: what to train.
        data: reads the interactions; called only if the folder has no split yet.
        folder: where to keep the run; made if need be.
        verbose: 1 for progress bars, what the protocol makes of the data, and a line where `folder` holds some or all
            of the run already.

    Returns:
        The finished run; at once if `folder` holds it already.

    Raises:
        ValueError: the model or the protocol is unknown, the model does not take the arguments, or does not fit the
            protocol.
        FileExistsError: `folder` holds another run, or something else.
    """
    folder = Path(folder)

    def tell(line: str) -> None:
        if verbose:
            print(line, file=sys.stderr)

    begun = _holds(folder, plan)
    if not begun:
        protocol, file = _protocol(plan), _file_state(plan.data)  # as the file is before it is read
        split = protocol.split(data())
        tell(split.describe())
        _begin(folder, plan, file, split)
    elif _file_changed(folder, plan):
        tell(
            f"note: {plan.data} was changed or removed since the run in {folder} began, which keeps the data of then: "
            "to train on what is there now, choose another folder"
        )
    if (folder / "metrics.json").exists():
        tell(f"the run in {folder} is finished already: nothing was trained, the data was not read again")
        return Run(folder)
    tables = Split.load(folder / "split")
    model = build(plan, tables.train)
    checkpoints = Checkpoints(folder / "checkpoints", _monitor(model))
    figures_of_training = [TrainingMetrics(tables.train, seed=plan.seed)] if plan.epochs > 1 else []
    done = checkpoints.restore(model)
    if begun:
        tell(f"going on after epoch {done} of {plan.epochs}, on the split that was made then")
    if done < plan.epochs:
        model.fit(
            tables.train,
            batch_size=plan.batch_size,
            epochs=plan.epochs,
            initial_epoch=done,
            validation_data=tables.validation,
            callbacks=[*figures_of_training, checkpoints, *([EpochBar()] if verbose else [])],
            verbose=0,
        )
    best = checkpoints.best_epoch()
    loss = next(row.get("loss", 0.0) for row in checkpoints.history if row["epoch"] == best)
    if not math.isfinite(loss):
        raise ValueError(
            f"the loss is {loss} after epoch {best}, the best of {plan.epochs}, so nothing was learned: "
            f"remove {folder} and train again with a lower `learning_rate`"
        )
    checkpoints.restore(model, best)
    asked = {
        "model": plan.model,
        "data": plan.data,
        "arguments": plan.arguments,
        "learning_rate": plan.learning_rate,
        "seed": plan.seed,
        "best_epoch": best,
        "seconds": round(sum(row["seconds"] for row in checkpoints.history), 2),
    }
    return _finish(folder, model, tables, asked, checkpoints.history, verbose)


def save_run(
    model: Recommender,
    split: Split,
    folder: str | os.PathLike[str],
    data: str,
    history: Mapping[str, Sequence[float]] | None = None,
) -> Run:
    """Keeps a model that was trained in any way, for whatever takes a run's folder.

    That is `kerasrec compare`, `evaluate`, `explore`, `export`, `plot` and `recommend`. Its figures are measured anew.

    Args:
        model: trained on `split.train`.
        split: what it was trained and measured on.
        folder: where to keep it; made if need be.
        data: what the split is of, for those who read the figures.
        history: each epoch's figures, for the pictures that need them; those of the model's last `fit` where absent.

    Returns:
        The run, which has no `plan`: `train` does not go on with it.

    Raises:
        FileExistsError: `folder` is not empty.

    Example:
        >>> import tempfile
        >>> from kerasrec import EASE, HeldOutUsers, generate
        >>> from kerasrec.runs import save_run
        >>> split = HeldOutUsers(held_out=50).split(generate(n_users=400, n_items=60, seed=1))
        >>> model = EASE(split.train.n_items, reg=20.0)
        >>> _ = model.fit(split.train, verbose=0)
        >>> run = save_run(model, split, tempfile.mkdtemp(), "generated")
        >>> sorted(run.evaluate()["test"].means)
        ['ndcg_100', 'recall_20', 'recall_50']
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty: choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    split.save(folder / "split")
    if history is None:  # Keras leaves its callback on the model
        history = getattr(getattr(model, "history", None), "history", {})
    by_epoch = zip(*history.values(), strict=True)
    rows = [{"epoch": n, **dict(zip(history, row, strict=True))} for n, row in enumerate(by_epoch, 1)]
    name = next((name for name, cls in models.ZOO.items() if cls is type(model)), type(model).__name__)
    return _finish(folder, model, split, {"model": name, "data": data, "seed": model.seed}, rows)


def _finish(
    folder: Path,
    model: Recommender,
    tables: Split,
    asked: Mapping[str, Any],
    history: list[dict[str, float]],
    verbose: int = 0,
) -> Run:
    """Writes all of a run but its split and its plan; the figures last."""
    _write(folder / "model.keras", model.save)
    _write(folder / "history.csv", lambda path: write_history(path, history))
    _write_vocabularies(folder, tables.train)
    _draw_curves(folder, history, _monitor(model))
    figures = {
        **asked,
        "protocol": tables.protocol.name,
        "protocol_settings": asdict(tables.protocol),
        "test": evaluate(model, tables.test, verbose=verbose).as_dict(),
        "validation": evaluate(model, tables.validation, verbose=verbose).as_dict(),
        "parameters": int(model.count_params()),
        "versions": versions(),
    }
    _write(folder / "metrics.json", lambda path: path.write_text(json.dumps(figures, indent=2) + "\n"))
    return Run(folder)


def _monitor(model: Recommender) -> str:
    """The figure that tells the best epoch."""
    return "val_rmse" if model.feedback == "ratings" else "val_ndcg_100"


def build(plan: RunConfig, train_table: Interactions) -> Recommender:
    """The untrained, compiled model of a plan, sized for its training table."""
    cls = models.ZOO[plan.model]
    arguments = {"seed": plan.seed, **plan.arguments}
    model = cls.for_interactions(train_table, plan.epochs, plan.batch_size, **arguments)
    if plan.learning_rate is None:
        model.compile()
        return model
    if isinstance(model, ClosedForm):
        raise ValueError(f"{plan.model} is solved, not trained step by step: leave the learning rate out")
    own = model.default_optimizer()
    model.compile(type(own).from_config({**own.get_config(), "learning_rate": model.cosine_decay(plan.learning_rate)}))
    return model


def read_plan(folder: Path) -> RunConfig:
    """The plan that `train` left in a folder."""
    known = [f.name for f in fields(RunConfig)]
    plan = _read_json(folder / "run.json", known)
    plan["arguments"] = {k: tuple(v) if isinstance(v, list) else v for k, v in plan["arguments"].items()}
    return RunConfig(**{name: plan[name] for name in known})


def _read_json(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """A file of a run, in which there must be some names."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        missing = [name for name in names if name not in found]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove the folder {path.parent} and train again") from None
    if missing:
        raise ValueError(
            f"{path} lacks {', '.join(missing)}: it is damaged, or of another version of kerasrec; remove the folder "
            f"{path.parent} and train again"
        )
    return found


def versions() -> dict[str, str]:
    """Versions of what figures depend on."""
    packages = ("keras", keras.backend.backend(), "numpy", "scipy")
    return {
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        "kerasrec": kerasrec.__version__,
        **{package: version(package) for package in packages},
    }


def _draw_curves(folder: Path, history: Sequence[Mapping[str, float]], monitor: str) -> None:
    """Draws `curves.png`, where there are curves (a solved model has none) and matplotlib."""
    if not history or "loss" not in history[0] or importlib.util.find_spec("matplotlib") is None:
        return
    by_name = {name: [row.get(name, math.nan) for row in history] for name in history[0]}
    figure = plots.curves(by_name, monitor)
    _write(folder / "curves.png", lambda path: figure.savefig(path, dpi=150, format="png"))


def _holds(folder: Path, plan: RunConfig) -> bool:
    """Whether the folder holds this plan's run already, finished or not; another's is an error."""
    if (folder / "run.json").exists():
        there = read_plan(folder)
        if there != plan:
            ours, theirs = asdict(plan), asdict(there)
            trained = any((folder / "checkpoints").glob("epoch-*")) or (folder / "metrics.json").exists()
            if not trained:
                return False  # it was stopped before its first epoch was done: nothing is lost
            differs = ", ".join(f"{k} {theirs[k]!r} instead of {ours[k]!r}" for k in ours if ours[k] != theirs[k])
            why = (
                ", and what changes over a run is planned for its epochs" if ours["epochs"] != theirs["epochs"] else ""
            )
            raise FileExistsError(f"{folder} holds another run ({differs}{why}): choose another folder or remove it")
        return True
    ours_alone = folder.is_dir() and all(
        p.name == "split" or p.name.startswith(".unfinished-") for p in folder.iterdir()
    )
    if folder.exists() and not ours_alone:
        raise FileExistsError(f"{folder} is not empty and holds no run: choose another folder")
    return False


def _protocol(plan: RunConfig) -> SplitProtocol:
    """The plan's protocol, which must be one for its model: likes have no RMSE, and ratings of likes are all equal."""
    known: tuple[tuple[str, str, Mapping[str, Any]], ...]
    known = (("model", plan.model, models.ZOO), ("protocol", plan.protocol, PROTOCOLS))
    for what, name, there in known:
        if name not in there:
            raise ValueError(f"no {what} {name!r}: there are {', '.join(there)}")
    feedback = models.ZOO[plan.model].feedback
    if (feedback == "ratings") != (plan.protocol == "random-ratings"):
        wanted = "random-ratings" if feedback == "ratings" else "one of the others"
        raise ValueError(
            f"{plan.model} predicts {feedback}, which protocol {plan.protocol} does not measure: use {wanted}"
        )
    protocol: SplitProtocol = PROTOCOLS[plan.protocol](**plan.settings)
    return protocol


def _file_state(data: str) -> dict[str, int] | None:
    """What tells that a file was changed; `None` of data that is no file."""
    path = Path(data)
    if not path.is_file():
        return None
    found = path.stat()
    return {"bytes": found.st_size, "modified_ns": found.st_mtime_ns}


def _file_changed(folder: Path, plan: RunConfig) -> bool:
    """Whether the data file is no longer as it was when the run in the folder began."""
    before = json.loads((folder / "run.json").read_text()).get("file")
    return before is not None and before != _file_state(plan.data)


def _begin(folder: Path, plan: RunConfig, file: dict[str, int] | None, split: Split) -> None:
    """Writes the split and then the plan, by which a later call knows that the split is there."""
    # What cannot end well must leave no folder behind: an argument that the model refuses, or nothing to measure on.
    build(plan, split.train)
    for name, part in (("validation", split.validation), ("test", split.test)):
        if part.targets is None or not len(part.targets):
            raise ValueError(
                f"nothing is held out for {name}: too few users or items are left for --protocol {plan.protocol}"
            )
    folder.mkdir(parents=True, exist_ok=True)
    # Another plan's may stand here, without an epoch done. It goes before its split does, or a kill in between would
    # leave it with this one's.
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / "run.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "split", ignore_errors=True)
    split.save(folder / "split")
    asked = {**asdict(plan), **({} if file is None else {"file": file})}
    _write(folder / "run.json", lambda path: path.write_text(json.dumps(asked, indent=2) + "\n"))


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    """Lets `write` fill a file beside `path` and renames it, so that no reader sees half a file."""
    scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=path.parent))
    try:
        write(scratch / path.name)
        (scratch / path.name).replace(path)
    finally:
        shutil.rmtree(scratch)


def _write_vocabularies(folder: Path, table: Interactions) -> None:
    titles = [""] * table.n_items if table.item_titles is None else table.item_titles.tolist()

    def rows(path: Path, header: list[str], lines: Any) -> None:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(lines)

    _write(folder / "users.csv", lambda p: rows(p, ["user"], ((u,) for u in table.user_ids.tolist())))
    items = zip(table.item_ids.tolist(), titles, strict=True)
    _write(folder / "items.csv", lambda p: rows(p, ["item", "title"], items))
