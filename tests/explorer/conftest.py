"""Small runs and a browser, which the tests of the explorer share."""

import shutil

import pytest

from kerasrec import generate
from kerasrec.explorer import Explorer
from kerasrec.runs import RunConfig, train

TIMEOUT_MS = 120_000
"""How long the browser waits for anything: a busy machine is slow."""

RUNS = {
    "vae": ("mult_vae", "held-out-users", {"hidden_dims": (16,), "latent_dim": 6}),
    "gaussian": ("mult_vae", "held-out-users", {"hidden_dims": (16,), "latent_dim": 6, "likelihood": "gaussian"}),
    "ease": ("ease", "held-out-users", {"reg": 20.0}),
    "elsa": ("elsa", "held-out-users", {"latent_dim": 6}),
    "svae": (
        "svae",
        "held-out-users",
        {"embedding_dim": 8, "gru_units": 8, "hidden_dims": (8,), "latent_dim": 4},
    ),
    "ratings": ("auto_rec", "random-ratings", {"hidden_dims": (12,), "rows": "users"}),
    "items": ("auto_rec", "random-ratings", {"hidden_dims": (12,), "rows": "items"}),
    "cdae": ("cdae", "own-items", {"latent_dim": 8}),
    "popularity": ("popularity", "held-out-users", {}),
}


@pytest.fixture(scope="package")
def explorer_of(tmp_path_factory):
    """Returns the explorer of one of `RUNS`, trained at the first call."""
    table = generate(n_users=150, n_items=50, seed=2)
    folder = tmp_path_factory.mktemp("runs")
    explorers = {}

    def explorer(name):
        if name not in explorers:
            model, protocol, arguments = RUNS[name]
            settings = {"held_out": 20} if protocol == "held-out-users" else {}
            config = RunConfig(model, "generated", protocol, 1, 1, 50, settings, arguments)
            explorers[name] = Explorer(train(config, lambda: table, folder / name))
        return explorers[name]

    return explorer


@pytest.fixture(scope="package")
def browser():
    """Debian's Chromium."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    arguments = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=arguments, timeout=TIMEOUT_MS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser):
    """Opens pages of a width. Their console errors, exceptions and requests to other hosts fail the test."""
    pages, problems = [], []

    def check_address(request):
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:", "file:")):
            problems.append(f"request to {request.url}")

    def open_page(address, width=1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", check_address)
        pages.append(page)
        page.goto(address)
        for part in ("#result", "#step"):
            page.wait_for_selector(f"{part}[aria-busy=false]")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert problems == []
