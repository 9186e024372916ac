"""The documentation site, the README and the repository's address."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag

import click
import pytest

import kerasrec
import kerasrec.plots
import kerasrec_cli
import site_pages

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
REPOSITORY_PAGES = ("README.md", "CONTRIBUTING.md", "zoo/README.md", "export/README.md")
PAGES = {path.relative_to(ROOT / "docs"): path.read_text() for path in (ROOT / "docs").rglob("*.md")}


def code_blocks(page, language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)


# ---- site -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of the built site, by path."""
    copy = tmp_path_factory.mktemp("docs")
    for name in ("docs", "kerasrec", "zoo"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "setup.cfg", "site_pages.py"):
        shutil.copy(ROOT / name, copy)
    process = subprocess.run([sys.executable, "site_pages.py"], cwd=copy, capture_output=True, text=True)
    log = process.stdout + process.stderr
    assert process.returncode == 0, log
    assert "No issues found" in log
    assert not re.search(r"warn|griffe:", log, re.IGNORECASE), log
    return {path.relative_to(copy / "site"): path.read_text() for path in (copy / "site").rglob("*.html")}


def test_links_point_to_existing_pages_and_anchors(site):
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', page)) for path, page in site.items()}
    n_links = 0
    for path, page in site.items():
        if path.name == "404.html":
            continue
        for link in re.findall(r'<a[^>]*\bhref="([^"]+)"', page):
            if re.match(r"[a-z]+:", link):
                continue
            target, anchor = urldefrag(unquote(link))
            target = path if not target else Path(*resolve(path.parent / target))
            target = target / "index.html" if target.suffix == "" else target
            assert target in site, f"{path}: {link}"
            assert not anchor or anchor in anchors[target], f"{path}: {link}"
            n_links += 1
    assert n_links > 100


def test_reference_links_to_the_source(site):
    links = re.findall(
        r'href="https://github\.com/[\w.-]+/[\w.-]+/blob/main/([^"#]+)#L(\d+)-L(\d+)"', site[Path("api/data.html")]
    )
    assert len(links) > 10
    for file, first, last in links:
        lines = (ROOT / file).read_text().splitlines()[int(first) - 1 : int(last)]
        assert re.match(r"@|class |def ", lines[0]), file


def resolve(path):
    """The parts of a relative path without `.` and `..`."""
    parts = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part] if part != "." else parts
    return parts


def public_names(module):
    """Names of the classes and functions of kerasrec that users import from a module."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    values = {name: getattr(module, name) for name in names}
    return [
        name
        for name, value in values.items()
        if callable(value) and getattr(value, "__module__", "").startswith("kerasrec.")
    ]


def test_every_public_name_is_in_the_reference(site):
    reference = "".join(page for path, page in site.items() if path.parts[0] == "api")
    for name in [*public_names(kerasrec), "export_saved_model"]:
        assert re.search(rf'id="kerasrec\.[a-z_.]+\.{name}"', reference), name


def test_no_page_loads_anything_from_outside(site):
    for path, page in site.items():
        addresses = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(https?:[^"]*)"', page)
        assert addresses == [], path


def test_every_public_name_has_an_example_that_runs():
    lines = "\n".join(PAGES.values()).splitlines()
    examples = "\n".join(line for line in lines if line.startswith((">>> ", "... ")))
    modules = [kerasrec, kerasrec.losses, kerasrec.metrics, kerasrec.layers, kerasrec.callbacks, kerasrec.plots]
    missing = [
        f"{module.__name__}.{name}"
        for module in modules
        for name in public_names(module)
        if ">>>" not in (getattr(module, name).__doc__ or "") and not re.search(rf"\b{name}\b", examples)
    ]
    assert missing == []


def test_architecture_page_names_existing_code():
    page = PAGES[Path("architecture.md")]
    sources = [path.read_text() for path in (ROOT / "kerasrec").rglob("*.py")]
    files = re.findall(r"`(?:kerasrec/)?((?:\w+/)+\w+\.py)`", page)
    methods = re.findall(r"`([A-Z]\w+)\.(\w+)[(`]", page)
    assert len(files) > 10 and len(methods) > 10
    for file in files:
        assert (ROOT / "kerasrec" / file).exists(), file
    for owner, method in methods:
        assert any(f"class {owner}" in source and f"def {method}(" in source for source in sources), f"{owner}.{method}"


# ---- README and commands --------------------------------------------------------------------------


def test_readme_is_short():
    assert len(README.splitlines()) <= 110
    (example,) = code_blocks(README, "python")
    assert len(example.splitlines()) <= 12


def test_readme_example_runs(tmp_path):
    (example,) = code_blocks(README, "python")
    process = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    assert "ndcg_100" in process.stdout
    assert (tmp_path / "served" / "mult_vae" / "1" / "saved_model.pb").exists()


def test_links_of_the_repository_pages_exist():
    for name in (*REPOSITORY_PAGES, *(Path("docs", page) for page in PAGES)):
        page = ROOT / name
        text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{name}: {link}"


def documented_commands():
    """Every call of `kerasrec` in a shell block of the repository's pages."""
    pages = {name: (ROOT / name).read_text() for name in REPOSITORY_PAGES}
    pages |= {str(path): page for path, page in PAGES.items()}
    cases = []
    for name, page in pages.items():
        for line in "\n".join(code_blocks(page, "sh")).splitlines():
            for command in line.split("#")[0].split("&&"):
                if command.split()[:1] == ["kerasrec"]:
                    cases.append(pytest.param(shlex.split(command)[1:], id=f"{name}: {command.strip()}"))
    return cases


@pytest.mark.parametrize("arguments", documented_commands())
def test_documented_command_has_the_documented_options(arguments):
    command, context = kerasrec_cli.main, click.Context(kerasrec_cli.main, info_name="kerasrec")
    while isinstance(command, click.Group):
        name, *arguments = arguments
        command = command.get_command(context, name)
        assert command is not None, name
        context = click.Context(command, parent=context, info_name=name)
    _, rest, _ = command.make_parser(context).parse_args(list(arguments))
    assert rest == []


# ---- generated parts and the repository's address -------------------------------------------------


@pytest.mark.parametrize("name", site_pages.TABLES)
def test_model_table_is_up_to_date(name):
    page = (ROOT / name).read_text()
    assert page == site_pages.with_models(page, site_pages.TABLES[name]()), "run: python site_pages.py --models"


def test_all_files_contain_the_same_repository_address():
    repository = site_pages.repository()
    for path in site_pages.addressed_files():
        addresses = re.findall(r"github(?:\.com)?/([\w.-]+/[\w.-]+)", path.read_text())
        assert addresses, f"{path} contains no address: remove it from ADDRESSED"
        assert set(addresses) == {repository}, path


def test_release_check_fails_until_the_repository_is_set(tmp_path):
    shutil.copytree(ROOT / "colab", tmp_path / "colab")
    (tmp_path / "docs").mkdir()
    for name in ("setup.cfg", "mkdocs.yml", "README.md", "CITATION.cff", "docs/quickstart.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    site_pages.set_repository(site_pages.PLACEHOLDER, tmp_path)
    problems = site_pages.release_problems(tmp_path)
    assert "`url` is still" in problems[0] and len(problems) > 1
    site_pages.set_repository("someone/kerasrec", tmp_path)
    assert site_pages.repository(tmp_path) == "someone/kerasrec"
    assert site_pages.release_problems(tmp_path) == []
    with pytest.raises(ValueError, match="expected `owner/name`, got 'kerasrec'"):
        site_pages.set_repository("kerasrec", tmp_path)
