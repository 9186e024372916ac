"""A saved page contains its answers, its style and its scripts."""

import html
import json
import re

import pytest

from kerasrec.explorer import Question, saved_page
from kerasrec.explorer.static_page import PAGE, SCRIPTS, to_json


def answers_in(page):
    return json.loads(re.search(r'id="saved">(.*?)</script>', page, re.DOTALL)[1].replace("<\\/", "</"))


def test_a_saved_page_loads_nothing(explorer_of):
    page = saved_page([explorer_of("vae")])
    assert not re.findall(r"https?://", page)
    assert "<script src" not in page
    assert not re.search(r"^(import|export) ", page, re.MULTILINE)
    for script in SCRIPTS:
        assert f'"./{script}"' not in page


def test_a_notebook_shows_a_saved_page(explorer_of):
    page = saved_page([explorer_of("vae")])
    frame = page._repr_html_()
    assert (
        html.unescape(re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" [^>]*></iframe>', frame)[1])
        == page
    )


def test_the_modules_of_the_page_can_share_one_script():
    scripts = {file.name: file.read_text(encoding="utf-8") for file in PAGE.glob("*.js")}
    assert set(scripts) == set(SCRIPTS)
    declared = r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)"
    names = [name for script in scripts.values() for name in re.findall(declared, script, re.MULTILINE)]
    assert len(names) > 50
    assert sorted(set(names)) == sorted(names)


def test_a_saved_page_has_all_answers_of_its_runs(explorer_of):
    saved = answers_in(saved_page([explorer_of("vae"), explorer_of("ease")], Question([3, "tea"], user=8)))
    assert saved["about"]["example"]["user"] == 8
    assert [item["id"] for item in saved["about"]["example"]["history"]] == [3]
    assert set(saved["answers"]) == {
        *(f"{name} 0" for name in ("explain", "why", "neighbours", "latent", "losses", "draws")),
        *(f"{name} 1" for name in ("explain", "why", "neighbours", "losses", "weights")),
    }
    assert saved["answers"]["explain 1"] == explorer_of("ease").explain(Question([3, "tea"], user=8))


def test_titles_cannot_end_the_script(explorer_of):
    explorer = explorer_of("popularity")
    titles = explorer.catalogue.titles.copy()
    explorer.catalogue.titles = titles.astype(object)
    explorer.catalogue.titles[:] = "</script><b>"
    try:
        page = saved_page([explorer])
    finally:
        explorer.catalogue.titles = titles
    assert "</script><b>" not in page
    assert answers_in(page)["answers"]["explain 0"]["list"][0]["title"] == "</script><b>"


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="scores that are not finite"):
        to_json({"score": float("nan")})
