"""What a release contains: one version everywhere, workflows that name existing commands, a complete wheel."""

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import kerasrec

ROOT = Path(__file__).parents[1]
SETTINGS = configparser.ConfigParser()
SETTINGS.read(ROOT / "setup.cfg")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_every_file_names_the_same_version():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    versions = {SETTINGS["metadata"]["version"], newest, str(citation["version"]), kerasrec.__version__}
    assert versions == {kerasrec.__version__}
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_complete_steps_and_read_only_permissions(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            for names in re.findall(r"\.\[([\w,]+)\]", step.get("run", "")):
                assert set(names.split(",")) <= set(SETTINGS["options.extras_require"]), step
            for script in re.findall(r"python (\w+\.py)", step.get("run", "")):
                assert (ROOT / script).exists(), step


@pytest.mark.slow
def test_the_wheel_has_all_files_of_the_library_and_no_others(tmp_path):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, tmp_path / "source" / name)
    command = [sys.executable, "-m", "build", "--outdir", tmp_path / "dist", tmp_path / "source"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    (wheel,), (archive,) = (tmp_path / "dist").glob("*.whl"), (tmp_path / "dist").glob("*.tar.gz")
    library = {name for name in tracked if name.startswith(("kerasrec/", "kerasrec_cli/"))}
    with zipfile.ZipFile(wheel) as contents:
        assert {name for name in contents.namelist() if ".dist-info/" not in name} == library
    with tarfile.open(archive) as contents:
        names = {name.partition("/")[2] for name in contents.getnames()}
    assert library <= names
    assert not any(name.startswith("tests") for name in names)
    check = [sys.executable, "-m", "twine", "check", "--strict", wheel, archive]
    process = subprocess.run(check, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
