"""`kerasrec try`."""

import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec.runs import trying


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """The folder and the result of a comparison."""
    out = tmp_path_factory.mktemp("tried") / "try"
    return out, invoke("try", "generated", "--models", "popularity, ease", "--held-out", 100, "--out", out)


def test_the_leaderboard_ends_with_the_command_that_trains_the_winner(tried):
    out, result = tried
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert [cell.strip() for cell in table[0].split("|")[1:3]] == ["rank", "model"]
    assert table[2].split("|")[2].strip() == "ease"
    assert lines[-1] == f"next step: kerasrec refit {out / 'ease'} --out final"
    assert f"compare:   kerasrec compare {out / 'ease'} {out / 'popularity'}" in lines
    assert (out / "leaderboard.png").read_bytes().startswith(b"\x89PNG")
    assert "popularity: ndcg_100 0." in result.stderr  # progress without a terminal: one line for each model
    notes = [line for line in result.stderr.splitlines() if "interactions are likes" in line]
    assert len(notes) == 1, "each model is trained on the same likes"
    assert invoke("compare", out / "ease", out / "popularity").exit_code == 0


def test_the_same_command_trains_nothing_again(tried, monkeypatch):
    out, first = tried
    monkeypatch.setattr(trying, "train", lambda *_, **__: pytest.fail("a model was trained"))
    again = invoke("try", "generated", "--models", "popularity,ease", "--held-out", 100, "--out", out)
    assert again.exit_code == 0, again.output
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]


def test_an_interruption_prints_the_leaderboard_and_exits_with_130(tmp_path, monkeypatch):
    train = trying.train

    def interrupted(config, *arguments, **options):
        if config.model == "ease":
            raise KeyboardInterrupt
        return train(config, *arguments, **options)

    monkeypatch.setattr(trying, "train", interrupted)
    result = invoke("try", "generated", "--models", "popularity,ease", "--held-out", 100, "--out", tmp_path / "try")
    assert result.exit_code == 130
    assert "popularity" in result.stdout and "interrupted" in result.stdout
    assert "the same command trains the others" in result.stderr
    assert (tmp_path / "try" / "leaderboard.csv").read_text().count("\n") == 3


def test_errors_of_try(tried, tmp_path):
    out, _ = tried
    assert "--models: expected names of models, got none" in error_of(
        "try", "generated", "--models", "", "--out", tmp_path / "x"
    )
    assert "unknown model 'eas'" in error_of("try", "generated", "--models", "eas", "--out", tmp_path / "x")
    assert "auto_rec predicts ratings" in error_of(
        "try", "generated", "--models", "ease,auto_rec", "--out", tmp_path / "x"
    )
    assert "--overwrite" in error_of("try", "generated", "--models", "ease", "--held-out", 50, "--out", out)
    error = error_of("try", "generated", "--models", "ease", "--minutes", "1e-9", "--out", tmp_path / "x")
    assert "no model is finished. Fix: give more --minutes, or other --models" in error
