"""The commands of docs/howto/every-night.md, on two nights of generated events."""

import json
import os
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
import yaml
from kerasrec_testing.command import invoke
from kerasrec_testing.platforms import needs_symlinks

import kerasrec_cli
from kerasrec import generate
from kerasrec.runs import Run
from kerasrec_cli.settings import defaults_of

PAGE = (Path(__file__).parents[1] / "docs" / "howto" / "every-night.md").read_text()


def block(language, containing):
    (text,) = [b for b in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in b]
    return text


def run(script, **variables):
    """Runs the commands of a script in this process, up to the first that fails, and returns its exit code."""
    for name, value in variables.items():
        script = script.replace(f"${name}", value)
    for line in script.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["ln"]:
            Path(words[3]).unlink(missing_ok=True)
            os.symlink(words[2], words[3])
        if words[:1] == ["kerasrec"]:
            result = invoke(*words[1:])
            if result.exit_code:
                return result.exit_code, result.output
    return 0, ""


def write_events(table):
    columns = (table.user_ids[table.users], table.item_ids[table.items], table.values, table.times)
    pd.DataFrame(dict(zip(("user", "item", "rating", "timestamp"), columns, strict=True))).to_csv("events.csv")


@needs_symlinks
@pytest.mark.slow
def test_two_nights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    events = generate(n_users=600, n_items=80, seed=2)
    order = np.argsort(events.times, kind="stable")
    first_end, candidate_end = (int(events.times[order[int(share * len(order))]]) for share in (0.8, 0.9))
    new_users, new_items = events.user_ids[-60:], events.item_ids[-8:]  # a tenth, from the second night on
    is_old = ~np.isin(events.user_ids, new_users)[events.users] & ~np.isin(events.item_ids, new_items)[events.items]
    write_events(events.select(is_old & (events.times < first_end)))
    assert run(block("sh", "--out chosen")) == (0, "")

    write_events(events)
    newest = datetime.fromtimestamp(candidate_end, UTC).isoformat()
    script = block("sh", "#!/bin/sh")
    # Few events make the interval wide.
    assert run(script.replace("--margin 0.05", "--margin 0.5"), newest=newest, today="second") == (0, "")
    final = Run("deployed")
    likes = events.at_least(4)
    np.testing.assert_array_equal(final.split().train.user_ids, likes.user_ids)
    np.testing.assert_array_equal(final.split().train.item_ids, likes.item_ids)
    assert final.metrics["refit"]["folder"] == str(tmp_path / "chosen")
    assert sorted(path.name for path in Path("served").iterdir()) == ["1", "2"]
    about = json.loads(Path("served/2/assets.extra/kerasrec.json").read_text())
    assert (about["night"], about["run"]["id"]) == ("second", final.id)
    lists = pd.read_parquet("lists/second.parquet")
    assert lists["user_id"].nunique() == likes.n_users

    # A broken candidate: the gate ends the script, and nothing is deployed.
    broken = Run("candidates/second")
    model = broken.model()
    model.kernel.assign(np.random.default_rng(0).normal(size=model.kernel.shape))
    model.save(broken.folder / "model.keras")
    os.remove("deployed")
    os.symlink("runs/first", "deployed")
    code, output = run(script[script.index("# 2. The gate") :], newest=newest, today="second")
    assert code == 3, output
    assert "rejected" in output
    assert os.readlink("deployed") == "runs/first"


@needs_symlinks
def test_the_script_does_nothing_in_a_complete_night(tmp_path):
    os.symlink("runs/2026-01-02", tmp_path / "deployed")
    for today, code in (("2026-01-02", 0), ("2026-01-03", 127)):  # 127: the script calls kerasrec, which is not found
        command = ["/bin/sh", "-c", block("sh", "#!/bin/sh"), "nightly.sh", "2026-01-01", today]
        assert subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}).returncode == code


def test_the_workflow_and_the_settings_file_are_valid():
    workflow = yaml.safe_load(block("yaml", "nightly.sh"))
    steps = workflow["jobs"]["nightly"]["steps"]
    assert {"run": "./nightly.sh"} in steps
    assert all(("run" in step) != ("uses" in step) for step in steps)
    import tomllib

    for name, settings in tomllib.loads(block("toml", "[export]")).items():
        command = kerasrec_cli.main.get_command(click.Context(kerasrec_cli.main), name)
        assert len(defaults_of(command, settings)) == len(settings)
