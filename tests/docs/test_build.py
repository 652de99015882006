"""The pages as they are built: without a warning, without a network, complete, and with no link that leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from spaces.catalogue.entries import entries, knobs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ASKS = {"link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src"}  # by which a page loads more


class Html(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given["id"]} if "id" in given else set()
        self.links += [given["href"]] if tag == "a" and "href" in given else []
        self.loads += [given[ASKS[tag]]] if tag in ASKS and ASKS[tag] in given else []


html = cache(Html)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("docs")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "-d",
        to / "trees",
        DOCS,
        to / "html",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return to / "html"


def pages(built: Path) -> list[Path]:
    found = sorted(built.rglob("*.html"))
    assert len(found) > 15
    return found


def test_every_page_is_built(built):
    written = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md") if "_build" not in page.parts}
    assert written <= {page.relative_to(built) for page in pages(built)}


def test_every_link_leads_somewhere(built):
    followed = 0
    for page in pages(built):
        for link in html(page).links:
            address, place = urldefrag(link)
            if re.match(r"[a-z]+:", address):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            assert target.is_file(), f"{page}: {link}"
            assert not place or target.suffix != ".html" or unquote(place) in html(target).places, f"{page}: {link}"
            followed += 1
    assert followed > 100


def test_nothing_is_asked_of_a_network(built):
    for page in pages(built):
        assert not [each for each in html(page).loads if re.match(r"(https?:)?//", each)], page
    for sheet in built.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.parametrize(
    ("kind", "page"), [("method", "methods"), ("model", "models"), ("data", "data"), ("part", "space")]
)
def test_the_reference_has_every_entry_and_key(built, kind, page):
    places, text = html(built / "reference" / f"{page}.html").places, (built / "reference" / f"{page}.html").read_text()
    for entry in entries(kind):
        assert entry.name.replace("_", "-") in places
        for knob in knobs(entry):
            assert f">{knob.name}</span>" in text, f"{entry.name}: {knob.name}"


def test_no_mark_is_left(built):
    marks = [page for page in DOCS.rglob("*.md") if "<!-- generated:" in page.read_text(encoding="utf-8")]
    assert len(marks) >= 7
    assert not [page for page in pages(built) if "generated:" in page.read_text(encoding="utf-8")]
