"""The journal agrees with the rows, and its file only grows."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import optuna
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import paths, rebuild, records, students
from results.experiment import load_experiment
from results.rebuild import rebuild_results
from results.trackers.optuna_journal import JournalTracker
from results.trackers.optuna_trials import STATES, knob_distributions
from results.verdict import experiment_verdict
from spaces import space

RANGES = """\
name: ranges
student: {model: {name: mlp, hidden: {choice: [[64], [256]]}}}
method: {name: hinton, alpha: {uniform: [0.2, 1]}, temperature: {loguniform: [1, 64]}}
train: {epochs: {int: [4, 9]}}
search: {algorithm: random, trials: 9}
"""


def study(folder: Path) -> optuna.Study:
    """Return the study of a journal, read by Optuna itself."""
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(paths.journal_file(folder)))
    )
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def write_journal(folder: Path) -> JournalTracker:
    """Write the journal of a folder."""
    journal = JournalTracker(folder, space.load_space(paths.space_file(folder)))
    journal.update_all(students.histories(folder))
    return journal


def trials(folder: Path) -> dict[str, tuple]:
    """Return each student's trial, without Optuna's own numbers and times."""
    stored = study(folder).trials
    by_student = {
        trial.user_attrs["student"]: (
            *(trial.state, trial.values, trial.params, trial.intermediate_values),
            trial.user_attrs,
        )
        for trial in stored
    }
    assert len(by_student) == len(stored)
    return by_student


def test_the_best_trial_is_a_distilled_student_even_below_a_baseline(empty):
    built = empty()
    built.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0)
    trial = built.student("baseline", {}, 0)
    built.epoch(trial, 5, 0.999)
    built.row(trial, kind="end", status="finished", reason=None, test_accuracy=0.999)
    write_journal(built.folder)
    assert study(built.folder).best_trial.user_attrs["stage"] == "explore"


def test_trials_agree_with_the_student_table(broken):
    write_journal(broken)
    rows, stored = load_experiment(broken).students.set_index("trial"), trials(broken)
    assert set(stored) == set(rows.index) and set(rows["status"]) == {"finished", "diverged", "failed", "stopped"}
    for trial, (state, values, params, reached, attributes) in stored.items():
        row = rows.loc[trial]
        is_baseline = row["stage"] == "baseline"  # pruned, so that the best trial is distilled
        assert state == STATES["stopped" if is_baseline and row["status"] == "finished" else row["status"]]
        assert attributes["status"] == row["status"]
        assert values == ([row["val_accuracy"]] if row["status"] == "finished" and not is_baseline else None)
        assert params == {name: row[name] for name in students.knob_columns(rows) if not pandas.isna(row[name])}
        assert len(reached) == row["epochs"] and list(reached.values())[-1:] == [row["val_accuracy"]] * (
            len(reached) > 0
        )
        assert [attributes[name] for name in ("stage", "seed")] == [row["stage"], row["seed"]]
    assert stored["explore-0001"][-1]["label"] == "alpha 0.5, temperature 1"
    assert study(broken).direction.name == "MAXIMIZE" and study(broken).metric_names == ["val_accuracy"]


def test_a_loss_is_minimized(empty):
    built = empty("search: {metric: val_loss}\n")
    built.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0)
    write_journal(built.folder)
    (trial,) = study(built.folder).trials
    assert study(built.folder).direction.name == "MINIMIZE"
    assert trial.value == load_experiment(built.folder).students["val_loss"].item()


def test_a_second_update_changes_no_byte(broken):
    write_journal(broken)
    before = paths.journal_file(broken).read_bytes()
    write_journal(broken)
    assert paths.journal_file(broken).read_bytes() == before


def test_rebuilding_writes_the_journal_of_a_finished_search_only(single):
    rebuild_results(single)
    assert len(trials(single)) == 7
    environment = records.read_environment(single)
    records.save_environment(single, {name: environment[name] for name in environment if name != "wall_seconds"})
    paths.journal_file(single).unlink()
    rebuild_results(single)  # a running search writes its journal itself
    assert not paths.journal_file(single).exists()


VALUES = [{"method.alpha": 0.5, "method.temperature": t} for t in (1, 4)]
EVENTS = ["epoch", "finished", "failed", "retried", "update", "all", "open"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from(EVENTS)), max_size=14))
def test_any_order_of_events_gives_the_same_journal(synthetic, events):
    """The journal is the one written from the final rows alone."""
    with tempfile.TemporaryDirectory() as room:
        built = synthetic.Build(Path(room) / "run", synthetic.space())
        names = [built.student("explore", values, 0, end=None, epochs=1) for values in VALUES]
        journal, clock = write_journal(built.folder), itertools.count(2)
        for index, event in events:
            before = paths.journal_file(built.folder).read_bytes()
            match event:
                case "epoch":
                    built.row(names[index], kind="epoch", epoch=next(clock), val_accuracy=0.9, val_loss=0.1)
                case "finished" | "failed":
                    built.row(names[index], kind="end", status=event, reason=None, test_accuracy=0.9)
                case "retried":
                    built.row(names[index], **records.read_rows(built.folder, names[index])[0])
                case "update":
                    journal.update(students.history(built.folder, names[index]))
                case _:
                    journal = write_journal(built.folder) if event == "open" else journal
                    journal.update_all(students.histories(built.folder))
            assert paths.journal_file(built.folder).read_bytes().startswith(before)  # it only grew
        journal.update_all(students.histories(built.folder))
        grown = trials(built.folder)
        paths.journal_file(built.folder).unlink()
        write_journal(built.folder)
        assert grown == trials(built.folder)


def test_a_retried_student_is_two_trials_until_all_are_written(empty):
    built = empty()
    trial = built.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0, end="failed", epochs=1)
    journal = write_journal(built.folder)
    built.row(trial, **records.read_rows(built.folder, trial)[0])
    journal.update(students.history(built.folder, trial))
    assert [trial.state.name for trial in study(built.folder).trials] == ["FAIL", "RUNNING"]
    write_journal(built.folder)
    assert [trial.state.name for trial in study(built.folder).trials] == ["RUNNING"]


def test_a_journal_of_two_writers_is_repaired(single):
    searched, (first, *_) = space.load_space(paths.space_file(single)), students.histories(single)
    for journal in [JournalTracker(single, searched), JournalTracker(single, searched)]:
        journal.update(first)
    assert len(study(single).trials) == 2
    write_journal(single)
    assert len(trials(single)) == 7


def test_repeated_epochs_replace_earlier_ones(empty):
    built = empty()
    running = built.student("explore", VALUES[0], 0, end=None, epochs=3)
    write_journal(built.folder)
    built.row(running, kind="epoch", epoch=1, val_accuracy=0.9, val_loss=0.1)  # trained again from the beginning
    write_journal(built.folder)
    assert trials(built.folder)[running][3] == {1: 0.9}


def test_a_changed_final_row_is_replaced(empty):
    built = empty()
    ended = built.student("explore", VALUES[0], 0)
    write_journal(built.folder)
    *_, end = records.read_rows(built.folder, ended)
    built.row(ended, **end | {"test_accuracy": 0.123})
    write_journal(built.folder)
    assert trials(built.folder)[ended][4]["test_accuracy"] == 0.123


def test_a_value_outside_the_domain_is_left_out(empty):
    built = empty()
    built.student("explore", {"method.alpha": 0.3, "method.temperature": 4}, 0)
    write_journal(built.folder)
    assert study(built.folder).trials[0].params == {"method.temperature": 4}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: content[:500] + b"\n" + content[500:],
        lambda content: b'{"op_code": 4}\n',
    ],
    ids=["cut off", "broken in two", "of another kind"],
)
def test_a_damaged_journal_is_written_again(broken, damage):
    write_journal(broken)
    path, before = paths.journal_file(broken), trials(broken)
    path.write_bytes(damage(path.read_bytes()))
    write_journal(broken)
    assert trials(broken) == before


def test_an_extended_space_gets_a_new_study(tmp_path, synthetic):
    built = synthetic.write_grid(tmp_path / "run", seeds=(0,))
    write_journal(built.folder)
    records.write_file(paths.space_file(built.folder), synthetic.space(temperatures=(1, 4, 16, 64)))
    built.student("explore", {"method.alpha": 0.5, "method.temperature": 64}, 0)
    write_journal(built.folder)
    stored = study(built.folder).trials
    assert len(stored) == 8
    assert {trial.distributions.get("method.temperature") for trial in stored[1:]} == {
        optuna.distributions.CategoricalDistribution([1, 4, 16, 64])
    }


def test_ranges_include_the_baseline(tmp_path, synthetic):
    built = synthetic.Build(tmp_path / "run", RANGES)
    values = {"student.model.hidden": "[256]", "train.epochs": 5}
    built.student("baseline", values, 0)
    built.student("explore", values | {"method.alpha": 0.5, "method.temperature": 4.5}, 0)
    write_journal(built.folder)
    distributions = knob_distributions(space.load_space(paths.space_file(built.folder)), ["method.alpha"])
    assert {name: knob.distribution for name, knob in distributions.items()} == {
        "student.model.hidden": optuna.distributions.CategoricalDistribution(["[64]", "[256]"]),
        "method.alpha": optuna.distributions.FloatDistribution(0, 1),
        "method.temperature": optuna.distributions.FloatDistribution(1, 64, log=True),
        "train.epochs": optuna.distributions.IntDistribution(4, 9),
    }
    baseline, explored = (params for _, _, params, *_ in trials(built.folder).values())
    assert baseline == values | {"method.alpha": 0}
    assert explored == values | {"method.alpha": 0.5, "method.temperature": 4.5}


def test_a_knob_with_choice_and_range_is_left_out(tmp_path):
    options = "[{name: hinton, alpha: {choice: [0.5, 1]}}, {name: hinton, alpha: {uniform: [0, 1]}}]"
    text = f"method: {{choice: {options}}}\nsearch: {{algorithm: random, trials: 2}}\n"
    (tmp_path / "mixed.yaml").write_text(text)
    assert set(knob_distributions(space.load_space(tmp_path / "mixed.yaml"))) == {"method"}


def test_a_long_choice_of_numbers_is_written_as_a_range(tmp_path):
    """Every trial repeats its distributions: n students of a choice of n values would write n² of them."""
    numbers = ", ".join(map(str, range(30)))
    knobs = f"a: {{choice: [{numbers}, 0.5]}}, b: {{choice: [{numbers}]}}, c: {{choice: [{numbers}, x]}}"
    (tmp_path / "long.yaml").write_text(f"method: {{name: own, {knobs}}}\n")
    written = knob_distributions(space.load_space(tmp_path / "long.yaml"))
    assert written["method.a"].distribution == optuna.distributions.FloatDistribution(0, 29)
    assert written["method.b"].distribution == optuna.distributions.IntDistribution(0, 29)
    assert len(written["method.c"].labels or ()) == 31


@pytest.mark.parametrize(("weights", "distribution"), [([], (1, 64, True)), (["method.k"], (0, 64, False))])
def test_logarithmic_integers(tmp_path, weights, distribution):
    text = "method: {name: own, k: {int: [1, 64], log: true}}\nsearch: {algorithm: random, trials: 2}\n"
    (tmp_path / "log.yaml").write_text(text)
    (knob,) = knob_distributions(space.load_space(tmp_path / "log.yaml"), weights).values()
    low, high, log = distribution
    assert knob.distribution == optuna.distributions.IntDistribution(low, high, log=log)


def test_the_best_trial_is_a_distilled_student_and_the_note_has_the_verdict(build):
    built = build()
    values = {"kind": "epoch", "epoch": 5, "val_accuracy": 0.999, "val_loss": 0.1, "time": 1.8e9}
    records.append_row(built.folder, "baseline-0000", values)
    records.append_row(built.folder, "baseline-0000", {"kind": "end", "status": "finished", "time": 1.8e9})
    experiment = load_experiment(built.done())
    for _ in range(2):
        rebuild._write_journal(experiment)
    assert study(built.folder).best_trial.user_attrs["stage"] == "explore"
    journal = study(built.folder)
    note = journal._storage.get_study_system_attrs(journal._study_id)
    assert note["dashboard:note_ver"] == 1
    assert note["dashboard:note_str:0"].startswith(experiment_verdict(experiment).sentence)
