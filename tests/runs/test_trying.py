"""The leaderboard ranks runs on one split, keeps its time, and survives an interruption."""

import csv
import math
from dataclasses import replace

import pytest
from kerasrec_testing.runs import config_of, read_small

from kerasrec import generate
from kerasrec.models.ease import EASE
from kerasrec.runs import Run, try_models, trying
from kerasrec.runs.time_budget import TimeBudget, TooSlowError, closed_form_seconds

CONFIG = config_of("popularity", epochs=None, batch_size=None)


def rows_of(folder):
    with (folder / "leaderboard.csv").open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return try_models(CONFIG, read_small, tmp_path_factory.mktemp("try") / "try", ["popularity", "ease"], math.inf)


def test_models_are_ranked_by_their_validation_results(board):
    assert [entry.model for entry in board.ranking()] == ["ease", "popularity"]
    for entry in board.ranking():
        validation = Run(board.folder / entry.model).metrics["validation"]
        assert (entry.value, entry.standard_error) == (validation["ndcg_100"], validation["ndcg_100_se"])
    assert board.refit_command() == f"kerasrec refit {board.folder / 'ease'} --out final"
    assert list(rows_of(board.folder)) == ["ease", "popularity"]
    assert "| 1    | ease       | 0." in (board.folder / "leaderboard.md").read_text()
    splits = [Run(board.folder / name).split().test.inputs for name in ("ease", "popularity")]
    assert splits[0] == splits[1]


def test_a_second_call_keeps_finished_runs_and_adds_models(board, monkeypatch):
    monkeypatch.setattr(trying, "train", lambda *_, **__: pytest.fail("a model was trained"))
    again = try_models(CONFIG, read_small, board.folder, ["popularity", "ease"], 60)
    assert [entry.value for entry in again.ranking()] == [entry.value for entry in board.ranking()]


def test_other_data_or_another_split_in_the_folder_is_an_error(board):
    with pytest.raises(FileExistsError, match="another try .other data."):
        try_models(CONFIG, lambda: generate(n_users=400, n_items=80, seed=3), board.folder, ["ease"])
    with pytest.raises(FileExistsError, match="split_options .* instead of"):
        try_models(replace(CONFIG, split_options={"held_out": 30}), read_small, board.folder, ["ease"])


def test_unknown_models_and_models_of_ratings_are_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="unknown model 'eas'"):
        try_models(CONFIG, read_small, tmp_path / "try", ["popularity", "eas"])
    with pytest.raises(ValueError, match="auto_rec predicts ratings"):
        try_models(CONFIG, read_small, tmp_path / "try", ["popularity", "auto_rec"])
    assert not (tmp_path / "try").exists()


def test_models_without_time_or_memory_are_skipped_with_the_reason(tmp_path, monkeypatch):
    board = try_models(CONFIG, read_small, tmp_path / "short", ["popularity", "ease"], seconds=1e-6)
    assert board.winner is None and board.refit_command() is None
    assert [row["status"] for row in rows_of(tmp_path / "short").values()] == ["skipped"] * 2
    assert all(entry.note.startswith("for lack of time") for entry in board.entries)

    def refuse(*_):
        raise MemoryError("EASE of 9 items needs 99 GB")

    monkeypatch.setattr(EASE, "check_memory", refuse)
    board = try_models(CONFIG, read_small, tmp_path / "small", ["ease", "popularity"], 60)
    assert rows_of(tmp_path / "small")["ease"]["note"] == "EASE of 9 items needs 99 GB"
    assert board.winner.model == "popularity"


