"""`kerasrec train` and `evaluate`."""

import math
import os
import signal
import warnings

import keras
import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec import MultVAE
from kerasrec.runs import Run
from kerasrec.runs.lock import locked
from kerasrec_cli.training import print_metrics

SMALL_VAE = ("--set", "hidden_dims=6", "--set", "latent_dim=4")


@pytest.fixture
def ratings(tmp_path):
    """A CSV file with 60 users."""
    file = tmp_path / "ratings.csv"
    file.write_text("user,item\n" + "\n".join(f"{u},{i}" for u in range(60) for i in range(12) if (u + i) % 3))
    return file


def remove_last_lines(file):
    file.write_text("\n".join(file.read_text().splitlines()[:-9]))


def test_train_evaluate_and_recommend(tmp_path):
    out = tmp_path / "run"
    trained = invoke("train", "ease", "--held-out", 100, "--set", "reg=50", "--out", out)
    assert trained.exit_code == 0, trained.output
    assert "ndcg_100" in trained.output
    assert f"next step: kerasrec refit {out} --out final" in trained.output
    evaluated = invoke("evaluate", out, "--metric", "plain_recall_10", "--metric", "ndcg_100")
    assert evaluated.output.count("plain_recall_10") == 2
    ndcg = next(line for line in trained.output.splitlines() if line.startswith("ndcg_100")).split()[1]
    assert ndcg in evaluated.output
    items = invoke("recommend", out, "--history", "3,4,5", "-k", 4).output.splitlines()
    assert [line.split(".")[0].strip() for line in items] == ["1", "2", "3", "4"]
    assert not {line.split()[1] for line in items} & {"3", "4", "5"}
    assert "Item" in items[0]  # titles


def test_an_interrupted_run_continues_with_the_same_command(tmp_path, ratings, monkeypatch):
    command = ["train", "mult_vae", "--data", ratings, "--held-out", 5, "--epochs", 3, *SMALL_VAE]
    command += ["--out", tmp_path / "run"]
    fit = MultVAE.fit

    def interrupted(model, *arguments, callbacks, **others):
        stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: signal.raise_signal(signal.SIGINT))
        return fit(model, *arguments, callbacks=[*callbacks, stop], **others)

    monkeypatch.setattr(MultVAE, "fit", interrupted)
    first = invoke(*command)
    assert first.exit_code == 130
    assert "interrupted: the same command continues after the last complete epoch" in first.stderr
    assert "Aborted" not in first.output and "continues after epoch" not in first.output
    monkeypatch.undo()
    second = invoke(*command)
    assert second.exit_code == 0
    assert "continues after epoch 1 of 3" in second.stderr


