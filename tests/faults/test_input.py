"""Spoilt spaces, rows and idx files end in one clear error or in a correct result: no traceback, no hang, no bomb."""

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

import numpy as np
import pytest
from conftest import FULL, only_in_full
from mutations import mutate

from results import records, students
from results.rebuild import rebuild
from results.trackers.optuna_journal import Journal
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.searcher import Suggestions
from search.engine import best
from search.plan.check import check
from search.repair import repair_folder
from search.run import main
from search.students.spec import StudentSpec, cells, suggested, todo
from spaces.errors import UserError
from spaces.space import Space, load
from trainables.data import idx
from trainables.validate import judge

ROOT = Path(__file__).parents[2]
SPACES = sorted((ROOT / "spaces").glob("*.yaml"))
SECONDS, BYTES = 5.0, 2**30


@contextmanager
def bounded() -> Iterator[None]:
    """Asserts that what is done inside takes less than 5 s of the processor's time and 1 GB more than before."""
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES


def read(path: Path) -> Space | UserError:
    """A space that can be searched, or the error."""
    try:
        space = load(path, judge)
        check(space)
    except UserError as error:
        return error
    return space


def demand_clear(error: UserError, path: Path) -> None:
    """Every line names the file; nothing in it can move a terminal's cursor."""
    lines = str(error).split("\n")
    assert all(line.startswith(str(path)) for line in lines), lines
    assert len(set(lines)) == len(lines) < 60
    assert all(line.isprintable() and len(line) < 2000 for line in lines), lines


def demand_sound(space: Space, again: Path) -> None:
    """It fills, and what is written of it reads as the same space."""
    for values in space.probes():
        space.fill(values, space.seeds[0])
    again.write_text(space.dump())
    if space.fallback() is None:
        assert load(again) == space


def spoil(path: Path, places: Path, number: int) -> Path:
    spoilt = places / "spoilt.yaml"
    spoilt.write_bytes(mutate(path.read_text(), Random(f"{path.stem}/{number}")))
    return spoilt


