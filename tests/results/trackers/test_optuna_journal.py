"""The journal says what the rows say, however it came about, and only ever grows."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import optuna
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results import experiment as experiments
from results import records, students
from results.rebuild import rebuild
from results.trackers.optuna_journal import Journal
from results.trackers.optuna_trials import STATES, knobs
from spaces import space

RANGES = """\
name: ranges
student: {model: {name: mlp, hidden: {choice: [[64], [256]]}}}
method: {name: hinton, alpha: {uniform: [0.2, 1]}, temperature: {loguniform: [1, 64]}}
train: {epochs: {int: [4, 9]}}
search: {algorithm: random, trials: 9}
"""


def study(folder: Path) -> optuna.Study:
    """The one study of a journal, read by Optuna itself."""
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(records.journal_file(folder)))
    )
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def told(folder: Path) -> Journal:
    """The journal of a folder, told of all its students."""
    journal = Journal(folder, space.load(records.space_file(folder)))
    journal.tell_all(students.histories(folder))
    return journal


def trials(folder: Path) -> dict[str, tuple]:
    """What the journal says of each student; Optuna's own numbers and times aside."""
    found = study(folder).trials
    said = {
        each.user_attrs["student"]: (each.state, each.values, each.params, each.intermediate_values, each.user_attrs)
        for each in found
    }
    assert len(said) == len(found)
    return said


def test_every_student_is_what_it_is_in_the_table(broken):
    told(broken)
    rows, said = experiments.load(broken).students.set_index("trial"), trials(broken)
    assert set(said) == set(rows.index) and set(rows["status"]) == {"finished", "diverged", "failed", "stopped"}
    for trial, (state, values, params, reached, attributes) in said.items():
        row = rows.loc[trial]
        assert state == STATES[row["status"]] and attributes["status"] == row["status"]
        assert values == ([row["val_accuracy"]] if row["status"] == "finished" else None)
        assert params == {name: row[name] for name in students.knobs(rows) if not pandas.isna(row[name])}
        assert len(reached) == row["epochs"] and list(reached.values())[-1:] == [row["val_accuracy"]] * (
            len(reached) > 0
        )
        assert [attributes[name] for name in ("stage", "seed")] == [row["stage"], row["seed"]]
    assert said["explore-0001"][-1]["label"] == "alpha 0.5, temperature 1"
    assert study(broken).direction.name == "MAXIMIZE" and study(broken).metric_names == ["val_accuracy"]


def test_a_search_for_the_lowest_loss_is_minimised(empty):
    made = empty("search: {metric: val_loss}\n")
    made.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0)
    told(made.folder)
    (trial,) = study(made.folder).trials
    assert study(made.folder).direction.name == "MINIMIZE"
    assert trial.value == experiments.load(made.folder).students["val_loss"].item()


def test_told_again_it_stays_byte_for_byte(broken):
    told(broken)
    before = records.journal_file(broken).read_bytes()
    told(broken)
    assert records.journal_file(broken).read_bytes() == before


def test_results_are_rebuilt_with_the_journal_of_a_search_that_is_done(single):
    rebuild(single)
    assert len(trials(single)) == 7
    about = records.environment(single)
    records.save_environment(single, {name: about[name] for name in about if name != "wall_seconds"})
    records.journal_file(single).unlink()
    rebuild(single)  # now its journal is the search's own
    assert not records.journal_file(single).exists()


VALUES = [{"method.alpha": 0.5, "method.temperature": t} for t in (1, 4)]
EVENTS = ["epoch", "finished", "failed", "again", "tell", "all", "open"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from(EVENTS)), max_size=14))
def test_however_it_came_about_it_says_the_same(synthetic, events):
    """Whatever was written and told in whatever order: in the end it is the journal of one who saw only the end."""
    with tempfile.TemporaryDirectory() as room:
        made = synthetic.Build(Path(room) / "run", synthetic.space())
        names = [made.student("explore", values, 0, end=None, epochs=1) for values in VALUES]
        journal, clock = told(made.folder), itertools.count(2)
        for who, event in events:
            before = records.journal_file(made.folder).read_bytes()
            match event:
                case "epoch":
                    made.row(names[who], kind="epoch", epoch=next(clock), val_accuracy=0.9, val_loss=0.1)
                case "finished" | "failed":
                    made.row(names[who], kind="end", status=event, reason=None, test_accuracy=0.9)
                case "again":
                    made.row(names[who], **records.rows(made.folder, names[who])[0])
                case "tell":
                    journal.tell(students.history(made.folder, names[who]))
                case _:
                    journal = told(made.folder) if event == "open" else journal
                    journal.tell_all(students.histories(made.folder))
            assert records.journal_file(made.folder).read_bytes().startswith(before)  # it only grew
        journal.tell_all(students.histories(made.folder))
        grown = trials(made.folder)
        records.journal_file(made.folder).unlink()
        told(made.folder)
        assert grown == trials(made.folder)