def test_an_interrupt_before_the_first_epoch_exits_with_130_and_leaves_no_folder(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("kerasrec.read", interrupt)
    result = invoke("train", "ease", "--out", tmp_path / "run")
    assert (result.exit_code, result.stderr) == (130, "\ninterrupted\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", ["file", "folder", "name"])
def test_a_finished_run_has_nothing_to_do_until_its_data_change(tmp_path, ratings, monkeypatch, form):
    monkeypatch.setenv("KERASREC_DATA", str(tmp_path))
    (tmp_path / "shop").mkdir()
    ratings = ratings.rename(tmp_path / "shop" / "ratings.csv")
    data = {"file": ratings, "folder": ratings.parent, "name": "shop"}[form]
    command = ["train", "popularity", "--data", data, "--held-out", 5, "--out", tmp_path / "run"]
    assert invoke(*command).exit_code == 0
    again = invoke(*command)
    assert again.exit_code == 0
    assert f"nothing to do: the run in {tmp_path / 'run'} is finished" in again.stderr
    assert "read in" not in again.output
    metrics = Run(tmp_path / "run").metrics

    remove_last_lines(ratings)
    error = error_of(*command)
    assert "have changed since the run in" in error
    assert error.endswith("Fix: replace that run with --overwrite, or choose another folder")
    assert Run(tmp_path / "run").metrics == metrics
    assert Run(tmp_path / "run").split().train.n_users == 50
    assert invoke(*command, "--overwrite").exit_code == 0
    assert Run(tmp_path / "run").split().train.n_users == 49
    assert "nothing to do" in invoke(*command, "--overwrite").stderr
    ratings.unlink()
    assert str(data) in error_of(*command)


def test_a_run_with_other_options_is_replaced_only_with_overwrite(tmp_path, ratings):
    command = ["train", "ease", "--data", ratings, "--held-out", 5, "--out", tmp_path / "run"]
    assert invoke(*command).exit_code == 0
    error = error_of(*command, "--set", "reg=1")
    assert "contains another run (model_options {} instead of {'reg': 1.0})" in error
    assert invoke(*command, "--set", "reg=1", "--overwrite").exit_code == 0
    assert Run(tmp_path / "run").config.model_options == {"reg": 1.0}


def test_a_training_in_the_folder_of_another_names_its_process(tmp_path):
    with locked(tmp_path / "run"):
        error = error_of("train", "popularity", "--out", tmp_path / "run")
    assert error.startswith(f"Error: process {os.getpid()} on ")


def test_columns_and_options_by_name(tmp_path):
    lines = (f"{u}|{i}|{1 + (u * i) % 5}|{u + i}" for u in range(40) for i in range(12) if (u + i) % 3)
    (tmp_path / "table.csv").write_text("who|what|stars|day\n" + "\n".join(lines))
    columns = ["--user", "who", "--item", "what", "--value", "stars", "--time", "day", "--separator", "|"]
    output = invoke("data", "describe", tmp_path / "table.csv", *columns).output
    assert "values 1 to 5" in output
    command = [
        "train",
        "mult_vae",
        "--data",
        tmp_path / "table.csv",
        *columns,
        "--epochs",
        1,
        "--out",
        tmp_path / "run",
    ]
    command += ["--set", "hidden_dims=[12, 6]", "--set", "latent_dim=4", "--split", "min_items=2", "--min-value", "2"]
    assert invoke(*command, "--held-out", 5).exit_code == 0
    config = Run(tmp_path / "run").config
    assert config.model_options == {"hidden_dims": (12, 6), "latent_dim": 4}
    assert config.split_options == {"seed": 98765, "held_out": 5, "min_value": 2.0, "min_items": 2}
    assert config.read_options == {"user": "who", "item": "what", "value": "stars", "time": "day", "separator": "|"}


def test_a_run_stores_the_rules_of_rows(tmp_path, ratings):
    with ratings.open("a") as file:
        file.write("\n,3\n7,1000")
    command = ["train", "popularity", "--data", ratings, "--held-out", 5, "--out", tmp_path / "run", "--no-header"]
    assert "got a missing one" in error_of(*command[:-1], "--header")
    options = ["--header", "--drop-missing", "--where", f"item={','.join(map(str, range(12)))}"]
    result = invoke(*command[:-1], *options)
    assert result.exit_code == 0, result.output
    assert "2 dropped (1 item other than 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1 missing user)" in result.output
    where = {"item": [str(item) for item in range(12)]}
    assert Run(tmp_path / "run").config.read_options == {"header": True, "drop_missing": True, "where": where}
    assert "nothing to do" in invoke(*command[:-1], *options).output


def test_features_and_titles_come_from_tables(tmp_path):
    rows = "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(30) for i in range(12) if (u + i) % 3)
    (tmp_path / "x.csv").write_text(f"who,sku,rating\n{rows}")
    (tmp_path / "items.csv").write_text("sku,label,genre\n" + "".join(f"{i},Tea {i},g{i % 3}\n" for i in range(12)))
    command = ["train", "cfn", "--data", tmp_path / "x.csv", "--user", "who", "--items", tmp_path / "items.csv"]
    command += ["--item-title", "label", "--set", "hidden_dims=4", "--epochs", 1]
    features = ["--item-features", tmp_path / "items.csv"]
    assert "expected --user-features, because the rows of this model are users" in error_of(
        *command, *features, "--set", "rows=users", "--out", tmp_path / "users"
    )
    result = invoke(*command, *features, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert Run(tmp_path / "run").model().side_shape == (12, 15)  # 12 titles and 3 genres
    items = invoke("recommend", tmp_path / "run", "--user", "3", "-k", 2).output.splitlines()
    assert "Tea" in items[0]
    invoke("export", tmp_path / "run", "--to", tmp_path / "served")
    titles = (tmp_path / "served" / "1" / "assets" / "item_titles.txt").read_text().splitlines()
    assert titles == [f"Tea {item}" for item in range(12)]
    assert "nothing to do" in invoke(*command, *features, "--out", tmp_path / "run").output
    items = (tmp_path / "items.csv").read_text()
    (tmp_path / "items.csv").write_text(items.replace("g2", "g1"))
    error = error_of(*command, *features, "--out", tmp_path / "run")
    assert f"the features '{tmp_path / 'items.csv'}' have changed since the run" in error
    (tmp_path / "items.csv").write_text(items.replace("Tea", "Jam"))
    assert "have changed since the run" in error_of(*command, *features, "--out", tmp_path / "run")
    ease = ["train", "ease", "--data", "generated", *features, "--out", tmp_path / "ease"]
    assert "ease does not read --item-features. Fix: leave it out, or choose cfn" in error_of(*ease)


def test_a_warning_names_options(tmp_path):
    (tmp_path / "x.csv").write_text("who,what\n" + "".join(f"{u},{i}\n" for u in range(20) for i in range(u % 7 + 3)))
    options = "--user", "who", "--item", "what", "--protocol", "leave-one-out"
    with warnings.catch_warnings(action="always"):
        result = invoke("train", "popularity", "--data", tmp_path / "x.csv", *options, "--out", tmp_path / "out")
    (warning,) = [line for line in result.output.splitlines() if "no times" in line]
    assert warning.startswith("Warning: ") and "--time" in warning
    assert "UserWarning" not in result.output


def test_a_loss_that_is_not_finite_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasrec.runs.config.MAX_LEARNING_RATE", math.inf)
    error = error_of("train", "mult_vae", "--epochs", "1", "--learning-rate", "1e30", "--out", tmp_path / "out")
    assert "the loss is nan after epoch 1" in error
    assert error.endswith("Fix: train again with a lower --learning-rate and with --overwrite")
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_curves_and_pictures_are_drawn_once(tmp_path):
    command = ["train", "mult_dae", "--epochs", "2", "--set", "latent_dim=2", "--held-out", "20"]
    command += ["--out", tmp_path / "out"]
    invoke(*command)
    assert (tmp_path / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")
    pictures = sorted((tmp_path / "out" / "pictures").iterdir())
    assert "train-validation.png" in [picture.name for picture in pictures]
    times = [picture.stat().st_mtime_ns for picture in pictures]
    invoke(*command)
    assert [picture.stat().st_mtime_ns for picture in pictures] == times


def test_a_picture_that_the_model_does_not_have_is_left_out(tmp_path):
    options = "--epochs", "1", "--set", "latent_dim=1", "--held-out", "20"
    assert "next step: kerasrec refit" in invoke("train", "mult_dae", *options, "--out", tmp_path / "out").output
    assert not (tmp_path / "out" / "pictures" / "latent-map.png").exists()
    assert "at least two dimensions" in error_of("plot", "latent-map", tmp_path / "out", "--to", tmp_path / "x.png")


def test_training_prints_the_sizes_of_the_split(tmp_path):
    # Of users with four likes nothing is held out. The last two have no likes at all.
    rows = [f"{u},{i},5" for u in range(20) for i in range(4 if u % 2 else 8)] + ["90,1,2", "91,1,2"]
    (tmp_path / "a.csv").write_text("\n".join(["user,item,rating", *rows]))
    options = ["--data", tmp_path / "a.csv", "--split", "min_items=1", "--held-out", "9", "--out", tmp_path / "run"]
    output = invoke("train", "popularity", *options).output
    assert "protocol held-out-users (held_out=9," in output
    assert "train 2 users" in output
    left_out = Run(tmp_path / "run").metrics["test"]["left_out"]
    assert left_out > 0
    assert f" test rows; {left_out} users without held-out items excluded;" in output


def test_train_prints_the_baseline_and_the_settings_that_were_not_chosen_on_the_data(tmp_path, capsys):
    ease = invoke("train", "ease", "--held-out", 100, "--out", tmp_path / "ease")
    assert "popularity (test)" in ease.output
    assert "chosen on validation data: reg 20 → 0." in ease.output
    options = ["--held-out", 100, "--epochs", 2, "--set", "latent_dim=4"]
    elsa = invoke("train", "elsa", *options, "--out", tmp_path / "elsa")
    assert "defaults, not chosen on these data: n_kept None, batch_size 500, learning_rate 0.05" in elsa.output
    assert "latent_dim 4" not in elsa.output
    if Run(tmp_path / "elsa").metrics["best_epoch"] == 2:
        assert "Warning: the best epoch is the last one. Fix: try more epochs (--epochs 4)" in elsa.stderr
    assert "stopped after" not in elsa.output
    run = Run(tmp_path / "elsa")
    run.metrics["epochs"] = 9
    run.metrics["test"]["ndcg_100"] = run.metrics["baseline"]["ndcg_100"]
    print_metrics(run)
    printed = capsys.readouterr()
    assert "stopped after 2 of 9 epochs, because the validation results did not improve" in printed.out
    assert "Warning" not in printed.err
    run.metrics["test"]["ndcg_100"] -= 0.001
    print_metrics(run)
    assert "Warning: elsa is worse than popularity. Fix: more --epochs" in capsys.readouterr().err
    run.metrics["model"] = "ease"  # it has neither epochs nor a learning rate
    print_metrics(run)
    assert "Warning: ease is worse than popularity. Fix: kerasrec tune ease" in capsys.readouterr().err


def test_seed_and_split_seed_are_separate(tmp_path, ratings):
    options = ["train", "popularity", "--data", ratings, "--held-out", 5]
    for name, seeds in {"a": (1, 7), "b": (2, 7), "c": (1, 8)}.items():
        invoke(*options, "--seed", seeds[0], "--split-seed", seeds[1], "--out", tmp_path / name)
    a, b, c = (Run(tmp_path / name) for name in "abc")
    assert (b.config.seed, b.config.split_options["seed"]) == (2, 7)
    assert a.split().test.targets == b.split().test.targets != c.split().test.targets


def test_a_sequential_model_is_evaluated_in_time_order_by_default(tmp_path, ratings):
    model = ["--set", "embedding_dim=4", "--set", "gru_units=4", "--set", "hidden_dims=4", "--set", "latent_dim=2"]
    invoke("train", "svae", "--data", ratings, "--epochs", 1, *model, "--out", tmp_path / "run")
    assert Run(tmp_path / "run").metrics["protocol"] == "temporal-users"
    assert Run(tmp_path / "run").split().protocol.held_out == 6
