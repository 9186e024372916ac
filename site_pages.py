"""Builds the documentation site and keeps the generated parts of the documentation up to date.

    python site_pages.py                           # builds the site into site/
    python site_pages.py --models                  # writes the model tables of README.md and docs/models.md
    python site_pages.py --repository OWNER/REPO   # sets the repository's address in every file that contains it
    python site_pages.py --release                 # fails if a placeholder is left that a release must not contain

Zensical builds the site from mkdocs.yml. The setting `url` in setup.cfg holds the repository's address.
"""

from __future__ import annotations

import argparse
import configparser
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import griffe

ROOT = Path(__file__).parent
GITHUB = "https://github.com/"
PLACEHOLDER = "OWNER/REPO"
ADDRESSED = (
    "setup.cfg",
    "mkdocs.yml",
    "README.md",
    "CITATION.cff",
    "docs/index.md",
    "docs/notebooks.md",
    "docs/quickstart.md",
    "docs/howto/every-night.md",
    "colab/*.py",
    "colab/*.ipynb",
)
"""Files that contain the repository's address."""


class Sections(griffe.Extension):
    """Adapts docstrings to the site.

    Renames the section `Example:` to `Examples:`, the name that griffe recognises, and links each function and class to
    its source.
    """

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each module, class and function."""
        if obj.docstring is None:
            return
        obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
        is_top_level = obj.parent is not None and obj.parent.is_module
        if is_top_level and (obj.is_class or obj.is_function):
            obj.docstring.value += f"\n\n[Source]({source_address(obj)})"


def source_address(obj: griffe.Object) -> str:
    """The address of the lines of a class or function in the repository."""
    lines = f"L{obj.lineno}-L{obj.endlineno}"
    return f"{GITHUB}{repository()}/blob/main/{obj.relative_package_filepath.as_posix()}#{lines}"


def with_site_links(page: str) -> str:
    """A page of docs/ with the links to zoo/ that the site needs.

    In the repository, zoo/ is beside docs/, so that the links work on GitHub too. On the site it is below.

    Example:
        >>> with_site_links("[results](../zoo/README.md), [blend](../../zoo/blend.md#tables)")
        '[results](zoo/index.md), [blend](../zoo/blend.md#tables)'
    """
    page = re.sub(r"\]\(\.\./((?:\.\./)*zoo/[\w-]+\.md)", r"](\1", page)
    return re.sub(r"\]\(((?:\.\./)*zoo/)README\.md", r"](\1index.md", page)


def build_site() -> int:
    """Copies docs/ and the pages of zoo/ into build/docs/ and builds the site from there.

    Returns:
        The exit code of Zensical.
    """
    docs = ROOT / "build" / "docs"
    shutil.rmtree(docs, ignore_errors=True)
    shutil.copytree(ROOT / "docs", docs)
    for path in docs.rglob("*.md"):
        path.write_text(with_site_links(path.read_text(encoding="utf-8")), encoding="utf-8")
    zoo, pages = ROOT / "zoo", docs / "zoo"
    shutil.copytree(zoo / "pictures", pages / "pictures")
    for path in zoo.glob("*.md"):
        # The site has no pages for the recipes, so links to scripts become plain paths.
        page = re.sub(r"\[[^\]]*\]\(([^)]*\.py)\)", r"`zoo/\1`", path.read_text(encoding="utf-8"))
        page = page.replace("(README.md)", "(index.md)")
        name = "index.md" if path.name == "README.md" else path.name
        (pages / name).write_text("---\nhide: [toc]\n---\n\n" + page, encoding="utf-8")
    return subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT).returncode


def repository(root: Path = ROOT) -> str:
    """The repository as `owner/name`, from the setting `url` in setup.cfg."""
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    return config["metadata"]["url"].removeprefix(GITHUB)


def addressed_files(root: Path = ROOT) -> Iterator[Path]:
    """The files that contain the repository's address."""
    for pattern in ADDRESSED:
        yield from sorted(root.glob(pattern))


