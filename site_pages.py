"""Builds the documentation: `python site_pages.py` writes `site/`. Beside it is mkdocs.yml, which Zensical reads."""

from __future__ import annotations

import re
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


def write_zoo_page() -> None:
    """The measured table stands in one place, zoo/README.md; its recipes are no pages of the site."""
    measured = (ROOT / "zoo" / "README.md").read_text(encoding="utf-8")
    page = re.sub(r"\[[^\]]*\]\(([^)]*\.py)\)", r"`zoo/\1`", measured)
    (ROOT / "docs" / "zoo.md").write_text("---\nhide: [toc]\n---\n\n" + page, encoding="utf-8")


def main() -> int:
    """Writes the page, then the site."""
    write_zoo_page()
    return subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
