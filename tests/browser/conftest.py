"""Headless Chromium (Debian's package `chromium`), and experiments to open in it.

Without a browser these tests are skipped; with KD_BROWSER=required they fail.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from results.rebuild import rebuild_results

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
TIMEOUT_MS = 180_000  # for a busy machine; an idle one needs a few seconds


class Screen(NamedTuple):
    """An open page with its console messages and requests."""

    page: object
    messages: list[str]
    requests: list[str]

    def scroll(self) -> None:
        """Scroll to each figure until it is drawn, and back to the top."""
        for figure in self.page.locator(".plot").all():
            figure.scroll_into_view_if_needed()
            self.page.wait_for_selector(f"#{figure.get_attribute('id')}[data-drawn]")
        self.page.evaluate("scrollTo(0, 0)")


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """Return the module that writes synthetic experiments for the tests of results/."""
    path = Path(__file__).parents[1] / "results" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_rows", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def skip_or_fail(reason: str) -> None:
    """Skip, or fail with KD_BROWSER=required."""
    if os.environ.get("KD_BROWSER") == "required":
        pytest.fail(f"KD_BROWSER=required, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium with a new, empty profile."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail("playwright is not installed")
    program = shutil.which("chromium")
    if program is None:
        skip_or_fail("there is no chromium; on Debian: apt-get install chromium")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser) -> Iterator[Callable[..., Screen]]:
    """Open an address or file in a new window."""
    contexts = []

    def opened(
        address: Path | str, width: int = 1280, height: int = 900, scheme: str = "light", accept_downloads: bool = False
    ) -> Screen:
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=accept_downloads))
        contexts[-1].set_default_timeout(TIMEOUT_MS)
        page = contexts[-1].new_page()
        screen = Screen(page, [], [])
        page.on("console", lambda message: _add_message(screen, message))
        page.on("pageerror", lambda error: screen.messages.append(str(error)))
        page.on("request", lambda request: screen.requests.append(request.url))
        page.goto(address.as_uri() if isinstance(address, Path) else address, wait_until="commit")
        return screen

    yield opened
    for context in contexts:
        context.close()


def _add_message(screen: Screen, message) -> None:
    # Chromium warns that drawing without a graphics card is slow
    if message.type in ("error", "warning") and "GL Driver Message" not in message.text:
        screen.messages.append(message.text)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, synthetic) -> Path:
    """A finished grid of five alphas and six temperatures with three seeds, plus a failed and a stopped student."""
    builder = synthetic.write_grid(
        tmp_path_factory.mktemp("finished") / "run", alphas=(0, 0.2, 0.5, 0.8, 1), temperatures=(1, 2, 4, 16, 32, 64)
    )
    for end, temperature in (("failed", 1), ("stopped", 2)):
        builder.student("explore", {"method.alpha": 0.2, "method.temperature": temperature}, 3, end, 2)
    rebuild_results(builder.done())
    return builder.folder


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Start TensorBoard on a free local port and return its address."""
    servers = []

    def started(logs: Path) -> str:
        program = Path(sys.executable).parent / "tensorboard"
        command = [str(program), "--logdir", str(logs), "--host", "127.0.0.1", "--port", "0"]
        servers.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        matches = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in servers[-1].stderr)
        return next(match[0] for match in matches if match)

    yield started
    for server in servers:
        server.terminate()
        server.stderr.close()
        server.wait()
