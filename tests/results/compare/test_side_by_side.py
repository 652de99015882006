"""Experiments side by side: unranked, with a column per difference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from results.command_line import main
from results.compare import compare, side_by_side

ROOT = Path(__file__).parents[3]


def test_one_line_for_each_experiment(grid, confirmed, cells):
    heads, first, second = cells(compare([grid("first"), confirmed], layout="best"))
    assert heads == list(side_by_side.BEST_HEADS)
    assert "alpha 0.5" in first[1] and first[1].endswith("(explore)") and second[1].endswith("(confirm)")
    assert first[4] == "3" and first[6] == str(21 * 4) and first[7] == "2 min 3 s"


def test_a_running_search_has_no_time(running, cells):
    assert cells(compare([running], layout="best"))[1][-1] == "not done"


def test_every_configuration_has_a_line(grid, cells):
    heads, *lines = cells(compare([grid("first")], layout="every"))
    assert heads == list(side_by_side.CONFIGURATION_HEADS)
    assert [line[1] for line in lines] == ["explore"] * 6 + ["baseline", "teacher"]
    assert lines[-1][3] == "98.00" and "temperature" not in lines[-2][2]


def test_gains_have_a_line_for_each_ranked_configuration_and_baseline(grid, cells):
    heads, *lines = cells(compare([grid("first")], layout="gains"))
    assert heads[:2] == ["rank", "configuration"] and "gain over the student alone" in heads
    assert "gain over plain distillation" not in heads  # one method
    assert [line[0] for line in lines] == ["1", "2", "3", "4", "5", "6", "–"] and lines[-1][1] == "baseline"
    assert all(line[heads.index("gain over the student alone")].startswith("+") for line in lines[:-1])
    assert cells(compare([grid("second"), grid("third")], layout="gains"))[0][0] == "experiment"


@pytest.mark.parametrize("how", ["best", "every"])
def test_differences_of_protocol_are_columns(grid, cells, how):
    environment = {"data": {"name": "mnist", "train": 50000, "val": 10000, "test": 10000, "split": "seed 0"}}
    heads, *lines = cells(compare([grid("first"), grid("second", environment, epochs=3)], layout=how))
    added = ["data", "split"] + ["epochs"] * (how == "best")
    assert heads[-len(added) :] == added
    differences = {line[0]: line[-len(added) :] for line in lines}
    assert differences["second"][:2] == ["mnist, 50,000 / 10,000 / 10,000 images of ?, 0 classes", "seed 0"]
    assert differences["first"][1] == "stratified, seed 0" and (how == "every" or differences["second"][2] == "3")


def test_the_csv_has_every_configuration_and_no_rank(grid, tmp_path):
    compare([grid("first"), grid("second", epochs=3)], layout="best", csv=tmp_path / "all.csv")
    table = pandas.read_csv(tmp_path / "all.csv")
    assert "rank" not in table.columns and len(table) == 2 * 8


def test_the_command(grid, tmp_path, capsys):
    first = str(grid("first"))
    assert main(["compare", first, "--csv", str(tmp_path / "all.csv")]) == 0
    assert capsys.readouterr().out.startswith("| rank | experiment |") and (tmp_path / "all.csv").exists()
    assert main(["compare", first, "--best"]) == 0 and main(["compare", first, "--every"]) == 0
    assert main(["compare", first, str(grid("second", epochs=3))]) == 2
    assert "  epochs: 4 (" in capsys.readouterr().err
    assert main(["compare", str(tmp_path)]) == 2
    assert "not an experiment folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["compare", first, "--best", "--every"])


@pytest.mark.parametrize("command", [["results", "compare"], ["results.compare"]])
def test_both_commands(single, command):
    done = subprocess.run([sys.executable, "-m", *command, str(single)], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("| rank |")
