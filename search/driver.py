"""Driver process: train all students on Ray, then write the results."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from results import paths, records
from results.console import print_plain
from results.experiment import Experiment
from results.students import History
from results.terminal import print_results
from results.trackers import start_trackers
from search import engine
from search.algorithms.modes import METRIC_MODES
from search.cluster.connect import connected_to_ray
from search.cluster.folder_actor import cluster_folders, local_folders
from search.cluster.nodes import TrainingNodes
from search.cluster.restart_plan import RayLostError, RestartPlan, restart_plan
from search.cluster.signals import INTERRUPTED_EXIT_CODE, signals_ignored
from search.cluster.supervisor import LOST_EXIT_CODE
from search.cluster.survey import node_records
from search.cluster.worker_setup import cluster_setup, local_setup
from search.environment import RunRecord, environment_record
from search.folder import locked_folder
from search.identity import record_identity
from search.plan.check import check_resources
from search.plan.estimate import Plan
from search.repair import repair_folder
from search.students.spec import StudentSpec
from search.transfer import record_transfer
from search.trials.progress_display import ProgressDisplay
from search.trials.tuner import SearchContext
from search.trials.worker_pool import WorkerPool
from spaces import disk
from spaces.errors import UserError
from spaces.space import Space
from trainables.data import Dataset
from trainables.plugin import PluginFiles

FAILED_EXIT_CODE = 3


class RunSettings(NamedTuple):
    """One run of an experiment."""

    space: Space
    data: Dataset
    grid: Sequence[StudentSpec]  # students of a grid search; empty for other algorithms
    folder: Path
    plugins: PluginFiles
    address: str | None  # of a Ray cluster; None: a private Ray on this machine
    precision: str  # where the space says auto
    resume_command: str
    identity: dict[str, Any]  # see search/identity.py
    insecure_cluster: bool = False
    plan: Plan | None = None  # students and time, as estimated
    transferred: Sequence[History] = ()  # students of earlier experiments
    mirrored_teachers: set[str] | None = None  # see SearchContext


def train_and_report(settings: RunSettings, console: Console) -> int:
    """Train the remaining students and write the results; return the exit code.

    The folder is locked and repaired first. An interrupted run writes its results, too.
    """
    with disk.path_errors_as_user_errors(settings.folder):
        settings.folder.mkdir(parents=True, exist_ok=True)
    with disk.disk_full_as_user_error(settings.folder), locked_folder(settings.folder):
        record_identity(settings.folder, settings.identity)
        record_transfer(settings.folder, settings.transferred)
        for message in repair_folder(settings.folder):
            print_plain(console, message)
        try:
            code = _train_students(settings, console)
        except UserError:  # for example: Ray does not start
            with signals_ignored(), suppress(Exception):
                if records.trial_names(settings.folder):
                    _write_results(settings.folder)
            raise
        if code:
            print_plain(console, f"\nInterrupted. To go on: {settings.resume_command}")
        with signals_ignored():
            results = _write_results(settings.folder)
            print_results(results, console)
        return code or (FAILED_EXIT_CODE if "failed" in set(results.students["status"]) else 0)


def _train_students(settings: RunSettings, console: Console) -> int:
    """Run all stages and record the run in environment.json.

    Return 0, or the exit code of an interrupted run.
    """
    space, folder = settings.space, settings.folder
    environment = environment_record(space, settings.data, settings.resume_command, settings.plugins)
    records.write_file(paths.space_file(folder), space.dump())
    for name, content in settings.plugins.items():
        records.write_file(paths.plugin_file(folder, name), content)
    plan = settings.plan
    planned = {"planned_students": plan.students} if plan else {}
    record = RunRecord(folder, environment | {"auto_precision": settings.precision} | planned)
    trackers = start_trackers(space, folder, lambda line: print_plain(console, line))
    metric = space.search.metric
    paces = (plan.epoch_seconds, plan.teacher_epoch_seconds) if plan else ()
    display = ProgressDisplay(console, metric, METRIC_MODES[metric], *paces)
    setup, folders, nodes = local_setup(settings.plugins), local_folders(folder), TrainingNodes(single_machine=True)
    context = SearchContext(
        *(space, settings.data, settings.grid, folder, setup, display, trackers, {}, *folders, nodes),
        workers=WorkerPool(nodes, space.resources),
        mirrored_teachers=settings.mirrored_teachers,
    )
    complete = False
    try:
        _run_stages_on_ray(context, settings, record)
        complete = True
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except RayLostError as error:  # without a supervisor
        print_plain(console, f"\n{error}.")
        return LOST_EXIT_CODE
    finally:
        record.save(complete)
        trackers.close(folder, done=complete)
    return 0


def _run_stages_on_ray(context: SearchContext, settings: RunSettings, record: RunRecord) -> None:
    """Run the stages while connected to Ray."""
    plan = RestartPlan(str(settings.folder), settings.resume_command, restart=settings.address is None)
    connection = connected_to_ray(settings.address, settings.data, settings.insecure_cluster)
    with restart_plan(plan), context.display, connection as nodes:
        space = context.space.with_gpus(nodes.totals())
        records.write_file(paths.space_file(settings.folder), space.dump())
        context = context._replace(space=space, nodes=nodes, workers=WorkerPool(nodes, space.resources))
        if settings.address is None:
            check_resources(space, nodes.totals())
        else:
            nodes.announce(lambda line: print_plain(context.display.console, line))
            setup = cluster_setup(space, settings.data, settings.plugins)
            data = settings.data.in_memory()  # other nodes lack the mapped files
            context = context._replace(setup=setup, data=data, **cluster_folders(settings.folder)._asdict())
        record.add_nodes(node_records(nodes.training_nodes()))
        try:
            engine.run_stages(context, record.deadline(context.space.search.hours))
        except KeyboardInterrupt:  # said at once: the end of Ray takes seconds
            print_plain(context.display.console, "\nInterrupting: Ray ends, then the tables are written.")
            raise
        finally:  # nodes may have joined
            record.add_nodes(node_records(nodes.training_nodes()))
            context.workers.release()


def _write_results(folder: Path) -> Experiment:
    # Imported here: its plotting libraries take a second, and --check does not need them.
    from results.rebuild import rebuild_results

    return rebuild_results(folder)
