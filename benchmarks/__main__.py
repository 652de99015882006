"""`make bench`: measure everything on this machine, print Markdown tables and write results.json.

Results already in results.json are not measured again: remove the file or choose another --out to start over.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import bare_worker_bytes, product_rate
from benchmarks.many_students import measure_driver, write_space
from benchmarks.measurements import compared_names
from benchmarks.search_runs import Search, run_assignment, run_search
from benchmarks.table import benchmark_markdown
from benchmarks.wait_goals import PLAIN_TEN
from benchmarks.waits import (
    answer_seconds,
    driver_seconds_per_trial,
    fast_suite,
    first_line_seconds,
    table_seconds_per_student,
)
from search.cluster.node_check import code_hash
from trainables.device import device_name, fastest_precision

FEW: dict[str, Any] = {"data": "mnist5k", "batch": 64, "epochs": 2}  # 3,000 training images
TINY: dict[str, Any] = {
    "data": "digits",
    "student": {"name": "mlp", "hidden": [8]},
    "teacher": {"name": "mlp", "hidden": [8]},
}
LONG: dict[str, Any] = {**FEW, "epochs": 4}  # students of about two seconds
SEARCHES = {
    "60,000 images, 2 workers": Search(10),
    "5,000 images, 2 workers": Search(10, **FEW),
    "1,000 trivial students": Search(1000, **TINY),
    "60 students of seconds": Search(60, **LONG),
    "5,000 images, 1 worker": Search(10, workers=1, **FEW),
    "5,000 images, 100 students": Search(100, **FEW),
    "100 trivial students": Search(100, **TINY),
    "10 trivial students": Search(10, **TINY),
    "60,000 images, 1 worker": Search(4, workers=1),
}


def measurements(root: Path, out: Path) -> dict[str, Callable[[], Any]]:
    """Return the functions to call, in order, by the name of their result."""
    cache = {"KD_CACHE": str(out / "cache")}
    large: dict[str, Any] = {
        "root": str(_unpacked_mnist(root, out)),
        "teacher": str(out / "teacher.pt"),
        "seeds": [0, 1],
    }
    few = {"teacher": str(out / "teacher_few.pt"), "images": 3000, "batch": 64, "epochs": 2}
    small = {**large, **few, "seeds": [0, 1, 2, 3]}
    ten = {"workers": 2, "seeds": [0, 1, 2, 3, 4]}  # distilled and alone, as in a search of ten students
    loops = {
        "60,000 images": [
            _program("notebook_loop", large),
            _program("plain_ray", {**large, "workers": 2}),
            _program("optuna_loop", {**large, **ten}),
        ],
        "5,000 images": [
            _program("notebook_loop", small),
            _program("plain_ray", {**small, "workers": 2}),
            _program("optuna_loop", {**small, **ten}),
        ],
    }
    searches = {name: _search_measurement(name, search, out, root, cache) for name, search in SEARCHES.items()}
    measured: dict[str, Callable[[], Any]] = {"rates": _product_rates, "bare": bare_worker_bytes}
    measured["teachers"] = lambda: _train_teachers(out, root, cache)
    for size, peers in loops.items():  # one after another, so that slow drift of the machine affects all
        names = compared_names(size)
        measured |= dict(zip(names, [peers[0], searches[names[1]], *peers[1:]], strict=True))
    measured |= {"passes": lambda: _teacher_passes(out, root)} | searches
    measured |= {
        "answers": answer_seconds,
        "first line": lambda: first_line_seconds(_empty(out / "first")),
        PLAIN_TEN: lambda: _plain_tune_wall(10, out),
        "driver": lambda: driver_seconds_per_trial(_empty(out / "driver"), out / "cache"),
        "tables": lambda: table_seconds_per_student(
            *(_folder(out, f"{n} trivial students") / "run" for n in ("100", "1,000"))
        ),
    }
    return measured | {"assignment": lambda: _assignment(out, root), "fast suite": fast_suite}


def _unpacked_mnist(root: Path, out: Path) -> Path:
    """Copy the MNIST files without compression, as torchvision expects them."""
    folder = out / "torchvision" / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (root / "MNIST" / "raw").glob("*-ubyte*"):
        content = path.read_bytes()
        (folder / path.name.removesuffix(".gz")).write_bytes(
            gzip.decompress(content) if path.suffix == ".gz" else content
        )
    return out / "torchvision"


def _program(module: str, job: dict[str, Any]) -> Callable[[], Any]:
    """Return a function that runs a loop in a new process."""
    command = [sys.executable, "-m", f"benchmarks.{module}", json.dumps(job)]

    def run() -> Any:
        return json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )

    return run


def _product_rates() -> dict[str, float]:
    return {precision: product_rate(getattr(torch, precision), 1) for precision in ("float32", "bfloat16")}


def _search_measurement(
    name: str, search: Search, out: Path, root: Path, cache: dict[str, str]
) -> Callable[[], dict[str, Any]]:
    folder = _folder(out, name)
    return lambda: run_search(search, _removed(folder), root, **cache)._asdict()


def _folder(out: Path, name: str) -> Path:
    return out / name.replace(" ", "_").replace(",", "")


def _plain_tune_wall(students: int, out: Path) -> float:
    """Return the seconds of plain Ray Tune for trivial students."""
    space = str(write_space(students, _empty(out / "plain_tune")))
    return measure_driver("benchmarks.plain_trials", space, cache=out / "cache").wall


def _train_teachers(out: Path, root: Path, cache: dict[str, str]) -> list[str]:
    """Train all teachers, so that every search loads its teacher from the cache."""
    searches = {"few": Search(2, **FEW), "tiny": Search(2, **TINY), "all": Search(2)}
    for name, search in searches.items():
        run_search(search, _removed(out / f"teacher_{name}"), root, **cache)
    return list(searches)


def _teacher_passes(out: Path, root: Path) -> dict[str, float]:
    """Return forward passes of an untrained teacher per image, for 2 and 8 students."""
    folder, few = _removed(out / "passes"), {**FEW, "teacher": {"name": "counting_cnn"}, "teacher_epochs": 0}
    passes = {}
    for students in (2, 8):
        count, plugin = folder / f"count-{students}", str(Path(__file__).with_name("counting_cnn.py"))
        environment = {"KD_CACHE": str(folder / f"cache-{students}"), "KD_COUNT": str(count)}
        run_search(Search(students, **few), folder / str(students), root, "--plugin", plugin, **environment)
        batches = [int(line) for line in count.read_text().split()]
        passes[str(students)] = sum(size for size in batches if size > 1) / 5000  # single images measure cost, latency
    return passes


def _assignment(out: Path, root: Path) -> dict[str, Any]:
    folder = _removed(out / "assignment")
    return run_assignment(folder, root, KD_CACHE=str(folder / "cache"))  # an empty cache: the teacher is trained


def _start_over(out: Path) -> dict[str, Any]:
    """Remove cached teachers and return empty results."""
    for path in out.glob("teacher*.pt"):
        path.unlink()
    _removed(out / "cache")
    return {}


def _removed(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _empty(folder: Path) -> Path:
    _removed(folder).mkdir(parents=True)
    return folder


def main() -> None:
    """Measure what is missing in results.json and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("KD_DATA"), help="folder that contains MNIST/raw")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder of results.json and the runs")
    options = parser.parse_args()
    if options.data is None:
        parser.error("no data folder; use --data DIR or set KD_DATA to a folder that contains MNIST/raw")
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    file = out / "results.json"
    results = json.loads(file.read_text()) if file.exists() else _start_over(out)
    if results.setdefault("code", code_hash()) != code_hash():
        parser.error(f"{file}: measured with other code; remove it to start over")
    results.setdefault("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    results |= {"device": device_name(), "cores": os.cpu_count(), "precision": fastest_precision()}
    for name, measure in measurements(options.data.absolute(), out).items():
        if name not in results:
            print(f"{name} …", file=sys.stderr, flush=True)
            results[name] = measure()
            file.write_text(json.dumps(results, indent=1) + "\n")
    print(benchmark_markdown(results))


if __name__ == "__main__":
    main()
