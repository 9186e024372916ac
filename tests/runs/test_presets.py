"""A run as a preset."""

import pytest
from kerasrec_testing.command import error_of, invoke
from kerasrec_testing.runs import config_of, read_small

from kerasrec import Recommender
from kerasrec.models.presets import catalogue_from_preset, preset_metadata
from kerasrec.runs import preset_from_run, refit, train


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    return train(config_of("popularity", epochs=1), read_small, tmp_path_factory.mktemp("runs") / "popularity")


def test_a_run_becomes_a_preset_with_its_protocol_and_metrics(finished_run, tmp_path):
    folder = preset_from_run(finished_run.folder, tmp_path / "preset", "CC0-1.0")
    about = preset_metadata(folder)
    assert (about["licence"], about["data"], about["protocol"]) == ("CC0-1.0", "generated", "held-out-users")
    assert about["metrics"]["test"] == finished_run.metrics["test"]
    assert type(Recommender.from_preset(folder)).__name__ == "Popularity"
    assert catalogue_from_preset(folder).item_titles[0].startswith("Item 1")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run"):
        preset_from_run(tmp_path, tmp_path / "preset")


def test_the_command_writes_a_preset(finished_run, tmp_path):
    result = invoke("preset", finished_run.folder, "--to", tmp_path / "preset", "--licence", "CC0-1.0")
    assert result.output == f"written: {tmp_path / 'preset'}\n"
    assert preset_metadata(tmp_path / "preset")["licence"] == "CC0-1.0"
    assert "exists" in error_of("preset", finished_run.folder, "--to", tmp_path / "preset")


def test_the_preset_of_a_refitted_run_names_the_run_that_has_the_metrics(finished_run, tmp_path):
    final = refit(finished_run, tmp_path / "final", read_data=read_small)
    about = preset_metadata(preset_from_run(final.folder, tmp_path / "preset"))
    assert about["metrics"] == {}
    assert about["chosen_by"] == finished_run.id
