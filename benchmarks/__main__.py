"""`make bench`: everything is measured in turn on this machine; a Markdown table is printed, JSON is written.

A part that is in results.json already is not measured again: remove the file, or choose another --out, to begin anew.
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

from benchmarks import machine, ours, table
from benchmarks.ours import Search
from search.cluster.preflight import code
from trainables.device import describe, fastest_precision

FEW: dict[str, Any] = {"data": "mnist5k", "batch": 64, "epochs": 2}  # 3,000 images to train on
TINY: dict[str, Any] = {
    "data": "digits",
    "student": {"name": "mlp", "hidden": [8]},
    "teacher": {"name": "mlp", "hidden": [8]},
}
LONG: dict[str, Any] = {**FEW, "epochs": 4}  # students of some two seconds
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


def parts(root: Path, out: Path) -> dict[str, Callable[[], Any]]:
    """What is measured, in turn: name -> a function that measures it."""
    cache = {"KD_CACHE": str(out / "cache")}
    large: dict[str, Any] = {"root": str(_unpacked(root, out)), "teacher": str(out / "teacher.pt"), "seeds": [0, 1]}
    few = {"teacher": str(out / "teacher_few.pt"), "images": 3000, "batch": 64, "epochs": 2}
    small = {**large, **few, "seeds": [0, 1, 2, 3]}
    loops = {
        "60,000 images": [_program("loop", large), _program("plain", {**large, "workers": 2})],
        "5,000 images": [_program("loop", small), _program("plain", {**small, "workers": 2})],
    }
    searches = {name: _search(name, search, out, root, cache) for name, search in SEARCHES.items()}
    found: dict[str, Callable[[], Any]] = {"rates": _rates, "bare": machine.bare}
    found["teachers"] = lambda: _teach(out, root, cache)
    for size, (notebook, ray) in loops.items():  # beside each other, so that drift hits all alike
        name = f"{size}, 2 workers"
        found |= {f"notebook, {size}": notebook, name: searches[name], f"plain Ray, {size}": ray}
    found |= {"passes": lambda: _passes(out, root)} | searches
    return found | {"assignment": lambda: _assignment(out, root)}


def _unpacked(root: Path, out: Path) -> Path:
    """A copy of MNIST's files as torchvision wants them, without compression."""
    folder = out / "torchvision" / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (root / "MNIST" / "raw").glob("*-ubyte*"):
        content = path.read_bytes()
        (folder / path.name.removesuffix(".gz")).write_bytes(
            gzip.decompress(content) if path.suffix == ".gz" else content
        )
    return out / "torchvision"


def _program(module: str, job: dict[str, Any]) -> Callable[[], Any]:
    """Run one of the loops in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", json.dumps(job)]

    def run() -> Any:
        return json.loads(
            subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
        )

    return run


def _rates() -> dict[str, float]:
    return {f"{precision}": machine.rate(getattr(torch, precision), 1) for precision in ("float32", "bfloat16")}


def _search(name: str, search: Search, out: Path, root: Path, cache: dict[str, str]) -> Callable[[], Any]:
    folder = out / name.replace(" ", "_").replace(",", "")
    return lambda: ours.run(search, _empty(folder), root, **cache)._asdict()


def _teach(out: Path, root: Path, cache: dict[str, str]) -> list[str]:
    """Teach the CNN on all images for one epoch, and the other teachers, so that every search finds its own cached."""
    searches = {"few": Search(2, **FEW), "tiny": Search(2, **TINY), "all": Search(2)}
    for name, search in searches.items():
        ours.run(search, _empty(out / f"teacher_{name}"), root, **cache)
    return list(searches)


def _passes(out: Path, root: Path) -> dict[str, float]:
    """Count the images that an untrained teacher answers while 2 and then 8 students learn from it, per image."""
    folder, few = _empty(out / "passes"), {**FEW, "teacher": {"name": "counted_cnn"}, "teacher_epochs": 0}
    found = {}
    for students in (2, 8):
        count, plugin = folder / f"count-{students}", str(Path(__file__).with_name("counted.py"))
        environment = {"KD_CACHE": str(folder / f"cache-{students}"), "KD_COUNT": str(count)}
        ours.run(Search(students, **few), folder / str(students), root, "--plugin", plugin, **environment)
        batches = [int(line) for line in count.read_text().split()]
        found[str(students)] = sum(size for size in batches if size > 1) / 5000  # single images: cost, latency
    return found


def _assignment(out: Path, root: Path) -> dict[str, Any]:
    folder = _empty(out / "assignment")
    return ours.assignment(folder, root, KD_CACHE=str(folder / "cache"))  # its teacher is taught in it


def _anew(out: Path) -> dict[str, Any]:
    """No results yet, and no teachers that others have taught."""
    for path in out.glob("teacher*.pt"):
        path.unlink()
    _empty(out / "cache")
    return {}


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def main() -> None:
    """Measure what is not measured yet, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("KD_DATA"), help="a folder that holds MNIST/raw")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="where results.json and the runs go")
    given = parser.parse_args()
    if given.data is None:
        parser.error("--data DIR or the variable KD_DATA must name a folder that holds MNIST/raw")
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    file = out / "results.json"
    results = json.loads(file.read_text()) if file.exists() else _anew(out)
    if results.setdefault("code", code()) != code():
        parser.error(f"{file} was measured of other code; remove it to begin anew")
    results.setdefault("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    results |= {"device": describe(), "cores": os.cpu_count(), "precision": fastest_precision()}
    for name, measure in parts(given.data.absolute(), out).items():
        if name not in results:
            print(f"{name} …", file=sys.stderr, flush=True)
            results[name] = measure()
            file.write_text(json.dumps(results, indent=1) + "\n")
    print(table.markdown(results))


if __name__ == "__main__":
    main()
