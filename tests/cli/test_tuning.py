"""`kerasrec tune`."""

import shutil

import pytest
from kerasrec_testing.command import error_of, invoke

from kerasrec.runs import Run, tuning


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """The folder and the result of a search."""
    out = tmp_path_factory.mktemp("tuned") / "ease"
    return out, invoke("tune", "ease", "--trials", 2, "--held-out", 100, "--out", out)


def test_the_search_ends_as_a_run_that_other_commands_accept(tuned, tmp_path):
    out, result = tuned
    assert result.exit_code == 0, result.output
    assert result.output.count("trial ") >= 2 and "reg=" in result.output
    assert f"next step: kerasrec refit {out} --out final" in result.stdout
    assert "ndcg_100" in result.stdout
    assert (out / "tuning" / "trials.png").read_bytes().startswith(b"\x89PNG")
    assert invoke("recommend", out, "--history", "3,4,5", "-k", 4).exit_code == 0
    assert invoke("plot", "trials", out, "--to", tmp_path / "trials.svg").exit_code == 0
    assert "has no trials" in error_of("plot", "trials", _without_trials(out, tmp_path), "--to", tmp_path / "x.png")


def _without_trials(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    shutil.rmtree(copy / "tuning")
    return copy


def test_the_same_command_has_nothing_to_do_and_another_needs_overwrite(tuned):
    out, _ = tuned
    again = invoke("tune", "ease", "--trials", 2, "--held-out", 100, "--out", out)
    assert again.exit_code == 0 and "nothing to do" in again.stderr
    assert "--overwrite" in error_of("tune", "ease", "--trials", 2, "--held-out", 50, "--out", out)
    assert Run(out).metrics["test"]["n"] == 100


def test_an_interrupted_search_exits_with_130_and_names_the_next_command(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "run_trial", interrupt)
    result = invoke("tune", "ease", "--trials", 2, "--held-out", 100, "--out", tmp_path / "run")
    assert result.exit_code == 130
    assert "interrupted: the same command continues the search" in result.stderr


def test_errors_of_tune(tmp_path):
    assert "popularity has nothing to tune" in error_of("tune", "popularity", "--out", tmp_path / "run")
    assert "unknown model 'eas'" in error_of("tune", "eas", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()
