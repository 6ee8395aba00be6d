"""A server of its own, and Debian's Chromium, which is headless; without one these tests are skipped."""

import os
import shutil
import subprocess
import sys

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="pip install 'chainrule[browser]'")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RUN = [sys.executable, "-c", "from chainrule.cli import main; main()", "playground", "--no-browser"]


class Server:
    """`chainrule playground`, which may be ended and begun again at the same address."""

    def __init__(self):
        self.port, self.process = [], None
        self.begin()

    def begin(self, **environment):
        own = {"PYTHONPATH": os.pathsep.join(sys.path), "CHAINRULE_PLAYGROUND_TOKEN": "told"}
        environment = os.environ | own | environment
        self.process = subprocess.Popen([*RUN, *self.port], stdout=subprocess.PIPE, text=True, env=environment)
        self.address = self.process.stdout.readline().split()[-1]
        self.port = ["--port", self.address.split(":")[2].partition("/")[0]]

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="session")
def server():
    server = Server()
    yield server
    server.end()


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("These tests need Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page whose console must stay without errors, but for those that a test allows."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    page, wrong = context.new_page(), []
    page.allowed = ()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert not [text for text in wrong if not any(word in text for word in page.allowed)]
