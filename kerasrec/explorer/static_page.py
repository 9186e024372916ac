"""The page with its answers in one HTML file, which needs no server."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

from kerasrec.explorer.api import about, answer, check_comparable
from kerasrec.explorer.explorer import Explorer
from kerasrec.explorer.page_files import PAGE
from kerasrec.explorer.question import Question

SCRIPTS = (
    *("dom.js", "theme.js", "charts.js", "state.js", "hourglass.js", "flow.js", "slopes.js"),
    *("other.js", "result.js", "steps.js", "map.js", "model_steps.js", "app.js"),
)
"""The modules of the page, each after those that it imports."""

CELL_HEIGHT = 900
"""Pixels of the page in a notebook."""


class Page(str):
    """The text of an HTML file. A notebook shows it as a page if it is the last expression of a cell."""

    def _repr_html_(self) -> str:
        # The sandbox keeps the scripts of the page from the notebook.
        source = html.escape(self)
        return f'<iframe srcdoc="{source}" sandbox="allow-scripts" width="100%" height="{CELL_HEIGHT}"></iframe>'


def saved_page(explorers: Sequence[Explorer], question: Question | None = None) -> Page:
    """The page with all answers about one user, as the text of one HTML file.

    In a notebook, `saved_page([Explorer(run)])` as the last line of a cell shows the page.

    Args:
        explorers: one, or two to compare.
        question: whose list; a test user's if omitted.

    Raises:
        ValueError: the two runs have no item in common.
    """
    check_comparable(explorers)
    first = explorers[0]
    question = question or first.example_question()
    shown = question.restricted_to(first.catalogue)
    start = about(explorers)
    history = [first.catalogue.item_with_id(item) for item in shown.history]
    start["example"] = {"user": question.user, "history": history, "ratings": shown.ratings}
    answers = {
        f"{name} {run}": answer(explorers, name, run, question)
        for run, explorer in enumerate(explorers)
        for name in explorer.answers
    }
    # Within a script element only "</" could end it.
    data = to_json({"about": start, "answers": answers}).replace("</", "<\\/")
    page = _page_file("index.html")
    page = page.replace('<link rel="stylesheet" href="style.css">', f"<style>\n{_page_file('style.css')}</style>")
    script = f'<script type="application/json" id="saved">{data}</script>\n<script type="module">\n{_bundle()}</script>'
    return Page(page.replace('<script type="module" src="app.js"></script>', script))


def to_json(answer: object) -> str:
    """Strict JSON, which browsers accept: no NaN and no infinity.

    Raises:
        ValueError: a number is not finite.
    """
    try:
        return json.dumps(answer, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise ValueError("the model computes scores that are not finite. Fix: train it with a lower rate") from None


def _bundle() -> str:
    """All modules as one script: a page that is opened from a file cannot import others."""
    script = "\n".join(_page_file(name) for name in SCRIPTS)
    return re.sub(r"^export ", "", re.sub(r"^import .*\n", "", script, flags=re.MULTILINE), flags=re.MULTILINE)


def _page_file(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
