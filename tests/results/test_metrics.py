"""Every metric of the table reaches every output, for students and for teachers."""

from __future__ import annotations

import io

import optuna
import pandas
import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from results import paths, records
from results.experiment import Experiment, load_experiment
from results.export.chosen_students import ChosenStudent
from results.export.model_card import CardData, student_card
from results.leaderboard import build_leaderboard
from results.markdown import leaderboard_page
from results.number_columns import MAIN_METRICS, OPTIONAL_NUMBERS, OTHER_HEADS, format_number, number_head
from results.rebuild import rebuild_results
from results.report.page import report_data
from results.students import EPOCH_COLUMNS, STUDENT_COLUMNS, read_epochs
from results.terminal import print_results
from results.trackers.mlflow import EPOCH_METRICS, FINAL_METRICS
from spaces.metrics import METRIC_FIELDS, TEST_FIELDS, VAL_FIELDS
from spaces.recipe import Recipe

# a different number for each field, and others for the teacher
STUDENT = {name: 0.31 + index / 100 for index, name in enumerate(METRIC_FIELDS)}
TEACHER = {name: 0.61 + index / 100 for index, name in enumerate(METRIC_FIELDS)}
TWO_CLASSES = {"classes": ["HP", "SSA"], "imbalance": 2.45}  # for which all metrics are shown


@pytest.fixture(scope="module")
def experiment(synthetic, tmp_path_factory) -> Experiment:
    """One student and its teacher, with all metrics; only to be read."""
    build = synthetic.Build(tmp_path_factory.mktemp("metrics") / "run", synthetic.space())
    trial = build.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0, end=None, epochs=0)
    val = {name: STUDENT[name] for name in VAL_FIELDS}
    test = {name: STUDENT[name] for name in TEST_FIELDS}
    build.row(trial, kind="epoch", epoch=1, train_loss=0.5, **val, lr=0.001, seconds=1.5)
    build.row(trial, kind="end", status="finished", reason=None, **test, agreement=0.9)
    (teacher,) = records.read_teachers(build.folder).values()
    records.save_teacher(build.folder, teacher | TEACHER)
    build.done()
    environment = records.read_environment(build.folder)
    records.save_environment(build.folder, {**environment, "data": environment["data"] | TWO_CLASSES})
    return rebuild_results(build.folder)


@pytest.mark.parametrize("name", METRIC_FIELDS)
def test_a_metric_is_in_both_csv_files(experiment, name):
    students = pandas.read_csv(paths.students_file(experiment.folder))
    assert students[name].tolist() == [STUDENT[name]] and name in STUDENT_COLUMNS
    lines = pandas.read_csv(paths.leaderboard_file(experiment.folder, "csv")).set_index("stage")[name]
    assert (lines["explore"], lines["teacher"]) == (STUDENT[name], TEACHER[name])


@pytest.mark.parametrize("name", METRIC_FIELDS)
def test_a_metric_is_in_the_markdown_leaderboard_and_the_report(experiment, name):
    head, texts = number_head(name), [format_number(name, numbers[name]) for numbers in (STUDENT, TEACHER)]
    page = leaderboard_page(experiment)
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("|")]
    assert [row[rows[0].index(head)] for row in rows[2:]] == texts
    board = report_data(experiment).leaderboard
    column = [title for title, _ in board.heads].index(head)
    assert [row.cells[column].text for row in board.rows] == texts
    assert [row.cells[column].value for row in board.rows] == [STUDENT[name], TEACHER[name]]
    assert board.heads[column][1] == (METRIC_FIELDS[name].metric.direction == "max")
    assert f">{head}<" in paths.report_file(experiment.folder).read_text()


@pytest.mark.parametrize("name", METRIC_FIELDS)
def test_a_metric_is_on_the_card(experiment, name):
    recipe = Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [4]}}})
    row = experiment.students.iloc[0]
    card = student_card(
        experiment,
        CardData(ChosenStudent("t", "the best"), recipe, row, (1, 8, 8), torch.uint8, ["HP", "SSA"], [], [], [], {}),
    )
    assert f"| {number_head(name)} |" in card and f" {format_number(name, STUDENT[name])} |" in card


@pytest.mark.parametrize("name", METRIC_FIELDS)
def test_a_metric_is_in_tensorboard(experiment, name):
    (run,) = paths.tensorboard_folder(experiment.folder).glob("*seed*")
    events = EventAccumulator(str(run))
    events.Reload()
    assert [event.value for event in events.Scalars(METRIC_FIELDS[name].tag)] == [pytest.approx(STUDENT[name])]


@pytest.mark.parametrize("name", METRIC_FIELDS)
def test_a_metric_is_in_the_journal(experiment, name):
    file = optuna.storages.journal.JournalFileBackend(str(paths.journal_file(experiment.folder)))
    storage = optuna.storages.JournalStorage(file)
    (trial,) = optuna.load_study(study_name=experiment.space.name, storage=storage).trials
    assert trial.user_attrs[name] == STUDENT[name]


def test_mlflow_and_epochs_have_all_metrics(experiment):
    """tests/results/trackers/test_mlflow.py reads them back from a store."""
    assert set(METRIC_FIELDS) <= {*EPOCH_METRICS, *FINAL_METRICS}
    assert set(VAL_FIELDS) <= set(EPOCH_COLUMNS)
    assert read_epochs(experiment.folder).iloc[0][list(VAL_FIELDS)].to_dict() == {
        name: STUDENT[name] for name in VAL_FIELDS
    }


@pytest.mark.parametrize("name", [name for name, field in VAL_FIELDS.items() if field.metric.searchable])
def test_a_searched_metric_ranks_in_its_direction(empty, name):
    build = empty(f"search: {{metric: {name}}}\n")
    for seed, value in enumerate((0.2, 0.8)):
        temperature = (1, 4)[seed]
        trial = build.student("explore", {"method.alpha": 0.5, "method.temperature": temperature}, 0, None, 0)
        build.row(trial, kind="epoch", epoch=1, **{**dict.fromkeys(VAL_FIELDS, 0.5), name: value})
        build.row(trial, kind="end", status="finished", reason=None, test_accuracy=0.5)
    experiment = load_experiment(build.done())
    best = max if VAL_FIELDS[name].metric.direction == "max" else min
    assert build_leaderboard(experiment.students, name)[name].iloc[0] == best(0.2, 0.8)


def test_a_narrow_terminal_keeps_the_searched_metric(empty):
    build = empty("search: {metric: val_brier}\n")
    trial = build.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 0, None, 0)
    build.row(trial, kind="epoch", epoch=1, **STUDENT)
    build.row(trial, kind="end", status="finished", reason=None, **STUDENT)
    kept, file = {*MAIN_METRICS, "val_brier"}, io.StringIO()
    width = 45 + sum(len(number_head(name)) + 3 for name in kept)  # with space for half of the other columns
    print_results(load_experiment(build.done()), Console(file=file, width=width))
    assert all(number_head(name) in file.getvalue() for name in kept)
    assert not any(number_head(name) in file.getvalue() for name in {*OPTIONAL_NUMBERS} - kept)


def test_rows_of_earlier_versions_show_no_empty_metric(full):
    experiment = load_experiment(full)
    assert experiment.students["val_brier"].isna().all()
    page = leaderboard_page(experiment)
    assert "Brier" not in page and "ECE" not in page and "| validation NLL |" in page
    unasked = ("reason", "over_plain")  # nothing failed, no methods are compared
    heads = [head for name, head in OTHER_HEADS.items() if name not in unasked]
    assert all(f"| {head} |" in page for head in heads) and "| reason |" not in page
