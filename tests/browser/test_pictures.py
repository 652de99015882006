"""Screenshots of the documentation.

They show a synthetic experiment; with KD_PICTURES=RUN they show that run and are written to docs/.
"""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from rich.text import Text

from results import paths
from results.experiment import load_experiment
from results.terminal import print_results

pytestmark = pytest.mark.slow
RUN = os.environ.get("KD_PICTURES")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(request) -> Path:
    return Path(RUN).resolve() if RUN else request.getfixturevalue("finished")


@pytest.fixture
def pictures(tmp_path) -> Path:
    return ROOT / "docs" if RUN else tmp_path


def colors(picture: Path) -> int:
    with Image.open(picture) as image:
        return len(image.convert("RGB").getcolors(maxcolors=2**24))


WINDOWS = {  # width, height and color scheme of each picture of the report
    "report": (1280, 1180, "light"),
    "report_dark": (1280, 1180, "dark"),
    "report_phone": (390, 1180, "light"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_report(look, run, pictures, name):
    width, height, scheme = WINDOWS[name]
    screen = look(paths.report_file(run), width=width, height=height, scheme=scheme)
    screen.scroll()
    screen.page.screenshot(path=pictures / f"{name}.png")
    assert colors(pictures / f"{name}.png") > 200


def test_printed_report(look, run, pictures):
    screen = look(paths.report_file(run))
    screen.scroll()
    screen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    screen.page.emulate_media(media="print")
    screen.page.set_viewport_size({"width": 700, "height": 1000})  # A4 between its margins
    screen.page.screenshot(path=pictures / "report_print.png")
    assert colors(pictures / "report_print.png") > 200


def test_tensorboard(look, serve, run, pictures):
    page = look(f"{serve(paths.tensorboard_folder(run))}/#hparams", width=1740, height=900).page
    page.get_by_text("explore", exact=True).nth(3).wait_for()
    page.screenshot(path=pictures / "tensorboard.png")
    assert colors(pictures / "tensorboard.png") > 50


def photograph(look, screen, picture: Path) -> None:
    """Draw a terminal, with its colors, in the browser."""
    width = screen.console.width
    record = Console(record=True, file=StringIO(), width=width, height=screen.console.height)
    for line in screen.lines("-e"):
        record.print(Text.from_ansi(line), no_wrap=True, crop=True)
    page = picture.with_suffix(".html")
    page.write_text(record.export_html(inline_styles=True).replace("<body>", '<body style="margin: 8px">'))
    window = look(page, width=11 * width, height=200).page
    window.locator("pre").screenshot(path=picture)
    page.unlink()
    assert colors(picture) > 20


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
def test_the_end_of_a_terminal_shows_the_verdict_and_the_next_commands(
    terminal, look, run, pictures, size, monkeypatch
):
    monkeypatch.chdir(run.parents[1])
    screen = terminal(*size)
    print_results(load_experiment(run), screen.console)
    *above, report, export, _ = screen.wait(lambda lines: lines[-1].startswith("TensorBoard:"))
    assert report.startswith("Report:") and export.startswith("Export the best:")
    assert any(line.startswith("Distillation: ") for line in above[-8:])
    photograph(look, screen, pictures / ("terminal.png" if size[0] == 80 else "terminal_wide.png"))
