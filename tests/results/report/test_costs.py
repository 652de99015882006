from __future__ import annotations

import dataclasses

from results import records
from results.experiment import load_experiment
from results.report.costs import experiment_costs, failures


def test_costs_by_stage_and_in_total(confirmed):
    costs = experiment_costs(load_experiment(confirmed))
    stages = {stage.name: stage for stage in costs.stages}
    assert (stages["explore"].students, stages["explore"].statuses) == (9, "6 finished, 3 stopped")
    assert stages["explore"].epochs == 6 * 4 + 1 + 1 + 1 and stages["explore"].seconds == 1.5 * 27
    assert (stages["teacher"].statuses, stages["teacher"].epochs) == ("1 trained", 4)
    assert stages["total"].epochs == sum(stage.epochs for stage in costs.stages[:-1]) and costs.wall == "2 min 3 s"


def test_a_cached_teacher_costs_nothing(build):
    builder = build()
    teacher = {**next(iter(records.read_teachers(builder.folder).values())), "cached": True}
    records.save_teacher(builder.folder, teacher)
    stages = {stage.name: stage for stage in experiment_costs(load_experiment(builder.folder)).stages}
    assert stages["teacher"][2:] == ("0 trained, 1 from the cache", 0, 0.0)


def test_gpu_hours_are_hours_times_gpus_per_student(confirmed):
    experiment = load_experiment(confirmed)
    assert experiment_costs(experiment).gpu_hours == "GPU-hours: none, students were trained on CPUs"
    quarter = experiment.space.resources.model_copy(update={"gpus": 0.25})
    shared = experiment._replace(space=dataclasses.replace(experiment.space, resources=quarter))
    hours = experiment_costs(shared).stages[-1].seconds / 3600
    assert experiment_costs(shared).gpu_hours == f"GPU-hours: {hours / 4:.3f}, at 0.25 GPU per training"


def test_failures_with_their_reasons(broken, full):
    rows = failures(load_experiment(broken))
    assert [(row.status, row.configuration, row.epochs, row.reason) for row in rows] == [
        ("diverged", "alpha 0.5, temperature 1", 2, "made up"),
        ("failed", "alpha 0.5, temperature 4", 0, "made up"),
    ]
    assert failures(load_experiment(full)) == []
