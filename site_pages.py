"""Builds the documentation: `python site_pages.py` writes `site/`. Beside it is mkdocs.yml, which Zensical reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parent


class Sections(griffe.Extension):
    """Reads our docstrings' `Example:` as the section that griffe calls `Examples:`."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe asks this for each module, class and function."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)


def write_zoo_pages() -> None:
    """What was measured stands in one place, zoo/; its recipes are no pages of the site."""
    zoo, pages = ROOT / "zoo", ROOT / "docs" / "zoo"
    shutil.copytree(zoo / "pictures", pages / "pictures", dirs_exist_ok=True)
    for path in zoo.glob("*.md"):
        page = re.sub(r"\[[^\]]*\]\(([^)]*\.py)\)", r"`zoo/\1`", path.read_text(encoding="utf-8"))
        page = page.replace("(README.md)", "(index.md)")
        name = "index.md" if path.name == "README.md" else path.name
        (pages / name).write_text("---\nhide: [toc]\n---\n\n" + page, encoding="utf-8")


def main() -> int:
    """Writes the zoo's pages, then the site."""
    write_zoo_pages()
    return subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
