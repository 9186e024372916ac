"""The documentation builds without a warning, its links hold, and every public name is in it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

import kerasrec
import kerasrec.plots
from kerasrec._registry import registry

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site's pages, by path."""
    copy = tmp_path_factory.mktemp("docs")
    for name in ("docs", "kerasrec", "zoo"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "site_pages.py"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "site_pages.py"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "No issues found" in said
    assert not re.search(r"warn|griffe:", said, re.IGNORECASE), said
    return {path.relative_to(copy / "site"): path.read_text() for path in (copy / "site").rglob("*.html")}


def test_links_hold(site):
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in site.items()}
    seen = 0
    for path, page in site.items():
        if path.name == "404.html":
            continue
        for link in re.findall(r'<a[^>]*\bhref="([^"]+)"', page):
            if re.match(r"[a-z]+:", link):
                continue
            target, anchor = urldefrag(unquote(link))
            there = path if not target else Path(*_normal(path.parent / target))
            there = there / "index.html" if there.suffix == "" else there
            assert there in site, f"{path}: {link}"
            assert not anchor or anchor in anchors[there], f"{path}: {link}"
            seen += 1
    assert seen > 100


def _normal(path):
    parts = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part] if part != "." else parts
    return parts


def test_every_public_name_is_in_the_reference(site):
    reference = "".join(page for path, page in site.items() if path.parts[0] == "api")
    for name in kerasrec.__all__:
        thing = getattr(kerasrec, name)
        if hasattr(thing, "__qualname__"):
            assert re.search(rf'id="kerasrec\.[a-z_.]+\.{name}"', reference), name


def test_no_page_asks_an_outside_address(site):
    for path, page in site.items():
        for asked in re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(https?:[^"]*)"', page):
            raise AssertionError(f"{path}: {asked}")


def test_every_public_name_has_an_example_that_runs():
    pages = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    examples = "\n".join(line for line in pages.splitlines() if line.startswith((">>> ", "... ")))
    rooms = [kerasrec, kerasrec.losses, kerasrec.metrics, kerasrec.layers, kerasrec.callbacks, kerasrec.plots]
    for room in rooms:
        names = getattr(room, "__all__", None) or [
            name for name, thing in vars(room).items() if thing in registry.values() or room is kerasrec.plots
        ]
        for name in names:
            thing = getattr(room, name)
            if not callable(thing) or name.startswith("_") or thing.__module__.split(".")[0] != "kerasrec":
                continue
            if ">>>" not in (thing.__doc__ or ""):
                assert re.search(rf"\b{name}\b", examples), f"{room.__name__}.{name} has no example"
