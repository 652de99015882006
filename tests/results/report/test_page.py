from __future__ import annotations

import importlib.util
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import experiment as experiments
from results import records
from results.rebuild import rebuild
from results.report.page import embed, page

NASTY = "<script>alert('x')</script> & \"quotes\" <b>bold</b>"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Reader(HTMLParser):
    """Counts elements, and keeps ids, addresses and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        if self.tags[-1:] not in (["script"], ["style"]) and data.strip():
            self.texts.append(data.strip())


def of(folder) -> str:
    return page(experiments.load(folder), WHEN)


def data(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


@given(
    st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_whatever_is_embedded_comes_back_and_closes_no_element(value):
    assert json.loads(embed(value)) == value
    assert "<" not in embed(value)


def test_records_are_embedded_by_name(full):
    found = data(of(full))
    assert set(found) == {"heats", "learning", "sizes", "parallel", "importance"}
    assert found["heats"][0]["columns"] == "temperature" and len(found["learning"]["curves"]) == 21


@pytest.mark.parametrize("name", ["full", "broken", "confirmed", "single", "tableless", "running", "mixed"])
def test_every_kind_of_experiment_has_a_page_that_needs_nothing_else(name, request):
    found = Reader(of(request.getfixturevalue(name)))
    assert len(found.ids) == len(set(found.ids))
    assert all(address.startswith("data:") for address in found.addresses)
    assert "Written 2026-01-02 03:04:05 UTC." in " ".join(found.texts)
    assert ("failures" in found.ids) == (name in ("broken", "mixed"))
    assert ("table" in found.ids) == (name not in ("tableless", "confirmed", "mixed"))
    assert ("stopping" in found.ids) == (name in ("broken", "confirmed", "mixed"))


def test_nothing_begun_has_a_page_too(empty):
    found = Reader(of(empty().folder))
    assert "The search is not done: 0 in training" in " ".join(found.texts) and "parallel" not in found.ids


def test_names_and_reasons_are_text(build):
    made = build()
    trial = made.student("explore", {"method.alpha": NASTY, "method.temperature": 1}, 0, end=None)
    made.row(trial, kind="end", status="failed", reason=NASTY)
    records.save_environment(made.folder, {**records.environment(made.folder), "command": NASTY})
    html = of(made.done())
    plain = Reader(of(build(seeds=(0, 1, 2, 3)).done()))
    found = Reader(html)
    assert found.tags.count("script") == plain.tags.count("script") and "b" not in found.tags
    assert any(NASTY in text for text in found.texts) and "alert('x')</script>" not in html


def test_it_is_written_with_the_rest_and_anew_each_time(running):
    rebuild(running)
    first = records.report_file(running).read_text()
    assert "The search is not done: 2 in training" in first
    rebuild(running)
    second = records.report_file(running).read_text()
    assert re.sub(r"Written [^.]*UTC", "", first) == re.sub(r"Written [^.]*UTC", "", second)


def test_its_files_are_package_data():
    # read without importing Plotly, which the page takes its JavaScript from and nothing else
    folder = Path(importlib.util.find_spec("results.report").submodule_search_locations[0])
    assert {path.suffix for path in folder.iterdir() if path.is_file()} == {".py", ".html", ".css", ".js"}
