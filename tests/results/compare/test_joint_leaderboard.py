"""One leaderboard over experiments, with ties and protocol."""

from __future__ import annotations

import pandas

from results import records, students
from results.compare import compare
from results.compare import joint_leaderboard as board
from results.experiment import load_experiment


def load(*folders):
    return [load_experiment(folder) for folder in folders]


def test_all_configurations_are_ranked_in_one_order(grid):
    first, second = grid("first"), grid("second", alphas=(0, 0.2, 0.9))
    table = board.rank_experiments(load(first, second))
    ranked = table[table["rank"].notna()]
    assert len(ranked) == 12 and list(ranked["rank"]) == sorted(ranked["rank"])
    assert ranked["val_accuracy"].is_monotonic_decreasing and set(ranked["experiment"]) == {"first", "second"}
    assert list(table["stage"][table["rank"].isna()]) == ["baseline", "teacher"] * 2
    assert ranked.iloc[0]["configuration"].startswith("alpha 0.5, temperature ")
    single = {name: board.rank_experiments(load(folder)) for name, folder in (("first", first), ("second", second))}
    for name, lines in single.items():  # the joint order keeps that of each experiment
        own = ranked[ranked["experiment"] == name]["configuration"]
        assert list(own) == list(lines[lines["rank"].notna()]["configuration"])


def test_losses_are_ranked_from_the_lowest(synthetic, tmp_path):
    builder = synthetic.write_grid(tmp_path / "run", rest="search: {metric: val_loss}\n")
    ranked = board.rank_experiments(load(builder.done()))
    assert ranked["val_loss"][ranked["rank"].notna()].is_monotonic_increasing


def test_equal_means_share_a_rank(grid):
    ranked = board.rank_experiments(load(grid("one"), grid("two")))
    assert list(ranked["rank"][:4]) == [1, 1, 3, 3]


def test_ties_are_within_seed_noise(grid):
    """Temperatures differ by up to two points; the noise of a seed is a tenth of one."""
    table = board.rank_experiments(load(grid("one"), grid("two")))
    ranked = table[table["rank"].notna()]
    assert {text.split()[-1] for text in ranked["configuration"][ranked["tied"]]} == {"16"}
    assert ranked.loc[ranked["test_accuracy"].idxmax(), "tied"] and not ranked["tied"].all()
    is_baseline = table["stage"] == "baseline"
    assert not table["tied"][is_baseline].any() and table["tied"][is_baseline].notna().all()  # it is tested too
    assert table["tied"][table["stage"] == "teacher"].isna().all()


def test_noisier_seeds_tie_more(grid):
    folders = (grid("quiet", noise=0.0005), grid("loud", noise=0.02))
    quiet, loud = (board.rank_experiments(load(folder)) for folder in folders)
    assert loud["tied"].sum() > quiet["tied"].sum()


def test_with_one_seed_nothing_is_tied(grid, cells):
    folder = grid("one", seeds=(0,))
    assert board.rank_experiments(load(folder))["tied"].isna().all()
    assert "`=`" not in compare([folder])


def test_the_markdown_has_table_and_protocol(grid, cells):
    text = compare([grid("first"), grid("second")])
    heads, *lines = cells(text)
    assert heads == list(board.HEADS) and len(lines) == 12 + 4
    assert lines[0][:3] == ["1", "first", "explore"] and lines[0][6:8] == ["3", "4"]
    assert lines[0][5].startswith("= 9") and " ± " in lines[0][5] and not lines[11][5].startswith("=")
    for text_part in (
        "3,000 / 500 / 1,500 images",
        "split: stratified, seed 0.",
        "n = 3 seeds after 4 epochs",
        "torch 2.13.0",
    ):
        assert text_part in text
    assert "not done" not in text


def test_a_running_search_is_noted(grid, running):
    assert f"{running}: the search is not done." in compare([running, grid("done", seeds=(0, 1))])


def test_hidden_configurations_are_counted_and_in_the_csv(grid, cells, tmp_path):
    text = compare([grid("many", alphas=(0, *(round(0.05 * k, 2) for k in range(1, 13))))], csv=tmp_path / "all.csv")
    assert len(cells(text)) == 1 + board.SHOWN + 2 and "6 more configurations: write them all with --csv FILE." in text
    table = pandas.read_csv(tmp_path / "all.csv")
    assert len(table) == 36 + 2 and table["rank"].notna().sum() == 36
    assert {"experiment", "method.alpha", "method.temperature", "val_accuracy", "test_std", "tied"} <= set(
        table.columns
    )


def test_experiments_of_one_name_are_named_by_folder(full, single):
    runs = load(full, single)
    assert board.experiment_names(runs) == [str(full), str(single)]
    assert board.experiment_names(runs[:1]) == ["synthetic"]


def test_diagnoses_of_other_networks_are_dashes(grid, cells):
    folder = grid("first")
    for trial in students.read_students(folder)["trial"][lambda names: names.str.startswith("explore")]:
        *_, end = records.read_rows(folder, trial)
        records.append_row(folder, trial, end | {"diagnosis": {"oracle_accuracy": 0.5}})
    heads, *lines = cells(compare([folder, grid("second")]))
    assert heads[-1] == "oracle accuracy %" and {line[-1] for line in lines} == {"–", "50.00"}
