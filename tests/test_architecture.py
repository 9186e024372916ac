"""The layers of the package and the rules for its files. setup.cfg lists the layers and who may import TensorFlow."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "kerasrec").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_LINES, LONG, MAX_LONG_FILES = 400, 350, 3
UNSPECIFIC_NAME = re.compile(r"(^|_)(part|more|impl|utils?|helpers?|common)(_|$)")
MODEL_GUESS = re.compile(r"(hasattr|getattr)\(.*model")


def test_imports_follow_the_layers_and_only_listed_modules_import_tensorflow():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run(
        [*command, "--no-logo", "--no-cache", "setup.cfg"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    broken = done.stdout.partition("Broken contracts")[2] or done.stdout
    assert done.returncode == 0, f"import contracts of setup.cfg are broken:\n{broken}{done.stderr}"


def test_files_of_the_library_are_short():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in LIBRARY}
    long = {path: n for path, n in lengths.items() if n > LONG}
    assert not {path: n for path, n in long.items() if n > MAX_LINES}, f"split files of over {MAX_LINES} lines"
    assert len(long) <= MAX_LONG_FILES, f"at most {MAX_LONG_FILES} files may have over {LONG} lines: {long}"


def test_file_names_state_a_subject():
    unspecific = [str(path.relative_to(ROOT)) for path in LIBRARY + TESTS if UNSPECIFIC_NAME.search(path.stem)]
    assert not unspecific, "name these files after what they hold"


def test_no_interface_of_a_model_is_guessed():
    guesses = []
    for path in LIBRARY:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            if MODEL_GUESS.search(line) and "#" not in line and not lines[number - 2].lstrip().startswith("#"):
                guesses.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not guesses, "declare what is needed in Recommender, or explain in a comment which Keras attribute is read"


@pytest.mark.parametrize("rule", [r"sys\.path\.(insert|append|remove|extend)", r"syspath_prepend", r"sys\.path\s*="])
def test_no_test_edits_the_import_path(rule):
    edits = [str(path.relative_to(ROOT)) for path in TESTS if path != Path(__file__) and re.search(rule, path.read_text())]
    assert not edits, "make the module importable through `pythonpath` in setup.cfg, or run it in a new process"
