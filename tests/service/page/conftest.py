"""A real Chromium that looks at the service's page, and sees what goes wrong on it."""

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

KEY = "the-key-of-these-tests"

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def chromium():
    """Where it is; a machine without one skips the tests, but for CI."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None and os.environ.get("CI") != "true":
        pytest.skip("there is no Chromium on the PATH: apt-get install chromium")
    assert path, "there is no Chromium on the PATH, and CI must have one"
    return path


@pytest.fixture(scope="package")
def browser(chromium):
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


class Watched:
    """What went wrong on a page: errors in its console, and requests to elsewhere."""

    def __init__(self, page, origin, provoked):
        self.wrong, self._provoked = [], provoked
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self._asked(request.url, origin))
        page.on("dialog", lambda dialog: self.wrong.append(f"dialog {dialog.message}"))

    def _heard(self, message):
        known = any(text in message.text for text in self._provoked)
        if message.type in ("error", "warning") and not known:
            self.wrong.append(message.text)

    def _asked(self, address, origin):
        if not address.startswith((f"{origin}/", "blob:", "data:")):
            self.wrong.append(f"request to {address}")


@pytest.fixture
def visit(chromium, url, browser):
    """Opens pages of the service; at the end nothing must have gone wrong on them.

    Of what Chromium calls an error that may be said which a test provokes, by a text in it.
    """
    seen, contexts = [], []

    def open_page(path="/", *, width=1280, dark=False, key=KEY, provoked=()):
        scheme = "dark" if dark else "light"
        viewport = {"width": width, "height": 900}
        context = browser.new_context(base_url=url, viewport=viewport, color_scheme=scheme)
        contexts.append(context)
        if key:
            keep = f"sessionStorage.setItem('gtcoder-key', '{key}')"
            context.add_init_script(f"if (origin !== 'null') {keep}")  # a sandbox has no storage
        page = context.new_page()
        page.set_default_timeout(30_000)
        seen.append(Watched(page, url, provoked))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [watched.wrong for watched in seen] == [[] for _ in seen]
