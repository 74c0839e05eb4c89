"""Headless Chromium, for tests that look at a page as its reader does."""

import os
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def opened(path, width=1200, height=900, drawn=True, script=None):
    """The page of a file in headless Chromium, with the plots that it shows drawn: (page, errors).

    ``page`` is Playwright's; ``errors`` lists what the console called an error, exceptions that the
    page did not catch, and whatever it asked the network for. Skips the test where there is no
    Chromium, unless RECBOLE_DSL_NEEDS_BROWSER is set, as in CI.

    Args:
        drawn: whether to wait for the plots. script: JavaScript to run before the page's own.
    """
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None and os.environ.get("RECBOLE_DSL_NEEDS_BROWSER"):
        pytest.fail("no Chromium on this machine, and RECBOLE_DSL_NEEDS_BROWSER is set")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    flags = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
    errors = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)  # milliseconds; a busy machine takes a minute for plots
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda sent: sent.url.startswith("http") and errors.append(sent.url))
        if script is not None:
            page.add_init_script(script)
        page.goto(f"file://{path}")
        if drawn:
            page.wait_for_function(
                "[...document.querySelectorAll('.plotly-graph-div')].filter(g => g.offsetParent)"
                ".every(g => g.querySelector('svg'))"
            )
        yield page, errors
        browser.close()
