"""The table of all experiments, measured beside published."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from results.compare.overview import MEASURED, PUBLISHED, main, overview_table, record_run
from results.experiment import load_experiment
from spaces.errors import UserError

ROOT = Path(__file__).parents[3]
PAPERS = """\
# a note
experiment,source,data,teacher,alone,distilled,needs
synthetic,a paper,MNIST,99.1,98,98.5,nothing
other,,CIFAR-10,,,,a GPU
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.csv"
    path.write_text(PAPERS)
    return path


def test_measured_and_published_are_in_one_cell(full: Path, published: Path, tmp_path: Path) -> None:
    record_run(load_experiment(full), tmp_path / "measured.csv")
    line = overview_table(published, tmp_path / "measured.csv").splitlines()[2]
    best = load_experiment(full).leaderboard().iloc[0]
    assert f"{100 * best['test_accuracy']:.2f} ± {100 * best['test_std']:.2f} \\| 98.5" in line
    assert "97.90 \\| 99.1" in line
    for part in (
        "| a paper |",
        "| 3 |",
        "mnist5k: 3,000 / 500 / 1,500",
        "a processor, 2 cores, 2026-01-02",
        "2 min 3 s",
    ):
        assert part in line


def test_an_experiment_without_a_run_shows_its_needs(full: Path, published: Path, tmp_path: Path) -> None:
    record_run(load_experiment(full), tmp_path / "measured.csv")
    line = overview_table(published, tmp_path / "measured.csv").splitlines()[3]
    assert "not run: needs a GPU" in line and "– \\| –" in line


def test_a_later_run_replaces_an_earlier(full: Path, tmp_path: Path) -> None:
    for _ in range(2):
        record_run(load_experiment(full), tmp_path / "measured.csv")
    assert len(pandas.read_csv(tmp_path / "measured.csv")) == 1


def test_a_running_search_is_not_recorded(running: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finished"):
        record_run(load_experiment(running), tmp_path / "measured.csv")


def test_a_measured_experiment_without_a_published_line_is_an_error(
    full: Path, published: Path, tmp_path: Path
) -> None:
    published.write_text(PAPERS.replace("synthetic", "another"))
    record_run(load_experiment(full), tmp_path / "measured.csv")
    with pytest.raises(UserError, match="synthetic"):
        overview_table(published, tmp_path / "measured.csv")


def test_the_command_prints_it(full: Path, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--published", str(published), "--measured", str(tmp_path / "measured.csv")]
    assert main(["--keep", str(full), *files]) == 0
    assert "not run: needs a GPU" in capsys.readouterr().out


def test_only_some_experiments_as_measured(full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_run(load_experiment(full), tmp_path / "measured.csv")
    assert main(["--only", "synthetic", "--measured", str(tmp_path / "measured.csv")]) == 0
    heads, _, line = capsys.readouterr().out.splitlines()
    assert heads == "| experiment | teacher | baseline | distilled | n |"
    assert line.startswith("| synthetic | 97.90 | ") and line.endswith(" | 3 |")
    assert main(["--only", "other", "--measured", str(tmp_path / "measured.csv")]) == 2
    assert "no line for other" in capsys.readouterr().err


def test_every_shipped_space_has_a_line_and_the_page_is_current() -> None:
    names = set(pandas.read_csv(ROOT / PUBLISHED, comment="#")["experiment"])
    assert names == {path.stem for path in (ROOT / "spaces").glob("*.yaml")}
    page = (ROOT / "docs" / "experiments" / "index.md").read_text(encoding="utf-8")
    assert overview_table(ROOT / PUBLISHED, ROOT / MEASURED) in page, "run `make readme-NAME`"