def test_an_interruption_leaves_the_finished_models_in_the_leaderboard(tmp_path, monkeypatch):
    train = trying.train

    def interrupted(config, *arguments, **options):
        if config.model == "ease":
            raise KeyboardInterrupt
        return train(config, *arguments, **options)

    monkeypatch.setattr(trying, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        try_models(CONFIG, read_small, tmp_path / "try", ["popularity", "ease", "elsa"], 60)
    rows = rows_of(tmp_path / "try")
    assert [row["status"] for row in rows.values()] == ["finished", "waiting", "waiting"]
    assert float(rows["popularity"]["ndcg_100"]) > 0
    monkeypatch.undo()
    assert try_models(CONFIG, read_small, tmp_path / "try", ["popularity", "ease"], 60).winner.model == "ease"


def test_a_model_that_is_too_slow_takes_fewer_epochs(tmp_path, monkeypatch):
    train, epochs = trying.train, []

    def slow(config, *arguments, **options):
        epochs.append(config.epochs)
        if config.epochs is None:
            raise TooSlowError(1000.0, planned=200, epochs=2)
        return train(config, *arguments, **options)

    monkeypatch.setattr(trying, "train", slow)
    board = try_models(CONFIG, read_small, tmp_path / "try", ["elsa"], 60)
    assert epochs == [None, 2]
    assert board.winner.note == "2 epochs instead of 200, for lack of time"
    assert Run(tmp_path / "try" / "elsa").settings.epochs == 2


# ---- time budget ------------------------------------------------------------------------------------


class Clock:
    """A clock that tests set."""

    now = 0.0

    def monotonic(self):
        return self.now


class Model:
    """The attribute of a Keras model by which callbacks end its training."""

    stop_training = False


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("kerasrec.runs.time_budget.time", clock)
    return clock


def budget_of(share, deadline, steps, epochs, on_epoch=lambda *_: None):
    budget = TimeBudget(share, deadline, on_epoch)
    budget.set_params({"steps": steps, "epochs": epochs})
    budget.set_model(Model())
    budget.on_train_begin()
    return budget


def test_an_epoch_that_takes_too_long_is_detected_by_its_first_batches(clock):
    budget = budget_of(share=100.0, deadline=1000.0, steps=100, epochs=50)
    clock.now = 10.0  # the first batch includes the compilation
    budget.on_train_batch_end(0)
    clock.now = 14.0
    with pytest.raises(TooSlowError, match="needs about 111 min for 50 epochs") as error:
        for batch in range(1, 5):
            budget.on_train_batch_end(batch)  # at the third batch, 4/3 s each: 133 s per epoch
    assert error.value.epochs == 0


def two_epochs(budget, clock, first, second):
    """Ends the first epoch after `first` seconds and the second after `second` more."""
    for epoch, seconds in enumerate((first, second)):
        budget.on_epoch_begin(epoch)
        budget.on_train_batch_end(0)
        clock.now += seconds
        budget.on_epoch_end(epoch, {"val_ndcg_100": 0.5})


def test_the_second_epoch_shows_how_many_epochs_fit(clock):
    with pytest.raises(TooSlowError) as error:
        two_epochs(budget_of(share=100.0, deadline=1000.0, steps=2, epochs=50), clock, first=15.0, second=5.0)
    # 10 s of 20 compile; a second training has 100 - 20 - 10 s for epochs of 5 s
    assert (error.value.seconds, error.value.planned, error.value.epochs) == (250.0, 50, 14)
    with pytest.raises(TooSlowError) as error:
        two_epochs(budget_of(share=100.0, deadline=1000.0, steps=2, epochs=50), clock, first=60.0, second=10.0)
    assert error.value.epochs == 0


def test_a_model_that_fits_reports_its_epochs(clock):
    epochs = []
    budget = budget_of(share=300.0, deadline=1000.0, steps=2, epochs=50, on_epoch=lambda *call: epochs.append(call))
    two_epochs(budget, clock, first=15.0, second=5.0)
    assert epochs == [(1, 50, {"val_ndcg_100": 0.5}), (2, 50, {"val_ndcg_100": 0.5})]


def test_training_ends_at_the_deadline_with_time_left_for_the_evaluation(clock):
    budget = budget_of(share=math.inf, deadline=100.0, steps=10, epochs=50)
    budget.on_train_batch_end(0)
    budget.on_test_begin()
    clock.now = 10.0
    budget.on_test_end()
    clock.now = 60.0
    budget.on_train_batch_end(0)
    assert not budget.model.stop_training
    clock.now = 70.0  # three times the 10 s of the validation remain
    budget.on_train_batch_end(1)
    assert budget.model.stop_training and budget.reached


def test_the_time_of_a_closed_form_model_is_extrapolated_to_the_catalogue(monkeypatch):
    table = generate(n_users=300, n_items=400, seed=1)
    assert closed_form_seconds(EASE, table, {"reg": 10.0}) == 0.0
    monkeypatch.setattr("kerasrec.runs.time_budget.FIRST_SIZE", 50)
    clock, sizes = Clock(), []
    clock.perf_counter = clock.monotonic
    monkeypatch.setattr("kerasrec.runs.time_budget.time", clock)

    def fit(model, reduced, **_):
        sizes.append(reduced.n_items)
        clock.now += (reduced.n_items / 50) ** 2

    monkeypatch.setattr(EASE, "fit", fit)
    # 1 s for 50 items and 4 s for 100: exponent 2, plus .3, up to the 300 users, and 2 from there to the 400 items
    assert closed_form_seconds(EASE, table, {"reg": 10.0}) == pytest.approx(4 * 3**2.3 * (4 / 3) ** 2)
    monkeypatch.setattr("kerasrec.runs.time_budget.SLOW", 0.5)
    assert closed_form_seconds(EASE, table, {"reg": 10.0}) == pytest.approx(6**3 * (4 / 3) ** 2)
    assert sizes == [12, 50, 100, 12, 50]
    monkeypatch.setattr(EASE, "time_exponent", 1.0)
    # 12 users and 12 items of 300 and 400
    assert closed_form_seconds(EASE, table, {"reg": 10.0}) == pytest.approx((12 / 50) ** 2 * 700 / 24)
