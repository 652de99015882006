"""Corrupted spaces, rows and idx files: one clear error or a correct result, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from conftest import FULL, only_in_full
from mutations import mutate

from results import paths, records, students
from results.rebuild import rebuild_results
from results.trackers.optuna_journal import JournalTracker
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.ranking import rank_configurations
from search.algorithms.searcher import StudentSearcher
from search.launch import main
from search.plan.check_space import check_space
from search.repair import repair_folder
from search.students.spec import StudentSpec, students_for_seeds, suggested_histories, unfinished_students
from spaces.errors import UserError
from spaces.space import Space, load_space
from trainables.data import idx
from trainables.validate import recipe_problems

ROOT = Path(__file__).parents[2]
SPACES = sorted((ROOT / "spaces").glob("*.yaml"))
SECONDS, BYTES = 5.0, 2**30


@contextmanager
def bounded() -> Iterator[None]:
    """Assert that the block takes less than 5 s of CPU time and 1 GB of additional memory."""
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES


def read(path: Path) -> Space | UserError:
    """Return a checked space, or the error."""
    try:
        space = load_space(path, recipe_problems)
        check_space(space)
    except UserError as error:
        return error
    return space


def check_message(error: UserError, path: Path) -> None:
    """Check that every line names the file and contains no control characters."""
    lines = str(error).split("\n")
    assert all(line.startswith(str(path)) for line in lines), lines
    assert len(set(lines)) == len(lines) < 60
    assert all(line.isprintable() and len(line) < 2000 for line in lines), lines


def check_round_trip(space: Space, copy: Path) -> None:
    """Check that a space can be filled, and that its dump is the same space."""
    for values in space.probes():
        space.fill(values, space.seeds[0])
    copy.write_text(space.dump())
    if space.fallback_space() is None:
        assert load_space(copy) == space


def corrupt_space(path: Path, folder: Path, number: int) -> Path:
    corrupted = folder / "corrupted.yaml"
    corrupted.write_bytes(mutate(path.read_text(), Random(f"{path.stem}/{number}")))
    return corrupted


def fuzz_spaces(path: Path, folder: Path, tries: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for number in range(tries):
        corrupted = corrupt_space(path, folder, number)
        with bounded():
            space = read(corrupted)
            if isinstance(space, UserError):
                check_message(space, corrupted)
            else:
                check_round_trip(space, folder / "copy.yaml")
        outcomes["refused" if isinstance(space, UserError) else "valid"] += 1
    return outcomes


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_some_corrupted_spaces(path: Path, tmp_path: Path) -> None:
    outcomes = fuzz_spaces(path, tmp_path, 12)
    assert outcomes["refused"] > 4


@pytest.mark.slow
@only_in_full
def test_corrupted_spaces(tmp_path: Path, tally) -> None:
    tries = -(-2400 // len(SPACES))
    outcomes = sum((fuzz_spaces(path, tmp_path, tries) for path in SPACES), Counter())
    assert outcomes.total() >= 2000 and outcomes["refused"] > outcomes.total() / 2 and outcomes["valid"] > 50
    tally(
        "corrupted spaces, read and checked",
        tries=outcomes.total(),
        note=f"{outcomes['refused']} refused, {outcomes['valid']} valid",
    )


@pytest.mark.slow
@only_in_full
def test_corrupted_spaces_with_their_data(tmp_path: Path, capsys, monkeypatch, tally) -> None:
    """All of --check, networks and plan included, in this process."""
    monkeypatch.delenv("KD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    codes: Counter[int] = Counter()
    for number in range(4):
        for path in SPACES:
            corrupted = corrupt_space(path, tmp_path, 10_000 + number)
            code = main([str(corrupted), "--check", "--out", str(tmp_path / "run")])
            output = capsys.readouterr()
            assert code in (0, 2) and bool(output.err) == (code == 2)
            if code:
                check_message(UserError(output.err.rstrip("\n")), corrupted)
            codes[code] += 1
    assert codes[0] and codes[2] and not (tmp_path / "run").exists()
    tally("corrupted spaces through --check", tries=codes.total(), note=f"{codes[2]} refused, {codes[0]} planned")


@pytest.mark.slow
def test_corrupted_spaces_on_the_command_line(tmp_path: Path, tally) -> None:
    """In processes of their own."""
    tried = [(SPACES[number % len(SPACES)], number) for number in range(12 if FULL else 4)]
    for path, number in tried:
        corrupted = corrupt_space(path, tmp_path, 20_000 + number)
        command = [sys.executable, "-m", "search.run", str(corrupted), "--check", "--out", str(tmp_path / "run")]
        process = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=540)
        assert process.returncode in (0, 2) and "Traceback" not in process.stderr, process.stderr
        if process.returncode:
            check_message(UserError(process.stderr.rstrip("\n")), corrupted)
    tally("corrupted spaces on the command line", tries=len(tried))


# Rows.

FIELDS = (
    "trial",
    "stage",
    "seed",
    "values",
    "epoch",
    "val_accuracy",
    "status",
    "time",
    "reason",
    "teacher",
    "parameters",
)
WRONG_VALUES = [
    None,
    True,
    -1,
    0,
    3,
    1.5,
    1e300,
    10**30,
    "",
    "x",
    "../../x",
    "<b>",
    [],
    {},
    {"a": 1},
    [1],
    float("nan"),
]


def corrupted_rows(content: bytes, random: Random) -> bytes:
    """Return rows without checksums, as of an earlier version, with one field or byte altered."""
    lines = content.splitlines()
    index = random.randrange(len(lines))
    match random.choice(("field", "field", "field", "key", "byte", "cut", "double", "drop", "noise")):
        case "field" | "key" as kind:
            row = json.loads(lines[index])
            name = random.choice([*row, *FIELDS])
            old = row.pop(name, None)
            row[name if kind == "field" else "x"] = random.choice(WRONG_VALUES) if kind == "field" else old
            lines[index] = json.dumps(row).encode()
        case "byte":
            flipped = bytearray(lines[index])
            flipped[random.randrange(len(flipped))] ^= random.randrange(1, 256)
            lines[index] = bytes(flipped)
        case "cut":
            lines[index] = lines[index][: random.randrange(len(lines[index]))]
        case "double":
            lines.insert(index, lines[random.randrange(len(lines))])
        case "drop":
            del lines[index]
        case "noise":
            lines[index] = random.choice(
                (random.randbytes(60), b"[" * 50_000, b'{"kind": ' * 3000, b"\0" * 500, b"9" * 9000)
            )
    return b"\n".join(lines) + b"\n"


def without_checksums(folder: Path) -> None:
    for path in folder.glob("trials/*/epochs.jsonl"):
        rows = records.read_rows(folder, path.parent.name)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def experiment(space, trained, folder) -> Path:
    """Folder of three finished students, without checksums in their rows."""
    tiny = space(table={"rows": "method.alpha", "columns": "method.temperature"})
    for spec in students_for_seeds(tiny, tiny.cells(), "explore", [0]):
        # as an adaptive search would have suggested them
        suggested = StudentSpec(spec.stage, spec.recipe, spec.values, suggested=spec.values)
        trained(suggested, [0.3, 0.6, 0.8], test_accuracy=0.75, agreement=0.5)
    records.write_file(paths.space_file(folder), tiny.dump())
    data = {"name": "digits", "train": 10, "val": 10, "test": 10, "classes": list("01"), "source": "x", "split": "y"}
    records.save_environment(
        folder,
        {
            **{"command": "x", "started": "2026-01-02T03:04:05+00:00", "device": "x", "cores": 1, "versions": {}},
            **{
                "data": {**data, "shape": [1, 8, 8]},
                "loss": "x",
                "precision": "float32",
                "plugins": {},
                "wall_seconds": 1,
            },
        },
    )
    without_checksums(folder)
    return folder


def attempt(folder: Path, *steps) -> str:
    try:
        for step in steps:
            step(folder)
    except UserError as error:
        assert str(error)
        return "refused"
    return "read"


def fuzz_rows(experiment: Path, tries: int, *steps) -> Counter[str]:
    paths = sorted(experiment.glob("trials/*/epochs.jsonl"))
    original = {path: path.read_bytes() for path in paths}
    outcomes: Counter[str] = Counter()
    for number in range(tries):
        random = Random(number)
        path = random.choice(paths)
        path.write_bytes(corrupted_rows(original[path], random))
        with bounded():
            outcomes[attempt(experiment, *steps)] += 1
        path.write_bytes(original[path])
    return outcomes


def test_corrupted_rows_are_read(experiment: Path) -> None:
    assert fuzz_rows(experiment, 300, students.read_students, students.read_epochs)["read"] == 300


@pytest.mark.slow
def test_corrupted_rows_give_results(experiment: Path, tally) -> None:
    reports = 60 if FULL else 12
    outcomes = fuzz_rows(experiment, reports, rebuild_results)
    outcomes += fuzz_rows(experiment, 2000 if FULL else 200, students.read_students, students.read_epochs)
    outcomes += fuzz_rows(experiment, 200 if FULL else 40, journal)
    assert outcomes["read"] == outcomes.total()
    tally("corrupted rows: tables, and the whole report", tries=outcomes.total(), note=f"{reports} whole reports")


def journal(folder: Path) -> None:
    paths.journal_file(folder).unlink(missing_ok=True)
    JournalTracker(folder, load_space(paths.space_file(folder))).update_all(students.histories(folder))


@pytest.mark.slow
def test_a_search_resumes_from_corrupted_rows(experiment: Path, tally) -> None:
    """All steps of a resumed search: repair, remaining students, ranking, rungs and study of the sampler."""
    tries = 300 if FULL else 60
    assert fuzz_rows(experiment, tries, resume_from_rows)["read"] == tries
    tally("corrupted rows, from which a search resumes", tries=tries)


def resume_from_rows(folder: Path) -> None:
    space = load_space(paths.space_file(folder))
    repair_folder(folder)
    unfinished_students(folder, students_for_seeds(space, space.cells(), "explore", [0]))
    rank_configurations(students.histories(folder), "explore", space.search.metric)
    for scheduler in SCHEDULERS.values():
        PerStudentScheduler(scheduler(space.search, 3)).replay(suggested_histories(folder))
    adaptive = replace(space, search=space.search.model_copy(update={"algorithm": "tpe", "trials": 9}))
    other = cast(StudentSpec, SimpleNamespace(key="another"))  # not a student of the rows
    StudentSearcher(
        adaptive, suggested_histories(folder), lambda key: None, lambda values: other, 0, lambda students: []
    )


# idx files.


def idx_file(random: Random) -> bytes:
    """Return a valid file, or one with a wrong magic number or size, cut, or with extra bytes."""
    shape = (random.choice((1, 3, 7)), 4, 4)
    content = struct.pack(">I3I", 0x0803, *shape) + random.randbytes(shape[0] * 16)
    match random.choice(("valid", "magic", "size", "bomb", "cut", "more", "noise", "flip")):
        case "magic":
            content = random.randbytes(4) + content[4:]
        case "size":
            content = (
                content[:4]
                + struct.pack(">3I", *(random.choice((0, 1, 2**31, 2**32 - 1)) for _ in range(3)))
                + content[16:]
            )
        case "bomb":
            content = content[:4] + struct.pack(">3I", 60_000, 28, 28) + bytes(20_000_000)
        case "cut":
            content = content[: random.randrange(len(content))]
        case "more":
            content += random.randbytes(9)
        case "noise":
            content = random.randbytes(100)
        case "flip":
            flipped = bytearray(content)
            flipped[random.randrange(16)] ^= 1 << random.randrange(8)
            content = bytes(flipped)
    return content


def test_corrupted_idx_files(tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(200):
        random = Random(number)
        content, packed = idx_file(random), random.random() < 0.5
        path = tmp_path / ("x.gz" if packed else "x")
        content = gzip.compress(content, 1) if packed else content
        if packed and random.random() < 0.4:
            flipped = bytearray(content)
            flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
            content = bytes(flipped)[: random.choice((len(content), random.randrange(len(content))))]
        path.write_bytes(content)
        with bounded():
            try:
                array = idx.read_idx(path, 3, largest=2**24)
            except UserError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                outcomes["refused"] += 1
            else:
                assert array.dtype == np.uint8 and array.ndim == 3 and array.nbytes <= 2**24
                outcomes["valid"] += 1
        path.unlink()
    assert outcomes["refused"] > 100 and outcomes["valid"] > 10


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    head = struct.pack(">I3I", 0x0803, 2**16, 2**15 - 1, 1)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(64):
            file.write(bytes(2**20))
    with bounded(), pytest.raises(UserError, match=r"bomb\.gz"):
        idx.read_idx(path, 3)
    shutil.rmtree(tmp_path, ignore_errors=True)
