"""Every model of the zoo in the explorer, in all plots and in an export, with what it declares and nothing else."""

import functools
import json
import re
from types import SimpleNamespace

import matplotlib.text
import numpy as np
import pytest
from kerasrec_testing.models import CASES, blocks, held_out, table_for, trained

from kerasrec import HeldOutUsers, RandomRatings, Split
from kerasrec.explorer import Explorer, saved_page
from kerasrec.explorer.explorer import K
from kerasrec.explorer.loss_demo import LossDemo
from kerasrec.plots import RUN_PLOTS
from kerasrec.plots.runs import draw_figures
from kerasrec.runs import save_run


@functools.cache
def loss_demo(feedback):
    """The two small models of the page, which depend on the table only."""
    return LossDemo(blocks(feedback))


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """A model of the zoo as a run, its explorer, and its saved page."""
    model, table = trained(request.param), table_for(request.param)
    part = held_out(table)
    protocol = RandomRatings() if model.feedback == "ratings" else HeldOutUsers()
    history = {}
    if not model.closed_form:
        metric = model.monitor.removeprefix("val_")
        history = {"loss": [2.0, 1.0], f"train_{metric}": [0.1, 0.3], f"val_{metric}": [0.1, 0.2]}
    folder = tmp_path_factory.mktemp("run")
    run = save_run(model, Split(table, part, part, protocol), folder, "blocks", history)
    explorer = Explorer(run)
    explorer.loss_demo = loss_demo(model.feedback)
    page = folder / "page.html"
    user = part.inputs.user_ids[np.argmax(part.targets.counts)]  # some items of the user's block are left to recommend
    page.write_text(saved_page([explorer], explorer.question_for(str(user))), encoding="utf-8")
    return SimpleNamespace(model=model, run=run, explorer=explorer, page=page)


