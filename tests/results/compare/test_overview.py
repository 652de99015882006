"""The table of all experiments: ours beside what was published, and what was not run."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from results import experiment as experiments
from results.compare.overview import MEASURED, PUBLISHED, keep, main, overview
from spaces.errors import UserError

ROOT = Path(__file__).parents[3]
THEIRS = """\
# a note
experiment,source,data,teacher,alone,distilled,needs
synthetic,somebody,MNIST,99.1,98,98.5,nothing
other,,CIFAR-10,,,,a GPU
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.csv"
    path.write_text(THEIRS)
    return path


def test_ours_stands_beside_theirs_with_what_it_stands_on(full: Path, published: Path, tmp_path: Path) -> None:
    keep(experiments.load(full), tmp_path / "measured.csv")
    line = overview(published, tmp_path / "measured.csv").splitlines()[2]
    best = experiments.leaderboard(experiments.load(full)).iloc[0]
    assert f"{100 * best['test_accuracy']:.2f} ± {100 * best['test_std']:.2f} \\| 98.5" in line
    assert "97.90 \\| 99.1" in line
    for part in (
        "| somebody |",
        "| 3 |",
        "mnist5k: 3,000 / 500 / 1,500",
        "a processor, 2 cores, 2026-01-02",
        "2 min 3 s",
    ):
        assert part in line


def test_what_was_not_run_says_what_it_needs(full: Path, published: Path, tmp_path: Path) -> None:
    keep(experiments.load(full), tmp_path / "measured.csv")
    line = overview(published, tmp_path / "measured.csv").splitlines()[3]
    assert "not run: needs a GPU" in line and "– \\| –" in line


def test_a_later_run_takes_the_place_of_an_earlier(full: Path, tmp_path: Path) -> None:
    for _ in range(2):
        keep(experiments.load(full), tmp_path / "measured.csv")
    assert len(pandas.read_csv(tmp_path / "measured.csv")) == 1


def test_a_search_at_work_is_not_kept(running: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finished"):
        keep(experiments.load(running), tmp_path / "measured.csv")


def test_a_measured_experiment_that_the_table_leaves_out_is_an_error(
    full: Path, published: Path, tmp_path: Path
) -> None:
    published.write_text(THEIRS.replace("synthetic", "another"))
    keep(experiments.load(full), tmp_path / "measured.csv")
    with pytest.raises(UserError, match="synthetic"):
        overview(published, tmp_path / "measured.csv")


def test_the_command_prints_it(full: Path, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--published", str(published), "--measured", str(tmp_path / "measured.csv")]
    assert main(["--keep", str(full), *files]) == 0
    assert "not run: needs a GPU" in capsys.readouterr().out


def test_every_shipped_space_has_a_line_and_the_readme_is_fresh() -> None:
    known = set(pandas.read_csv(ROOT / PUBLISHED, comment="#")["experiment"])
    assert known == {path.stem for path in (ROOT / "spaces").glob("*.yaml")}
    assert overview(ROOT / PUBLISHED, ROOT / MEASURED) in (ROOT / "README.md").read_text(), "run `make readme-NAME`"
