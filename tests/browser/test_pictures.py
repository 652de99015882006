"""Screenshots of the documentation.

They show a synthetic experiment; with KD_PICTURES=RUN they show that run and are written to docs/.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from results import paths

pytestmark = pytest.mark.slow
RUN = os.environ.get("KD_PICTURES")


@pytest.fixture
def run(request) -> Path:
    return Path(RUN).resolve() if RUN else request.getfixturevalue("finished")


@pytest.fixture
def pictures(tmp_path) -> Path:
    return Path(__file__).parents[2] / "docs" if RUN else tmp_path


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


def test_tensorboard(look, serve, run, pictures):
    page = look(f"{serve(paths.tensorboard_folder(run))}/#hparams", width=1740, height=900).page
    page.get_by_text("explore", exact=True).nth(3).wait_for(timeout=60_000)
    page.screenshot(path=pictures / "tensorboard.png")
    assert colors(pictures / "tensorboard.png") > 50
