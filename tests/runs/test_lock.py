"""One process at a time trains in a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kerasrec_testing.runs import config_of, read_small

from kerasrec.runs import train
from kerasrec.runs.lock import locked

ROOT = Path(__file__).parents[2]
HOLD = "import sys, time; from pathlib import Path; from kerasrec.runs.lock import locked\n"
HOLD += "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"


def test_a_training_names_the_process_that_holds_the_folder_until_that_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout.readline() == "locked\n"
        message = rf"^process {owner.pid} on \S+ trains in .*run. Fix: wait until it ends"
        with pytest.raises(BlockingIOError, match=message):
            train(config_of("popularity", epochs=1), read_small, tmp_path / "run")
        assert owner.poll() is None
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
        owner.kill()
    assert train(config_of("popularity", epochs=1), read_small, tmp_path / "run").metrics["test"]["n"] == 40


def test_an_empty_folder_is_removed_and_another_is_not(tmp_path):
    with locked(tmp_path / "new" / "run"):
        assert (tmp_path / "new" / "run" / ".lock").exists()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with locked(tmp_path / "old"), pytest.raises(BlockingIOError), locked(tmp_path / "old"):
        raise AssertionError
    assert list((tmp_path / "old").iterdir()) == []


@pytest.mark.parametrize("name", ["run", "run/inside", "run/inside/deeper"])
@pytest.mark.parametrize("kind", ["file", "broken link"])
def test_a_file_in_place_of_the_folder_is_refused(tmp_path, kind, name):
    if kind == "file":
        (tmp_path / "run").write_text("")
    else:
        (tmp_path / "run").symlink_to(tmp_path / "removed")
    message = f"expected a folder, got the {kind} .*run. Fix: "
    with pytest.raises(NotADirectoryError, match=message), locked(tmp_path / name):
        pass
