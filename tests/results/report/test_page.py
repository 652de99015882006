from __future__ import annotations

import importlib.util
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from time import process_time

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import paths, records
from results.experiment import Experiment, load_experiment
from results.rebuild import rebuild_results
from results.report.page import embedded_json, report_page

NASTY = "<script>alert('x')</script> & \"quotes\" <b>bold</b>"
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Reader(HTMLParser):
    """Tags, ids, addresses and text outside scripts and styles."""

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
    return report_page(load_experiment(folder), WHEN)


def data(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


@given(
    st.recursive(
        st.text() | st.integers() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_embedded_json_round_trips_and_closes_no_element(value):
    assert json.loads(embedded_json(value)) == value
    assert "<" not in embedded_json(value)


def test_records_are_embedded_by_name(full):
    parts = data(of(full))
    assert set(parts) == {"heatmaps", "learning_curves", "pareto", "points", "importance"}
    assert parts["heatmaps"][0]["columns"] == "temperature" and len(parts["learning_curves"]["curves"]) == 21


@pytest.mark.parametrize("name", ["full", "broken", "confirmed", "single", "tableless", "running", "mixed"])
def test_every_kind_of_experiment_has_a_self_contained_page(name, request):
    parts = Reader(of(request.getfixturevalue(name)))
    assert len(parts.ids) == len(set(parts.ids))
    assert all(address.startswith("data:") for address in parts.addresses)
    assert "Written 2026-01-02 03:04:05 UTC." in " ".join(parts.texts)
    assert not [text for text in parts.texts if "`" in text or "**" in text]  # marks of Markdown
    assert ("failures" in parts.ids) == (name in ("broken", "mixed"))
    assert ("table" in parts.ids) == (name not in ("tableless", "confirmed", "mixed"))
    assert ("early-stopping" in parts.ids) == (name in ("broken", "confirmed", "mixed"))


def test_a_page_before_the_first_student(empty):
    parts = Reader(of(empty().folder))
    assert "0 of 0 students ended, 0 in training" in " ".join(parts.texts) and "parallel" not in parts.ids


def test_names_and_reasons_are_escaped(build):
    builder = build()
    trial = builder.student("explore", {"method.alpha": NASTY, "method.temperature": 1}, 0, end=None)
    builder.row(trial, kind="end", status="failed", reason=NASTY)
    records.save_environment(builder.folder, {**records.read_environment(builder.folder), "command": NASTY})
    html = of(builder.done())
    plain = Reader(of(build(seeds=(0, 1, 2, 3)).done()))
    parts = Reader(html)
    assert parts.tags.count("script") == plain.tags.count("script") and "b" not in parts.tags
    assert any(NASTY in text for text in parts.texts) and "alert('x')</script>" not in html


def test_rebuild_writes_the_page_each_time(running):
    paths.report_file(running).write_text("an earlier page")
    rebuild_results(running)
    page = paths.report_file(running).read_text()
    assert "14 of 16 students ended (14 finished), 2 in training" in page
    assert re.sub(r"Written [^.]*UTC", "", page) == re.sub(r"Written [^.]*UTC", "", of(running))


def test_files_of_the_page_are_package_data():
    folder = Path(importlib.util.find_spec("results.report").submodule_search_locations[0])
    assert {path.suffix for path in folder.iterdir() if path.is_file()} == {".py", ".html", ".css", ".js"}


def many_students(folder: Path, count: int) -> Experiment:
    """An experiment of one seed per configuration, with a failed student in a hundred and 100 epochs each."""
    experiment, random = load_experiment(folder), numpy.random.default_rng(0)
    students = experiment.students[experiment.students["stage"] == "explore"].sample(
        count, replace=True, random_state=0
    )
    names = [f"explore-{index}" for index in range(count)]
    scores = random.normal(0.9, 0.01, count)
    students = students.assign(trial=names, val_accuracy=scores, test_accuracy=scores, seed=0, epochs=100)
    students["method.alpha"] = [round(float(value), 6) for value in random.uniform(0, 1, count)]
    students["parameters"] = random.integers(10**4, 10**6, count)
    failed = numpy.arange(count) % 100 == 0
    students = students.assign(
        status=numpy.where(failed, "failed", "finished"), reason=numpy.where(failed, "why", None)
    )
    epochs = pandas.DataFrame({"trial": numpy.repeat(names, 100), "epoch": numpy.tile(numpy.arange(1, 101), count)})
    epochs = epochs.assign(val_accuracy=random.normal(0.9, 0.01, len(epochs)), val_loss=0.1, time=1.0)
    return experiment._replace(students=students.reset_index(drop=True), epochs=epochs)


@pytest.mark.slow
def test_the_page_of_5000_students_has_less_than_10_megabytes(mixed):
    experiment = many_students(mixed, 5_000)
    began = process_time()
    html = report_page(experiment, WHEN)
    seconds = process_time() - began
    assert len(html.encode()) < 10e6
    text, best = (
        " ".join(Reader(html).texts),
        experiment.students["val_accuracy"][experiment.students["status"] == "finished"],
    )
    assert text.count("why") == 100  # every failed student with its reason, in the list and on the leaderboard
    assert f"{100 * best.max():.2f}" in text and " are shown: the best " in text
    assert seconds < 0.003 * 5_000
