"""Plain Ray Tune: the notebook loop as a function trainable under a default Tuner, as in Ray's PyTorch tutorial.

`python -m benchmarks.plain_ray '{"root": …}'` prints one JSON object: seconds and accuracies, and the wall time.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from time import perf_counter
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray import tune

from benchmarks.notebook_loop import Job, train_student


def student_trainable(config: dict[str, Any]) -> None:
    """Train one student and report its seconds and accuracy."""
    tune.report(train_student(Job(**config["job"]), config["seed"]))


def main() -> None:
    """Run a Tuner and print its results."""
    tree = json.loads(sys.argv[1])
    workers, job = tree.pop("workers"), Job(**tree)
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        start = perf_counter()
        space = {"job": vars(job), "seed": tune.grid_search(list(job.seeds))}
        results = tune.Tuner(
            student_trainable, param_space=space, run_config=tune.RunConfig(storage_path=folder, verbose=0)
        ).fit()
        wall = perf_counter() - start
        rows = [results[i].metrics or {} for i in range(len(results))]
        ray.shutdown()
    students = [{name: row[name] for name in ("seconds", "accuracy")} for row in rows]
    print(json.dumps({"wall": wall, "students": students}))


if __name__ == "__main__":
    main()