def test_one_that_failed_and_is_tried_again_is_two_until_all_are_told(empty):
    made = empty()
    trial = made.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0, end="failed", epochs=1)
    journal = told(made.folder)
    made.row(trial, **records.rows(made.folder, trial)[0])
    journal.tell(students.history(made.folder, trial))
    assert [each.state.name for each in study(made.folder).trials] == ["FAIL", "RUNNING"]
    told(made.folder)
    assert [each.state.name for each in study(made.folder).trials] == ["RUNNING"]


def test_two_that_wrote_at_once_are_put_right_by_the_next(single):
    searched, (first, *_) = space.load(records.space_file(single)), students.histories(single)
    for journal in [Journal(single, searched), Journal(single, searched)]:
        journal.tell(first)
    assert len(study(single).trials) == 2
    told(single)
    assert len(trials(single)) == 7


def test_epochs_that_are_void_are_not_kept(empty):
    made = empty()
    running = made.student("explore", VALUES[0], 0, end=None, epochs=3)
    told(made.folder)
    made.row(running, kind="epoch", epoch=1, val_accuracy=0.9, val_loss=0.1)  # trained again from the beginning
    told(made.folder)
    assert trials(made.folder)[running][3] == {1: 0.9}


def test_an_end_that_changed_is_not_kept(empty):
    made = empty()
    ended = made.student("explore", VALUES[0], 0)
    told(made.folder)
    *_, end = records.rows(made.folder, ended)
    made.row(ended, **end | {"test_accuracy": 0.123})
    told(made.folder)
    assert trials(made.folder)[ended][4]["test_accuracy"] == 0.123


def test_a_value_that_is_not_of_the_space_is_left_out(empty):
    made = empty()
    made.student("explore", {"method.alpha": 0.3, "method.temperature": 4}, 0)
    told(made.folder)
    assert study(made.folder).trials[0].params == {"method.temperature": 4}


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:-20], lambda whole: whole[:500] + b"\n" + whole[500:], lambda whole: b'{"op_code": 4}\n'],
    ids=["cut off", "broken in two", "of another kind"],
)
def test_a_damaged_journal_is_begun_anew(broken, damage):
    told(broken)
    path, whole = records.journal_file(broken), trials(broken)
    path.write_bytes(damage(path.read_bytes()))
    told(broken)
    assert trials(broken) == whole


def test_an_extended_space_begins_a_new_study(tmp_path, synthetic):
    made = synthetic.write_grid(tmp_path / "run", seeds=(0,))
    told(made.folder)
    records.replace(records.space_file(made.folder), synthetic.space(temperatures=(1, 4, 16, 64)))
    made.student("explore", {"method.alpha": 0.5, "method.temperature": 64}, 0)
    told(made.folder)
    found = study(made.folder).trials
    assert len(found) == 8
    assert {each.distributions.get("method.temperature") for each in found[1:]} == {
        optuna.distributions.CategoricalDistribution([1, 4, 16, 64])
    }


def test_ranges_are_ranges_and_hold_the_baseline(tmp_path, synthetic):
    made = synthetic.Build(tmp_path / "run", RANGES)
    values = {"student.model.hidden": "[256]", "train.epochs": 5}
    made.student("baseline", values, 0)
    made.student("explore", values | {"method.alpha": 0.5, "method.temperature": 4.5}, 0)
    told(made.folder)
    found = knobs(space.load(records.space_file(made.folder)))
    assert {name: knob.distribution for name, knob in found.items()} == {
        "student.model.hidden": optuna.distributions.CategoricalDistribution(["[64]", "[256]"]),
        "method.alpha": optuna.distributions.FloatDistribution(0, 1),
        "method.temperature": optuna.distributions.FloatDistribution(1, 64, log=True),
        "train.epochs": optuna.distributions.IntDistribution(4, 9),
    }
    baseline, explored = (params for _, _, params, *_ in trials(made.folder).values())
    assert baseline == values | {"method.alpha": 0}
    assert explored == values | {"method.alpha": 0.5, "method.temperature": 4.5}


def test_a_knob_that_is_a_choice_here_and_a_range_there_is_left_out(tmp_path):
    options = "[{name: hinton, alpha: {choice: [0.5, 1]}}, {name: hinton, alpha: {uniform: [0, 1]}}]"
    text = f"method: {{choice: {options}}}\nsearch: {{algorithm: random, trials: 2}}\n"
    (tmp_path / "mixed.yaml").write_text(text)
    assert set(knobs(space.load(tmp_path / "mixed.yaml"))) == {"method"}
