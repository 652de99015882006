from __future__ import annotations

import dataclasses

from results import experiment as experiments
from results import records
from results.report.spent import failures, spent


def test_costs_by_stage_and_together(confirmed):
    found = spent(experiments.load(confirmed))
    stages = {stage.name: stage for stage in found.stages}
    assert (stages["explore"].students, stages["explore"].statuses) == (9, "6 finished, 3 stopped")
    assert stages["explore"].epochs == 6 * 4 + 1 + 1 + 1 and stages["explore"].seconds == 1.5 * 27
    assert (stages["teacher"].statuses, stages["teacher"].epochs) == ("1 taught", 4)
    assert stages["together"].epochs == sum(stage.epochs for stage in found.stages[:-1]) and found.wall == "2 min 3 s"


def test_a_cached_teacher_cost_nothing(build):
    made = build()
    teacher = {**next(iter(records.teachers(made.folder).values())), "cached": True}
    records.save_teacher(made.folder, teacher)
    found = {stage.name: stage for stage in spent(experiments.load(made.folder)).stages}
    assert found["teacher"][2:] == ("0 taught, 1 from the cache", 0, 0.0)


def test_gpu_hours_are_hours_for_the_share_that_a_student_has(confirmed):
    experiment = experiments.load(confirmed)
    assert spent(experiment).gpus == "GPU-hours: none, students had processors alone"
    quarter = experiment.space.resources.model_copy(update={"gpus": 0.25})
    shared = experiment._replace(space=dataclasses.replace(experiment.space, resources=quarter))
    hours = spent(shared).stages[-1].seconds / 3600
    assert spent(shared).gpus == f"GPU-hours: {hours / 4:.3f}, at 0.25 GPU for each training"


def test_failures_with_their_reasons(broken, full):
    found = failures(experiments.load(broken))
    assert [(lost.status, lost.configuration, lost.epochs, lost.reason) for lost in found] == [
        ("diverged", "alpha 0.5, temperature 1", 2, "made up"),
        ("failed", "alpha 0.5, temperature 4", 0, "made up"),
    ]
    assert failures(experiments.load(full)) == []