def answers_in(page):
    saved = re.search(r'id="saved">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1]
    return json.loads(saved.replace("<\\/", "</"))


def test_the_saved_page_has_what_the_model_declares(case):
    model, saved = case.model, answers_in(case.page)
    facts, explanation = saved["about"]["runs"][0], saved["answers"]["explain 0"]
    assert facts["model"] == type(model).__name__
    n_observed = len(explanation["observed"])
    assert n_observed > 2
    assert len(explanation["list"]) == min(K, model.as_user_model(case.explorer.train).n_columns - n_observed)
    assert not {i["column"] for i in explanation["list"]} & {i["column"] for i in explanation["observed"]}

    scores, columns = np.zeros(model.n_columns, np.float32), np.array([0, 1])
    losses = model.entry_losses(scores, columns, np.ones(2, np.float32))
    assert explanation["loss"] == (None if losses is None else losses.name)
    assert {"loss" in entry for entry in explanation["observed"]} == {losses is not None}

    optional = {"draws": model.variational, "prefixes": model.ordered, "weights": model.linear}
    optional["latent"] = model.code_layer is not None and "history" in facts["serving_inputs"]
    optional["neighbours"] = "similar" in case.explorer.export.signatures
    assert set(facts["answers"]) == {"explain", "why", "losses", *(name for name in optional if optional[name])}
    assert set(saved["answers"]) == {f"{name} 0" for name in facts["answers"]}
    assert facts["has_layers"] == bool(explanation["layers"])
    assert facts["has_code"] == (model.code_layer is not None and "history" in facts["serving_inputs"])
    assert sum(layer["code"] for layer in explanation["layers"]) == facts["has_code"]
    reads_the_history = "history" in facts["serving_inputs"] and facts["model"] != "Popularity"
    assert any(saved["answers"]["why 0"]["reasons"].values()) == reads_the_history


def check_result(page, saved):
    """The opening view shows the list, a stage for each layer, and what each layer and item does."""
    facts, explanation, why = (
        saved["about"]["runs"][0],
        *(saved["answers"][f"{name} 0"] for name in ("explain", "why")),
    )
    assert page.locator("#top .item").count() == len(explanation["list"])
    assert page.locator("#top .hit").count() == sum(item["held_out"] for item in explanation["list"])
    assert page.locator("#top .because").count() == sum(map(bool, why["reasons"].values()))
    beside = {"log_var", "side_0"}
    hidden = [y for y in explanation["layers"] if y["name"] not in beside and y["units"] != facts["n_items"]]
    n_stages = 2 + (len(hidden) or 1)  # a model without layers shows its weights
    assert page.locator("#hourglass .stage").count() == n_stages
    for stage in range(n_stages):
        page.press(f"#stage-{stage}", "Enter")
        assert page.get_attribute(f"#stage-{stage}", "aria-pressed") == "true"
        assert page.inner_text("#detail h3") == page.get_attribute(f"#stage-{stage}", "aria-label")
    page.click("#top .item >> nth=0")
    best = explanation["list"][0]
    assert page.inner_text("#detail h3") == best["title"]
    reasons = why["reasons"].get(str(best["column"]), [])
    assert page.locator("#history .on").count() == page.locator("#hourglass .path").count() == len(reasons)
    page.click("[aria-label='Stage back']")
    assert page.locator("#top .pending").count() == len(explanation["list"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert facts["model"] in page.inner_text("h1")


def test_the_browser_shows_every_step(case, new_page):
    page = new_page(case.page.as_uri(), width=390)
    check_result(page, answers_in(case.page))
    facts = answers_in(case.page)["about"]["runs"][0]
    optional = [name for name in ("draws", "prefixes", "weights") if name in facts["answers"]]
    layers = ["layers"] * facts["has_layers"] + ["code"] * facts["has_code"]
    optional = ["map"] * facts["has_code"] + optional
    steps = page.eval_on_selector_all("#steps button", "buttons => buttons.map(b => b.dataset.step)")
    assert steps == ["input", *layers, "reconstruction", "observed", "mask", "list", *optional, "losses"]
    for step in steps:
        page.click(f"#steps button[data-step={step}]")
        page.wait_for_selector("#step[aria-busy=false]")
        text = page.inner_text("body")
        assert not re.findall(r"NaN|undefined|null|Infinity|\[object", text), step
        assert page.locator("[role=alert]").count() == 0, page.inner_text("#body")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{step} is too wide"
        assert len(page.inner_text("#body")) > 100, f"{step} is empty"
    page.click("#steps button[data-step=observed]")
    headings = page.locator("#body table >> nth=0 >> th").all_inner_texts()
    explanation = answers_in(case.page)["answers"]["explain 0"]
    assert ("loss" in headings) == (explanation["loss"] is not None)
    sentence = page.inner_text("#loss")
    assert (explanation["loss"] or f"The training loss of {facts['model']} is not a sum") in sentence
    page.click("#steps button[data-step=list]")
    page.wait_for_selector("#step[aria-busy=false]")
    assert page.locator("#body tbody tr").count() == len(explanation["list"])


def test_every_plot_that_applies_is_drawn(case):
    model = case.model
    figures = draw_figures(case.run)
    expected = {"reconstruction", "coverage"}
    expected |= set() if model.closed_form else {"curves", "train-validation"}
    expected |= {"popularity", "history-length"} if model.feedback == "likes" else set()
    expected |= {"latent-map"} if model.has_item_vectors else set()
    assert set(figures) == expected
    figures["comparison"] = RUN_PLOTS["comparison"]([case.run])
    for name, figure in figures.items():
        figure.set_dpi(40)
        figure.canvas.draw()
        texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
        assert not [text for text in texts if re.search(r"\bnan\b|None", text)], name
        for axes in figure.axes:
            data = [line.get_ydata() for line in axes.lines] + [points.get_offsets() for points in axes.collections]
            data.append([bar.get_width() for bar in axes.patches])
            assert any(np.isfinite(np.ma.filled(np.asarray(d, float), np.nan)).any() for d in data if len(d)), name


def test_the_export_has_the_signatures_that_the_model_declares(case):
    signatures = case.explorer.export.signatures
    assert signatures >= {"serving_default", "recommend", "score"}
    assert {"embed", "sample"} <= signatures if case.model.variational else not {"embed", "sample"} & signatures
    assert set(case.explorer.export.serving_inputs) == set(case.model.serving_inputs)
