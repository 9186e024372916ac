"""The commands of docs/howto/online-shop.md print what the page shows."""

import re
import shlex
from pathlib import Path

import pytest
from kerasrec_testing.command import invoke
from kerasrec_testing.notebooks import NUMBER

PAGE = (Path(__file__).parents[1] / "docs" / "howto" / "online-shop.md").read_text(encoding="utf-8")


def without_numbers(text):
    """The words of a text: numbers and the spaces before them differ between machines."""
    return " ".join(NUMBER.sub("#", text).split())


@pytest.mark.slow
def test_the_commands_of_the_page_print_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(script, "online-shop.md", "exec"), {})
    printed = ""
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for words in map(shlex.split, block.splitlines()):
            if "serve" in words or "127.0.0.1:8500" in words:  # another test covers the server
                continue
            result = invoke(*words[1:])
            assert result.exit_code == 0, result.output
            printed += result.output
    for shown in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL):
        for line in filter(re.compile(r"[a-z]").search, shown.splitlines()):
            assert without_numbers(line) in without_numbers(printed), line
    assert sorted(path.name for path in Path("served").iterdir()) == ["1", "2"]
    assert Path("lists.parquet").exists()
