"""Options from a configuration file and from environment variables."""

import json
from pathlib import Path

import pytest
from kerasrec_testing.command import error_of, invoke
from kerasrec_testing.tables import write


def exported(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    version = Path(result.stdout.removeprefix("written: ").partition(";")[0])
    return json.loads((version / "assets.extra" / "kerasrec.json").read_text())


@pytest.fixture
def settings(tmp_path):
    return write(
        tmp_path / "kerasrec.toml", f'[export]\nto = "{tmp_path}/served"\ntop-k = 7\nmetadata = "stage=test"\n'
    )


def test_the_command_line_beats_the_environment_and_that_the_file(runs, settings, monkeypatch):
    about = exported("--config", settings, "export", runs / "ease")
    assert (about["top_k"], about["stage"]) == (7, "test")
    assert about["run"]["protocol"] == "held-out-users"
    monkeypatch.setenv("KERASREC_CONFIG", str(settings))
    monkeypatch.setenv("KERASREC_EXPORT_TOP_K", "8")
    monkeypatch.setenv("KERASREC_EXPORT_METADATA", "stage=live n=3")
    about = exported("export", runs / "ease")
    assert (about["top_k"], about["stage"], about["n"]) == (8, "live", 3)
    about = exported("export", runs / "ease", "--top-k", 9, "--keep", 1)
    assert about["top_k"] == 9
    assert [path.name for path in (settings.parent / "served").iterdir()] == ["3"]


def test_mistakes_in_the_file_get_one_line(runs, tmp_path):
    for text, message in (
        ("[export]\ntopk = 3", "--config: export has no option topk. Fix: use one of "),
        ("[exprot]\ntop-k = 3", "--config: expected tables named as commands, got exprot"),
        ("[export", "--config: expected a TOML file"),
        ("[export]\ntop-k = [1, 2]", "--config: expected one value for top-k, got [1, 2]"),
        ("[export]\ntop-k = 7.5", "'7.5' is not a valid integer"),
        ("[export]\ntop-k = true", "--config: expected one value for top-k, got True"),
        ("[export]\nmetadata = {a = 1}", "--config: expected values for metadata, got {'a': 1}"),
    ):
        file = write(tmp_path / "kerasrec.toml", text)
        assert message in error_of("--config", file, "export", runs / "ease", "--to", tmp_path / "served")


def test_metadata_of_the_export_itself_cannot_be_replaced(runs, tmp_path):
    command = ("export", runs / "ease", "--to", tmp_path / "served")
    assert "--metadata: expected names that the export does not set, got run" in error_of(
        *command, "--metadata", "run=mine"
    )
    assert "--metadata: expected NAME=VALUE, got stage" in error_of(*command, "--metadata", "stage")
