"""Reading a run from its folder."""

import shutil

import pytest
from kerasrec_testing.runs import config_of, read_small

from kerasrec.runs import Run, train


@pytest.fixture(scope="module")
def popularity(tmp_path_factory):
    return train(config_of("popularity", epochs=1), read_small, tmp_path_factory.mktemp("runs") / "popularity")


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run"):
        Run(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="is not finished .*continues it"):
        Run(tmp_path)


def test_a_run_returns_its_configuration_model_split_and_history(popularity):
    run = Run(popularity.folder)
    assert run.config == config_of("popularity", epochs=1)
    assert type(run.model()).__name__ == "Popularity"
    assert run.split().protocol.held_out == 40
    assert run.history()["val_ndcg_100"] == pytest.approx([run.metrics["validation"]["ndcg_100"]])
    assert set(run.evaluate(["ndcg_10"])) == {"validation", "test"}
    assert repr(run) == f"<Run: popularity on generated, held-out-users, in {popularity.folder}>"


def test_the_error_about_a_run_without_a_model_names_the_file(popularity, tmp_path):
    folder = shutil.copytree(popularity.folder, tmp_path / "run")
    (folder / "model.keras").unlink()
    with pytest.raises(ValueError, match=r"model.keras is missing. Fix: remove the folder"):
        Run(folder).model()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics.json", "{}", "metrics.json lacks model, data, .*: damaged, or of another version"),
        ("metrics.json", "nonsense", "metrics.json is damaged .*Fix: remove the folder"),
        ("run.json", "{}", "run.json lacks .*: damaged, or of another version"),
        ("run.json", "[1", "run.json is damaged"),
        ("model.keras", "PK", "model.keras is damaged. Fix: remove the folder"),
    ],
)
def test_the_error_about_a_damaged_run_names_the_file(popularity, file, content, message):
    path = popularity.folder / file
    intact = path.read_bytes()
    path.write_text(content)
    try:
        with pytest.raises(ValueError, match=message):
            Run(popularity.folder).model()
        if file != "model.keras":
            with pytest.raises(ValueError, match=message):
                train(config_of("popularity", epochs=1), read_small, popularity.folder)
    finally:
        path.write_bytes(intact)
