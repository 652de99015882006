"""One run of a valid space with its data: networks, plan, training."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from rich.console import Console

from results import records
from results.console import print_plain
from results.remote.uri import clean_uri, is_uri
from search.cluster.survey import ClusterSurvey, survey_cluster
from search.command_line import RunOptions, resume_command
from search.driver import RunSettings, train_and_report
from search.folder import move_aside, refuse_changes
from search.identity import experiment_identity
from search.plan.check import check_networks, check_resources
from search.plan.estimate import IMPORT_SECONDS
from search.plan.printing import print_plan
from search.plan.smoke_images import smoke_test_sizes
from search.students.candidates import grid_students
from search.transfer import transferred_students
from spaces.space import Space
from trainables.data import Dataset
from trainables.device import device_for_gpus, fastest_precision
from trainables.plugin import PluginFiles
from trainables.weights.initial import ensure_published_weights


def check_or_train(
    space: Space,
    data: Dataset,
    folder: Path,
    options: RunOptions,
    plugins: PluginFiles,
    import_seconds: float | None,
    console: Console,
) -> int:
    """Check networks and folder, print the plan, train.

    Returns the exit code; with --check nothing is trained. `import_seconds` is the CPU time in which this machine
    imported torch and Ray, from which the start-up is estimated; None if unknown. Raises UserError for what the user
    can correct, and MissingWeightsError for missing published weights.
    """
    data = fit_networks(space, data, options)
    arguments = (space, data, options, plugins, import_seconds, console)
    if options.out is None or not is_uri(options.out):
        if options.fresh and not options.check and (aside := move_aside(folder)):
            print_plain(console, f"Old folder moved to {aside}")
        return _plan_and_train(*arguments, folder, str(folder))
    from results.remote.experiment_copy import update_copy  # here and below: pyarrow takes time to import
    from results.remote.folder import RemoteFolder
    from search.mirror.session import mirrored

    remote = RemoteFolder(clean_uri(options.out))
    if options.check:
        return _plan_and_train(*arguments, update_copy(remote), remote.uri)
    place = f"{remote.uri}, mirrored from {folder}"
    with mirrored(remote, folder, options.fresh, lambda line: print_plain(console, line)) as teachers:
        return _plan_and_train(*arguments, folder, place, teachers)


def _plan_and_train(
    space: Space,
    data: Dataset,
    options: RunOptions,
    plugins: PluginFiles,
    import_seconds: float | None,
    console: Console,
    folder: Path,
    place: str,
    mirrored_teachers: set[str] | None = None,
) -> int:
    """Print the plan of an experiment in a folder, and train.

    `place` describes the folder. Returns the exit code.
    """
    survey = None
    if options.address is not None:
        survey = survey_cluster(space, data, options.address, options.insecure_cluster)
    space, precision = _resolve_hardware(space, folder, survey)
    identity = experiment_identity(space, data, plugins)
    if not options.fresh:
        refuse_changes(space, identity, folder)
    transferred = transferred_students(space, identity, folder)
    if options.address is None:
        check_resources(space, _local_nodes())
    grid = grid_students(space, data)
    seconds = import_seconds or IMPORT_SECONDS
    in_full = options.check
    plan = print_plan(space, data, grid, place, console, in_full=in_full, import_seconds=seconds, survey=survey)
    if options.check:
        return 0
    settings = RunSettings(
        *(space, data, grid, folder, plugins, options.address, precision),
        *(resume_command(options), identity),
        insecure_cluster=options.insecure_cluster,
        plan=plan,
        transferred=transferred,
        mirrored_teachers=mirrored_teachers,
    )
    return train_and_report(settings, console)


def fit_networks(space: Space, data: Dataset, options: RunOptions) -> Dataset:
    """Check networks and published weights.

    Returns the data, in a smoke test few images of it.
    """
    check_networks(space, data)
    if options.smoke_test:
        data = data.take(*smoke_test_sizes(space, data))
    for values in space.probes():
        ensure_published_weights(space.fill(values, space.seeds[0]), data, download=options.download)
    return data


def _resolve_hardware(space: Space, folder: Path, survey: ClusterSurvey | None) -> tuple[Space, str]:
    """Fill in GPUs and precision of a space.

    Return the space and the precision that replaces auto. An experiment keeps the precision of its first run, on any
    machine.
    """
    fitted = survey.space if survey else space.with_gpus(_local_nodes())
    recorded = records.read_environment(folder).get("auto_precision")
    present = survey.precision if survey else fastest_precision(device_for_gpus(fitted.resources.gpus))
    return fitted.with_precision(recorded or present), recorded or present


def _local_nodes() -> list[tuple[float, float]]:
    """Return CPUs and GPUs of this machine, as one node."""
    return [(os.cpu_count() or 1, torch.cuda.device_count())]