def fuzz(path: Path, places: Path, tries: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for number in range(tries):
        spoilt = spoil(path, places, number)
        with bounded():
            space = read(spoilt)
            if isinstance(space, UserError):
                demand_clear(space, spoilt)
            else:
                demand_sound(space, places / "again.yaml")
        found["refused" if isinstance(space, UserError) else "sound"] += 1
    return found


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_spoilt_spaces_in_short(path: Path, tmp_path: Path) -> None:
    found = fuzz(path, tmp_path, 12)
    assert found["refused"] > 4


@pytest.mark.slow
@only_in_full
def test_spoilt_spaces(tmp_path: Path, tally) -> None:
    tries = -(-2400 // len(SPACES))
    found = sum((fuzz(path, tmp_path, tries) for path in SPACES), Counter())
    assert found.total() >= 2000 and found["refused"] > found.total() / 2 and found["sound"] > 50
    tally(
        "spoilt spaces, read and checked",
        tries=found.total(),
        note=f"{found['refused']} refused, {found['sound']} sound",
    )


@pytest.mark.slow
@only_in_full
def test_spoilt_spaces_with_their_data(tmp_path: Path, capsys, monkeypatch, tally) -> None:
    """The whole of --check, networks and plan included, in this process."""
    monkeypatch.delenv("KD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    codes: Counter[int] = Counter()
    for number in range(4):
        for path in SPACES:
            spoilt = spoil(path, tmp_path, 10_000 + number)
            code = main([str(spoilt), "--check", "--out", str(tmp_path / "run")])
            said = capsys.readouterr()
            assert code in (0, 2) and bool(said.err) == (code == 2)
            if code:
                demand_clear(UserError(said.err.rstrip("\n")), spoilt)
            codes[code] += 1
    assert codes[0] and codes[2] and not (tmp_path / "run").exists()
    tally("spoilt spaces through --check", tries=codes.total(), note=f"{codes[2]} refused, {codes[0]} planned")


@pytest.mark.slow
def test_spoilt_spaces_on_the_command_line(tmp_path: Path, tally) -> None:
    """In a process with 4 GB of addresses: what Python and torch map, and less than 1 GB beyond it."""
    tried = [(SPACES[number % len(SPACES)], number) for number in range(12 if FULL else 4)]
    for path, number in tried:
        spoilt = spoil(path, tmp_path, 20_000 + number)
        command = [sys.executable, "-m", "search.run", str(spoilt), "--check", "--out", str(tmp_path / "run")]
        done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 2) and "Traceback" not in done.stderr, done.stderr
        if done.returncode:
            demand_clear(UserError(done.stderr.rstrip("\n")), spoilt)
    tally("spoilt spaces on the command line", tries=len(tried))


# Rows.

KNOWN = "trial", "stage", "seed", "values", "epoch", "val_accuracy", "status", "time", "reason", "teacher", "parameters"
WRONG = [None, True, -1, 0, 3, 1.5, 1e300, 10**30, "", "x", "../../x", "<b>", [], {}, {"a": 1}, [1], float("nan")]


def spoilt_rows(content: bytes, random: Random) -> bytes:
    """Rows without checksums, as an earlier version or somebody else wrote them, with one field or byte altered."""
    lines = content.splitlines()
    place = random.randrange(len(lines))
    match random.choice(("field", "field", "field", "key", "byte", "cut", "double", "drop", "noise")):
        case "field" | "key" as kind:
            row = json.loads(lines[place])
            name = random.choice([*row, *KNOWN])
            old = row.pop(name, None)
            row[name if kind == "field" else "x"] = random.choice(WRONG) if kind == "field" else old
            lines[place] = json.dumps(row).encode()
        case "byte":
            flipped = bytearray(lines[place])
            flipped[random.randrange(len(flipped))] ^= random.randrange(1, 256)
            lines[place] = bytes(flipped)
        case "cut":
            lines[place] = lines[place][: random.randrange(len(lines[place]))]
        case "double":
            lines.insert(place, lines[random.randrange(len(lines))])
        case "drop":
            del lines[place]
        case "noise":
            lines[place] = random.choice(
                (random.randbytes(60), b"[" * 50_000, b'{"kind": ' * 3000, b"\0" * 500, b"9" * 9000)
            )
    return b"\n".join(lines) + b"\n"


def without_checksums(folder: Path) -> None:
    for path in folder.glob("trials/*/epochs.jsonl"):
        rows = records.rows(folder, path.parent.name)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def experiment(space, trained, folder) -> Path:
    """Three finished students and what they stand on; no checksum in their rows."""
    tiny = space(table={"rows": "method.alpha", "columns": "method.temperature"})
    for each in cells(tiny, tiny.cells(), "explore", [0]):
        # as an adaptive search would have suggested them
        each = StudentSpec(each.stage, each.recipe, each.values, suggested=each.values)  # noqa: PLW2901
        trained(each, [0.3, 0.6, 0.8], test_accuracy=0.75, agreement=0.5)
    records.replace(records.space_file(folder), tiny.dump())
    about = {"name": "digits", "train": 10, "val": 10, "test": 10, "classes": list("01"), "source": "x", "split": "y"}
    records.save_environment(
        folder,
        {
            **{"command": "x", "started": "2026-01-02T03:04:05+00:00", "device": "x", "cores": 1, "versions": {}},
            **{
                "data": {**about, "shape": [1, 8, 8]},
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
    whole = {path: path.read_bytes() for path in paths}
    found: Counter[str] = Counter()
    for number in range(tries):
        random = Random(number)
        path = random.choice(paths)
        path.write_bytes(spoilt_rows(whole[path], random))
        with bounded():
            found[attempt(experiment, *steps)] += 1
        path.write_bytes(whole[path])
    return found


def test_spoilt_rows_are_read(experiment: Path) -> None:
    assert fuzz_rows(experiment, 300, students.read, students.epochs)["read"] == 300


@pytest.mark.slow
def test_spoilt_rows_make_results(experiment: Path, tally) -> None:
    reports = 60 if FULL else 12
    found = fuzz_rows(experiment, reports, rebuild)
    found += fuzz_rows(experiment, 2000 if FULL else 200, students.read, students.epochs)
    found += fuzz_rows(experiment, 200 if FULL else 40, journal)
    assert found["read"] == found.total()
    tally("spoilt rows: tables, and the whole report", tries=found.total(), note=f"{reports} whole reports")


def journal(folder: Path) -> None:
    records.journal_file(folder).unlink(missing_ok=True)
    Journal(folder, load(records.space_file(folder))).tell_all(students.histories(folder))


@pytest.mark.slow
def test_spoilt_rows_are_a_search_s_memory(experiment: Path, tally) -> None:
    """What a search that goes on does with them: mend, ask who is done, rank, rebuild rungs and the sampler's study."""
    tries = 300 if FULL else 60
    assert fuzz_rows(experiment, tries, remember)["read"] == tries
    tally("spoilt rows, from which a search goes on", tries=tries)


def remember(folder: Path) -> None:
    space = load(records.space_file(folder))
    repair_folder(folder)
    todo(folder, cells(space, space.cells(), "explore", [0]))
    best(space, folder, "explore", 2)
    for scheduler in SCHEDULERS.values():
        PerStudentScheduler(scheduler(space.search, 3)).replay(suggested(folder))
    adaptive = replace(space, search=space.search.model_copy(update={"algorithm": "tpe", "trials": 9}))
    Suggestions(adaptive, folder, lambda recipe: True, float("inf"), lambda students: [])


# idx files.


def idx_file(random: Random) -> bytes:
    """Sound, or with a wrong magic number, false sizes, a cut or more than it declares."""
    shape = (random.choice((1, 3, 7)), 4, 4)
    content = struct.pack(">I3I", 0x0803, *shape) + random.randbytes(shape[0] * 16)
    match random.choice(("sound", "magic", "size", "bomb", "cut", "more", "noise", "flip")):
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


def test_spoilt_idx_files(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
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
                array = idx.read(path, 3, largest=2**24)
            except UserError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                found["refused"] += 1
            else:
                assert array.dtype == np.uint8 and array.ndim == 3 and array.nbytes <= 2**24
                found["sound"] += 1
        path.unlink()
    assert found["refused"] > 100 and found["sound"] > 10


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    head = struct.pack(">I3I", 0x0803, 2**16, 2**15 - 1, 1)
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(64):
            file.write(bytes(2**20))
    with bounded(), pytest.raises(UserError, match=r"bomb\.gz"):
        idx.read(path, 3)
    shutil.rmtree(tmp_path, ignore_errors=True)
