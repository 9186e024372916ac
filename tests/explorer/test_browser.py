"""The page in Chromium: searched, stepped through, clicked, by mouse and keyboard, wide and narrow.

Where KERASREC_SHOTS names a folder, what was seen is kept there.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from kerasrec import generate
from kerasrec.explorer import Explorer, PageServer
from kerasrec.explorer.answers import K
from kerasrec.runs import Run, RunConfig, train
from kerasrec.saved_model import export_saved_model
from kerasrec.serving import Client, Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
ALONE = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
OWN = ("http://127.0.0.1:", "data:", "blob:")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def explorers(tmp_path_factory):
    """A Mult-VAE and an AutoRec; of runs that are there already where KERASREC_RUNS names two folders."""
    if "KERASREC_RUNS" in os.environ:
        return [Explorer(Run(folder)) for folder in os.environ["KERASREC_RUNS"].split(",")]
    table, folder = generate(n_users=150, n_items=50, seed=2), tmp_path_factory.mktemp("runs")
    held, small = {"held_out": 20}, {"hidden_dims": (16,)}
    plans = (
        RunConfig("mult_vae", "generated", "held-out-users", 1, 1, 50, held, {**small, "latent_dim": 6}),
        RunConfig("auto_rec", "generated", "random-ratings", 1, 1, 50, {}, small),
    )
    return [Explorer(train(plan, lambda: table, folder / plan.model)) for plan in plans]


class Walk:
    """A page, what went wrong on it, and the steps that a reader takes."""

    def __init__(self, browser, address, width):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.problems, self.width, self.n_shots = [], width, 0
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.problems.append(m.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self.seen)
        self.page.goto(address)
        self.ready()

    def seen(self, request):
        if not request.url.startswith(OWN):
            self.problems.append(f"outside: {request.url}")
        if request.url.endswith("api/explain"):
            self.asked = json.loads(request.post_data)

    def ready(self):
        self.page.wait_for_selector("#step[aria-busy=false]")

    def click(self, selector):
        self.page.click(selector)
        self.ready()

    def step(self, name):
        self.click(f"#steps button[data-step={name}]")
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"

    def steps(self):
        return self.page.eval_on_selector_all("#steps button", "all => all.map(b => b.dataset.step)")

    def text(self, selector):
        return self.page.text_content(selector)

    def titles(self):
        rows = "#body tbody tr td:nth-child(2) > div"
        return self.page.eval_on_selector_all(rows, "all => all.map(d => d.firstChild.textContent)")

    def shot(self, name):
        if "KERASREC_SHOTS" in os.environ:
            self.n_shots += 1
            file = Path(os.environ["KERASREC_SHOTS"]) / f"{self.width}-{self.n_shots:02}-{name}.png"
            self.page.wait_for_timeout(150)
            self.page.screenshot(path=file, full_page=True, animations="disabled")


def served_list(explorer, asked, folder):
    """The titles that a server of the run answers to what the page asked."""
    export_saved_model(explorer.model, folder, explorer.train)
    with Server(folder, model="m", port=0) as server, Client(f"127.0.0.1:{server.port}", model="m") as client:
        highest = float(explorer.train.values.max())  # for a rating that was not said
        ratings = [highest if rating is None else rating for rating in asked["ratings"]]
        rated = {"ratings": [ratings]} if "ratings" in client.input_types() else {}
        item_ids, _ = client.recommend([asked["history"]], k=K, **rated)
    places = {item: place for place, item in enumerate(explorer.train.item_ids.tolist())}
    return [str(explorer.train.item_titles[places[item]]) for item in item_ids[0].tolist()]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_reader_walks_through_two_models(browser, explorers, width, tmp_path):
    word = explorers[0].train.item_titles[0].split()[0]
    with PageServer(explorers) as server:
        walk = Walk(browser, server.address, width)
        page = walk.page

        # Picks a user.
        page.eval_on_selector("#who", "box => { box.open = true }")
        page.fill("#users", "1")
        page.click("#users-found[aria-busy=false] button >> nth=0")
        walk.ready()
        assert "1" in walk.text("#whose")
        user = page.text_content("#history-title")

        # Builds a history by searching titles, with the keyboard alone.
        page.eval_on_selector("#who", "box => { box.open = true }")
        walk.click("#clear")
        for place in range(3):
            page.focus("#items")
            page.keyboard.type(word)
            if place == 0:  # as someone who does not wait for what is found
                page.keyboard.press("Enter")
                page.wait_for_selector("#history li")
                continue
            page.wait_for_selector("#items-found[aria-busy=false] button")
            walk.shot("search")
            for _ in range(place + 1):
                page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            walk.ready()
        assert walk.text("#history-title") != user
        assert page.locator("#history li").count() == 3

        for run, explorer in enumerate(explorers):
            page.check(f"#models label:nth-of-type({run + 1}) input")
            walk.ready()
            for name in walk.steps():
                walk.step(name)
                walk.shot(f"{run}-{name}")

            walk.step("list")
            assert walk.titles() == served_list(explorer, walk.asked, tmp_path / str(run))

            # Clicks a layer, toggles the loss, draws again.
            walk.step("layers")
            page.click("#layer-1")
            walk.ready()
            assert walk.text("#layer h3")
            walk.step("losses")
            walk.click("#loss-plain")
            walk.shot(f"{run}-plain")
            if "draws" in walk.steps():
                walk.step("draws")
                before = walk.text("#body")
                walk.click("#again")
                assert walk.text("#body") != before

        # Turns pages by keyboard, and compares.
        page.focus("#steps button[aria-current]")
        title = walk.text("#step-title")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        walk.ready()
        assert walk.text("#step-title") != title
        assert walk.problems == []
        page.close()
