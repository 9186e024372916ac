"""The page in Chromium: a reader searches, steps through and clicks, by mouse and keyboard, on wide and narrow screens.

If KERASREC_SHOTS names a folder, screenshots are written there. If KERASREC_RUNS names two run folders, separated by
a comma, the page shows those.
"""

import json
import os
from pathlib import Path

import pytest

from kerasrec.explorer import Explorer, PageServer, Question, saved_page
from kerasrec.runs import Run


@pytest.fixture(scope="module")
def explorers(explorer_of):
    """A Mult-VAE and an AutoRec."""
    if "KERASREC_RUNS" in os.environ:
        return [Explorer(Run(folder)) for folder in os.environ["KERASREC_RUNS"].split(",")]
    return [explorer_of("vae"), explorer_of("ratings")]


class Reader:
    """A page and the actions of its reader."""

    def __init__(self, page):
        self.page, self.n_shots, self.question = page, 0, None
        self.width = page.viewport_size["width"]
        page.on("request", self._remember)

    def _remember(self, request):
        if request.url.endswith("api/explain"):
            self.question = json.loads(request.post_data)

    def ready(self):
        for part in ("#result", "#step"):
            self.page.wait_for_selector(f"{part}[aria-busy=false]")

    def click(self, selector):
        self.page.click(selector)
        self.ready()

    def step(self, name):
        self.click(f"#steps button[data-step={name}]")
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"

    def steps(self):
        return self.page.eval_on_selector_all("#steps button", "buttons => buttons.map(b => b.dataset.step)")

    def text(self, selector):
        return self.page.text_content(selector)

    def titles(self):
        read = "titles => titles.map(title => title.firstChild.textContent)"
        shown, walked = (self.page.eval_on_selector_all(s, read) for s in ("#top .title", "#body tbody td > div"))
        assert shown == walked  # the opening view and the step
        return shown

    def open_history(self):
        self.page.eval_on_selector("#change", "element => { element.open = true }")

    def shot(self, name):
        if "KERASREC_SHOTS" in os.environ:
            self.n_shots += 1
            file = Path(os.environ["KERASREC_SHOTS"]) / f"{self.width}-{self.n_shots:02}-{name}.png"
            self.page.wait_for_timeout(150)
            self.page.screenshot(path=file, full_page=True, animations="disabled")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_reader_walks_through_two_models(new_page, explorers, width):
    word = explorers[0].train.item_titles[0].split()[0]
    with PageServer(explorers) as server:
        reader = Reader(new_page(server.address, width))
        page = reader.page

        # Selects a user.
        reader.open_history()
        page.fill("#users", "1")
        page.click("#users-results[aria-busy=false] button >> nth=0")
        # Not `wait_for_function`: it evaluates a string, which the page's Content Security Policy forbids.
        page.wait_for_selector("#status:has-text('Test user')", state="attached")
        reader.ready()
        assert "1" in reader.text("#whose")
        user_history = reader.text("#history-title")

        # Builds a history by searching titles, with the keyboard alone.
        reader.open_history()
        reader.click("#clear")
        for place in range(3):
            page.focus("#items")
            page.keyboard.type(word)
            if place == 0:  # does not wait for the results
                page.keyboard.press("Enter")
                page.wait_for_selector("#history li")
                continue
            page.wait_for_selector("#items-results[aria-busy=false] button")
            reader.shot("search")
            for _ in range(place + 1):
                page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            reader.ready()
        assert reader.text("#history-title") != user_history
        assert page.locator("#history li").count() == 3

        # Both lists are shown, and what they share is marked in both.
        ids = [[item["id"] for item in e.explain(Question.parse(reader.question))["list"]] for e in explorers]
        n_shared = len(set(ids[0]) & set(ids[1]))
        assert page.locator("#other-list .item").count() == len(ids[1])
        assert page.locator("#top .shared").count() == page.locator("#other-list .shared").count() == n_shared
        assert reader.text("#other-note").startswith(f"{n_shared} of {len(ids[1])} items are in both lists")

        for run, explorer in enumerate(explorers):
            page.check(f"#models label:nth-of-type({run + 1}) input")
            reader.ready()
            for name in reader.steps():
                reader.step(name)
                reader.shot(f"{run}-{name}")

            reader.step("list")
            expected = explorer.explain(Question.parse(reader.question))["list"]
            assert reader.titles() == [item["title"] for item in expected]

            # Selects a layer, the other loss, and draws again.
            reader.step("layers")
            reader.click("#layer-1")
            assert reader.text("#layer h4")
            reader.step("losses")
            reader.click("#loss-plain")
            reader.shot(f"{run}-plain")
            if "draws" in reader.steps():
                reader.step("draws")
                before = reader.text("#body")
                reader.click("#again")
                assert reader.text("#body") != before

        # Removes an item, and turns pages by keyboard.
        reader.open_history()
        reader.click("#history li >> nth=0 >> .remove")
        assert page.locator("#history li").count() == 2
        assert page.locator("#changed svg text").count() == 2 * page.locator("#top li").count()
        page.focus("#steps button[aria-current]")
        title = reader.text("#step-title")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        reader.ready()
        assert reader.text("#step-title") != title


def test_a_saved_page_shows_the_list_of_the_served_page(new_page, explorer_of, tmp_path):
    explorers = [explorer_of("vae"), explorer_of("ease")]
    file = tmp_path / "page.html"
    file.write_text(saved_page(explorers), encoding="utf-8")
    titles = [item["title"] for item in explorers[0].explain(explorers[0].example_question())["list"]]
    with PageServer(explorers) as server:
        for address in (f"{server.address}#list", f"{file.as_uri()}#list"):
            assert Reader(new_page(address)).titles() == titles


def test_the_page_shows_that_it_waits_for_the_model(browser, explorer_of):
    with PageServer() as server:
        page = browser.new_page()
        page.goto(server.address)
        assert "Loading" in page.text_content("#step-title")
        server.show([explorer_of("ease")])
        page.wait_for_selector("#step[aria-busy=false]", timeout=120_000)
        assert page.text_content("#step-title") == "1. Input"
        page.close()
