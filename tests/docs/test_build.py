"""The built pages: without warnings, complete, with valid links, without network access."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from spaces.catalogue.entries import catalogue_entries, entry_keys

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# attributes by which a page loads files, by tag
LOADED_BY = {"link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src"}


class PageLinks(HTMLParser):
    """Links of a page, files it loads, and its targets for links."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.fragments: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.fragments |= {attributes["id"]} if "id" in attributes else set()
        self.links += [attributes["href"]] if tag == "a" and "href" in attributes else []
        self.loads += [attributes[LOADED_BY[tag]]] if tag in LOADED_BY and LOADED_BY[tag] in attributes else []


page_links = cache(PageLinks)


@pytest.fixture(scope="module")
def html_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    options = ["-W", "--keep-going", "-q", "-b", "html", "-d", folder / "trees"]
    command = [sys.executable, "-m", "sphinx", *options, DOCS, folder / "html"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=540)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return folder / "html"


def pages(html_folder: Path) -> list[Path]:
    paths = sorted(html_folder.rglob("*.html"))
    assert len(paths) > 15
    return paths


def test_every_page_is_built(html_folder):
    expected = {
        page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md") if "_build" not in page.parts
    }
    assert expected <= {page.relative_to(html_folder) for page in pages(html_folder)}


def test_every_link_has_a_target(html_folder):
    links_checked = 0
    for page in pages(html_folder):
        for link in page_links(page).links:
            address, fragment = urldefrag(link)
            if re.match(r"[a-z]+:", address):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            assert target.is_file(), f"{page}: {link}"
            if fragment and target.suffix == ".html":
                assert unquote(fragment) in page_links(target).fragments, f"{page}: {link}"
            links_checked += 1
    assert links_checked > 100


def test_no_page_loads_from_a_network(html_folder):
    for page in pages(html_folder):
        assert not [file for file in page_links(page).loads if re.match(r"(https?:)?//", file)], page
    for sheet in html_folder.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


@pytest.mark.parametrize(
    ("kind", "page"), [("method", "methods"), ("model", "models"), ("data", "data"), ("part", "space")]
)
def test_the_reference_has_every_entry_and_key(html_folder, kind, page):
    path = html_folder / "reference" / f"{page}.html"
    fragments, text = page_links(path).fragments, path.read_text(encoding="utf-8")
    for entry in catalogue_entries(kind):
        assert entry.name.replace("_", "-") in fragments
        for knob in entry_keys(entry):
            assert f">{knob.name}</span>" in text, f"{entry.name}: {knob.name}"


def test_no_mark_is_left(html_folder):
    pages_with_marks = [page for page in DOCS.rglob("*.md") if "<!-- generated:" in page.read_text(encoding="utf-8")]
    assert len(pages_with_marks) >= 7
    assert not [page for page in pages(html_folder) if "generated:" in page.read_text(encoding="utf-8")]
