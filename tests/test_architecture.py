"""Rules for the code: the layers of the package (listed in setup.cfg), the size of files, their names."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON = sorted(path for folder in ("kerasrec", "kerasrec_cli") for path in (ROOT / folder).rglob("*.py"))
PAGE = sorted(path for path in (ROOT / "kerasrec").rglob("*") if path.suffix in (".css", ".html", ".js"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_LINES, LONG, MAX_LONG_FILES = 400, 350, 3
UNSPECIFIC_NAME = re.compile(r"(^|_)(part|more|impl|utils?|helpers?|common)\d*(_|$)")
MODEL_GUESS = re.compile(r"(hasattr|getattr)\(.*model")
IMPORT_PATH_EDIT = re.compile(r"sys\.path\.(insert|append|remove|extend)|sys\.path\s*=[^=]|syspath_prepend")


def lines_that_match(pattern, paths):
    """`file:line: text` of each line that matches."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]


def test_imports_follow_the_layers_and_only_listed_modules_import_tensorflow():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    broken = done.stdout.partition("Broken contracts")[2] or done.stdout
    assert done.returncode == 0, f"setup.cfg, [importlinter…]:\n{broken}{done.stderr}"


def test_files_are_short():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in PYTHON + PAGE}
    too_long = [f"{path}: {n}" for path, n in lengths.items() if n > MAX_LINES]
    assert not too_long, f"split the files of over {MAX_LINES} lines by subject:\n" + "\n".join(too_long)
    long = [f"{path}: {n}" for path, n in lengths.items() if n > LONG]
    assert len(long) <= MAX_LONG_FILES, f"over {LONG} lines, at most {MAX_LONG_FILES} may be:\n" + "\n".join(long)


def test_file_names_state_a_subject():
    unspecific = [str(path.relative_to(ROOT)) for path in PYTHON + PAGE + TESTS if UNSPECIFIC_NAME.search(path.stem)]
    assert not unspecific, "name these files after what they contain:\n" + "\n".join(unspecific)


def test_no_interface_of_a_model_is_guessed():
    guesses = [line for line in lines_that_match(MODEL_GUESS, PYTHON) if "#" not in line]
    assert not guesses, (
        "add what you need to `Recommender` in kerasrec/models/base.py, or state in a comment on the line which "
        "attribute of Keras it reads:\n" + "\n".join(guesses)
    )


def test_no_test_edits_the_import_path():
    edits = lines_that_match(IMPORT_PATH_EDIT, [path for path in TESTS if path != Path(__file__)])
    assert not edits, "extend `pythonpath` in setup.cfg, or start a process:\n" + "\n".join(edits)
