"""The notebook's loop as a function trainable under a default Tuner, as in Ray's own PyTorch tutorial.

`python -m benchmarks.plain '{"root": …}'` prints one JSON object: seconds and accuracies of the students, and the wall.
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

from benchmarks.loop import Job, one


def trainable(config: dict[str, Any]) -> None:
    """One student of a job."""
    tune.report(one(Job(**config["job"]), config["seed"]))


def main() -> None:
    """Print what a Tuner took."""
    tree = json.loads(sys.argv[1])
    workers, job = tree.pop("workers"), Job(**tree)
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        began = perf_counter()
        space = {"job": vars(job), "seed": tune.grid_search(list(job.seeds))}
        results = tune.Tuner(
            trainable, param_space=space, run_config=tune.RunConfig(storage_path=folder, verbose=0)
        ).fit()
        wall = perf_counter() - began
        rows = [results[i].metrics or {} for i in range(len(results))]
        ray.shutdown()
    students = [{name: row[name] for name in ("seconds", "accuracy")} for row in rows]
    print(json.dumps({"wall": wall, "students": students}))


if __name__ == "__main__":
    main()
