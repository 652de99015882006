"""Tables show the students that were asked for, not only the finished ones."""

from __future__ import annotations

import pytest

from results import markdown, text_tables
from results.asked import NOT_STARTED, asked_students
from results.compare.published_table import compare_with_published
from results.experiment import load_experiment
from results.figures.heatmaps import heatmaps

ALPHA, HEAT = "method.alpha", "method.temperature"


@pytest.fixture
def hot(tmp_path, synthetic):
    """A grid in which all students of temperature 16 failed, one diverged, and one has not begun."""
    text = synthetic.space(alphas=(0, 0.5), temperatures=(4, 16), rest="seeds: [0, 1, 2]\n" + TABLE)
    built = synthetic.Build(tmp_path / "run", text)
    for seed in (0, 1, 2):
        built.student("baseline", {}, seed)
        trial = built.student("explore", {ALPHA: 0.5, HEAT: 16}, seed, end=None, epochs=1)
        built.row(trial, kind="end", status="failed", reason="RuntimeError: too hot\nat line 3", test_accuracy=None)
    built.student("explore", {ALPHA: 0.5, HEAT: 4}, 0)
    built.student("explore", {ALPHA: 0.5, HEAT: 4}, 1, end="diverged", epochs=1)
    return load_experiment(built.done())


TABLE = "table: {rows: method.alpha, columns: method.temperature}\n"


def test_a_column_of_failed_students_is_shown_with_its_counts(hot):
    grid = hot.grid()
    assert (grid.column_labels, grid.n.tolist(), grid.asked.tolist()) == ([4, 16], [[3, 3], [1, 0]], [[3, 3], [3, 3]])
    text = markdown.grid_page(hot, grid)
    assert "(1 of 3)" in text and "| 0 of 3 |" in text and "in every cell" not in text
    assert "Not counted: 3 failed, 1 diverged, 1 not started: RuntimeError: too hot (3); made up (1)." in text


def test_the_heat_map_hatches_it_in_every_metric(hot):
    maps = heatmaps(hot)
    assert len(maps) == 4
    for data in maps:
        assert data.column_labels == ["4", "16"] and data.percent[-1][1] is None
        assert (data.texts[-1][1], data.hatched) == ("0 of 3", [(1, 1)])
        assert data.tips[1][1].endswith("no finished student\nnot counted: 3 failed")


def test_a_published_table_is_shown_beside_it(hot, tmp_path):
    file = tmp_path / "paper.csv"
    file.write_text("alpha,4,16\n0,90,90\n0.5,91,92\n")
    assert r"| 0 of 3 \| 92.00 |" in compare_with_published(str(hot.folder), file)


def test_failed_configurations_end_the_leaderboard_with_counts_and_reason(hot):
    lines = text_tables.top_lines(hot.leaderboard(), 1)
    assert lines.iloc[-1][[HEAT, "n", "left_out", "reason"]].tolist() == [16, 0, "3 failed", "RuntimeError: too hot"]
    assert "| 3 failed | RuntimeError: too hot |" in markdown.leaderboard_page(hot)


def test_only_the_students_of_a_grid_are_known_beforehand(hot, confirmed):
    asked = asked_students(hot.students, hot.space, [ALPHA])
    assert asked["status"].value_counts()[NOT_STARTED] == 1
    missing = asked[asked["status"] == NOT_STARTED].iloc[0]
    assert missing[["stage", ALPHA, HEAT, "seed"]].tolist() == ["explore", 0.5, 4, 2]
    search = load_experiment(confirmed)
    assert asked_students(search.students, search.space, [ALPHA]) is search.students


def test_a_limit_leaves_out_whole_configurations(hot):
    limited = hot.space._with_tree({**hot.space.document.tree, "search": {"limit": {"parameters": 5}}})
    rest = hot.students[hot.students[HEAT] != 16]
    assert asked_students(rest, hot.space, [ALPHA])["status"].value_counts()[NOT_STARTED] == 4
    assert asked_students(rest, limited, [ALPHA])["status"].value_counts()[NOT_STARTED] == 1