def set_repository(name: str, root: Path = ROOT) -> None:
    """Replaces the repository's address in every file that contains it.

    Args:
        name: the repository as `owner/name`.
        root: folder of the working copy.

    Raises:
        ValueError: `name` is not of the form `owner/name`.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"expected `owner/name`, got {name!r}")
    old = repository(root)
    for path in addressed_files(root):
        path.write_text(path.read_text(encoding="utf-8").replace(old, name), encoding="utf-8")


def release_problems(root: Path = ROOT) -> list[str]:
    """What a release must not contain: one sentence for each problem."""
    problems = []
    if repository(root) == PLACEHOLDER:
        problems.append(
            f"setup.cfg: `url` is still {GITHUB}{PLACEHOLDER}. Fix: python site_pages.py --repository owner/name"
        )
    for path in addressed_files(root):
        if path.name != "setup.cfg" and PLACEHOLDER in path.read_text(encoding="utf-8"):
            problems.append(f"{path.relative_to(root)} still contains {PLACEHOLDER}")
    return problems


def citation(model: type) -> str:
    """Authors and year of a model's paper, from the paragraph `Source:` of its docstring, as a link.

    The address comes from the first line of the model's module.
    """
    docstring = inspect.cleandoc(model.__doc__ or "")
    source = " ".join(docstring.partition("Source:")[2].split("\n\n")[0].split())
    authors = re.match(r"([\w-]+)(?:((?:, [\w-]+)*) and ([\w-]+))?,", source)
    if authors is None:
        return ""
    first, others, second = authors.groups()
    names = first if second is None else f"{first} et al." if others else f"{first} and {second}"
    year = re.search(r"\b(?:19|20)\d\d\b", source)
    text = f"{names} {year[0]}" if year else names
    address = re.search(r"https?://\S+\w", sys.modules[model.__module__].__doc__ or "")
    return f"[{text}]({address[0]})" if address else text


def family(model: Any) -> str:
    """The kind of a model and the data it learns from, as two cells of a table."""
    if model.feedback == "ratings":
        return "rating prediction | ratings"
    if model.variational or (model.__doc__ or "").startswith("Variational"):  # VASP's scores need more than the code
        return "variational autoencoders | likes"
    if model.closed_form:
        return "solved in closed form | likes"
    return f"{'linear' if model.linear else 'denoising'} autoencoders | likes"


def short_table() -> str:
    """The model table of README.md: one line for each family."""
    from kerasrec import ZOO

    families: dict[str, list[str]] = {}
    for model in ZOO.values():
        families.setdefault(family(model), []).append(f"`{model.__name__}`")
    lines = ["| kind | learns from | models |", "|---|---|---|"]
    lines += [f"| {name} | {', '.join(families[name])} |" for name in sorted(families)]
    return "\n".join(lines)


def long_table() -> str:
    """The model table of docs/models.md: one line for each model."""
    from kerasrec import ZOO, generate

    table = generate(n_users=20, n_items=10, seed=1)
    lines = ["| model | name in commands | what it is | paper | a request contains |", "|---|---|---|---|---|"]
    for name, model in ZOO.items():
        link = f"[`{model.__name__}`][kerasrec.models.{model.__name__}]"
        summary = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        inputs = ", ".join(f"`{field}`" for field in model.for_interactions(table).serving_inputs)
        lines.append(f"| {link} | `{name}` | {summary} | {citation(model)} | {inputs} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {"README.md": short_table, "docs/models.md": long_table}


def with_models(page: str, table: str) -> str:
    """`page` with `table` between its two `<!-- models -->` marks."""
    before, _, after = page.split("<!-- models -->")
    return f"{before}<!-- models -->\n{table}\n<!-- models -->{after}"


def write_models() -> None:
    """Writes the model tables."""
    for name, table in TABLES.items():
        path = ROOT / name
        path.write_text(with_models(path.read_text(encoding="utf-8"), table()), encoding="utf-8")


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--models", action="store_true")
    task.add_argument("--repository", metavar="OWNER/REPO")
    task.add_argument("--release", action="store_true")
    options = parser.parse_args()
    if options.models:
        write_models()
    elif options.repository:
        set_repository(options.repository)
    elif options.release:
        problems = release_problems()
        print(*problems, sep="\n", end="\n" if problems else "")
        return int(bool(problems))
    else:
        return build_site()
    return 0


if __name__ == "__main__":
    sys.exit(main())
