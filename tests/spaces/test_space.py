"""Spaces: fill, sample_values, cells, probes, and the round trip through YAML."""

from __future__ import annotations

import csv
import io
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces.document import dump_yaml as yaml
from spaces.domain import Choice, Domain
from spaces.errors import UserError
from spaces.label import Label
from spaces.space import Space, load_space

Build = Callable[[str], Space]

CONDITIONAL = """\
teacher: {model: {name: cnn, padding: {choice: [same, valid]}}, seeds: [3, 4]}
student:
  model:
    choice:
    - {name: mlp, hidden: {choice: [[400, 400], [784, 784]]}}
    - {name: cnn}
method:
  choice:
  - {name: hinton, alpha: {choice: [0, 0.5]}, temperature: 4}
  - {name: none}
"""
RANGES = """\
method: {name: hinton, alpha: {uniform: [0, 1]}, temperature: {loguniform: [1, 64]}}
train: {epochs: {int: [2, 9]}, batch_size: {int: [16, 512], log: true}, optimizer: {choice: [adam, sgd]}}
search: {algorithm: random, trials: 5}
"""


def test_knobs_and_seeds(space: Build) -> None:
    conditional = space(CONDITIONAL)
    assert conditional.knobs == [
        "teacher.model.padding",
        "student.model",
        "student.model.hidden",
        "method",
        "method.alpha",
    ]
    assert (conditional.name, conditional.seeds, conditional.teacher_seeds) == ("x", [0], [3, 4])


def test_cells_of_conditional_knobs(space: Build) -> None:
    cells = space(CONDITIONAL).cells()
    assert len(cells) == 2 * (2 + 1) * (2 + 1)
    assert cells[0] == {
        "teacher.model.padding": "same",
        "student.model": "mlp",
        "student.model.hidden": "[400,400]",
        "method": "hinton",
        "method.alpha": 0,
    }
    assert cells[-1] == {"teacher.model.padding": "valid", "student.model": "cnn", "method": "none"}
    assert len({json.dumps(cell) for cell in cells}) == len(cells)


def test_fill(space: Build) -> None:
    recipe = space(CONDITIONAL).fill(space(CONDITIONAL).cells()[0], seed=7, teacher_seed=4)
    assert recipe.seed == 7
    assert recipe.teacher is not None
    assert recipe.teacher.seed == 4
    assert recipe.student.model.knobs == {"hidden": [400, 400]}
    assert recipe.method.knobs == {"alpha": 0, "temperature": 4}


def test_fill_invalid_values(space: Build) -> None:
    ranges = space(RANGES)
    values = ranges.probes()[0]
    for wrong, words in [
        ({**values, "method.alpha": 1.5}, r"method\.alpha: found 1\.5, expected a number from 0 to 1"),
        ({**values, "method.alhpa": 1}, r"did you mean method\.alpha\?"),
        ({}, r"x\.yaml:1: method\.alpha: no value was given"),
    ]:
        with pytest.raises(UserError, match=words):
            ranges.fill(wrong, 0)


@pytest.mark.parametrize("text", [CONDITIONAL, RANGES])
def test_probes_cover_options_and_ends(space: Build, text: str) -> None:
    labels: dict[str, set[Label]] = {}
    loaded = space(text)
    for values in loaded.probes():
        assert loaded.fill(values, 0)
        for path, label in values.items():
            labels.setdefault(path, set()).add(label)
    seen: dict[str, Domain] = {}
    for seed in range(30):
        _draw(loaded, seed, seen)
    assert set(seen) == set(loaded.knobs) == set(labels)
    assert all(labels[path] >= set(domain.probe_labels) for path, domain in seen.items())


@pytest.mark.parametrize("text", [CONDITIONAL, RANGES])
@pytest.mark.parametrize("seed", range(10))
def test_sampled_values_survive_json_and_csv(space: Build, text: str, seed: int) -> None:
    loaded = space(text)
    values = _draw(loaded, seed, {})
    recipe = loaded.fill(values, 1)
    assert loaded.fill(json.loads(json.dumps(values)), 1) == recipe
    assert loaded.fill(_through_csv(loaded.knobs, values), 1).key() == recipe.key()


def test_find_line(space: Build) -> None:
    loaded = space(CONDITIONAL)
    assert loaded.find_line("method.temperature") == 9
    assert loaded.find_line("method.temperature", {"method": "none"}) == 10
    assert loaded.find_line("student.model.hidden") == 5
    assert loaded.find_line("student.model.nothing.here") == 5
    assert loaded.find_line("train.epochs") == 1
    assert str(loaded.error("method.alpha", "is wrong")) == f"{loaded.file}:9: method.alpha: is wrong"


def test_with_precision(space: Build) -> None:
    text = """\
    teacher: {choice: [{train: {epochs: 3}}, {train: {precision: float32}}]}
    train: {precision: {choice: [auto, float32, bfloat16]}}
    """
    settled = space(text).with_precision("bfloat16")
    assert settled.template["train"]["precision"].labels == ("bfloat16", "float32")
    recipes = [settled.fill(values, 0) for values in settled.probes()]
    assert {recipe.teacher.train.precision for recipe in recipes if recipe.teacher} == {"bfloat16", "float32"}
    plain = space("method: {name: none}\nteacher: null\n").with_precision("float32")
    assert plain.fill({}, 0).train.precision == "float32"
    assert plain.fill({}, 0).teacher is None


@pytest.mark.parametrize(
    ("resources", "nodes", "gpus"),
    [
        ("{}", [(2, 0)], 0),
        ("{workers: 3}", [(2, 0), (2, 4)], 1),
        ("{gpus: 0}", [(2, 4)], 0),
        ("{gpus: 0.25}", [(2, 4)], 0.25),
        ("{gpus: 1}", [(2, 0)], 1),  # refused later, with its line
    ],
)
def test_with_gpus(space: Build, resources: str, nodes: list[tuple[float, float]], gpus: float) -> None:
    original = space(f"method: {{name: none}}\nresources: {resources}\n")
    resolved = original.with_gpus(nodes)
    assert resolved.resources == original.resources.model_copy(update={"gpus": gpus})
    assert resolved.with_gpus([(1, 8)]) == resolved and f"gpus: {gpus}" in resolved.dump()
    assert space("method: {name: none}\n").with_gpus(nodes).resources.gpus == int(nodes[-1][1] > 0)


def test_files_of_teachers_have_no_precision(space: Build) -> None:
    """A network in a file is not trained; a section `train` beside it is refused."""
    tree = "teacher: {choice: [{onnx: a.onnx}, {logits: a.npz}, {train: {epochs: 3}}]}"
    settled = space(tree).with_precision("bfloat16")
    trains = [settled.fill(values, 0).teacher.train for values in settled.probes()]
    assert [(train.epochs, train.precision) for train in trains] == [(0, "auto"), (0, "auto"), (3, "bfloat16")]


@pytest.mark.parametrize(
    "teacher", ["{method: {name: hinton}, teacher: {method: {name: hinton}, teacher: {}}}", "{ensemble: [{}, {}]}"]
)
def test_with_precision_of_assistants_and_ensembles(space: Build, teacher: str) -> None:
    recipe = space(f"teacher: {teacher}").with_precision("bfloat16").fill({}, 0)
    teachers = recipe.teacher_recipes()
    while teachers[-1].teacher is not None:
        teachers += teachers[-1].teacher_recipes()
    assert len(teachers) > 1 and {own.train.precision for own in teachers} == {"bfloat16"}


def test_fallback(space: Build) -> None:
    text = """\
    data: {name: mnist}
    method: {alpha: {choice: [0, 1]}}
    train: {epochs: 3, batch_size: 256}
    fallback:
      data: {name: mnist5k}
      method: {alpha: 0.5}
      train:
        batch_size: 64
    """
    fallback = space(text).fallback_space()
    assert fallback is not None
    assert fallback.fallback_space() is None
    assert fallback.knobs == []
    recipe = fallback.fill({}, 0)
    assert (recipe.data.name, recipe.train.batch_size, recipe.train.epochs) == ("mnist5k", 64, 3)
    assert (
        fallback.find_line("train.batch_size"),
        fallback.find_line("train.epochs"),
        fallback.find_line("method.alpha"),
    ) == (
        8,
        3,
        6,
    )
    assert space("train: {epochs: 3}\n").fallback_space() is None


@pytest.mark.parametrize("text", [CONDITIONAL, RANGES])
def test_pickle(space: Build, text: str) -> None:
    loaded = space(text)
    again = pickle.loads(pickle.dumps(loaded))
    assert again == loaded
    assert again.dump() == loaded.dump()


leaf = (
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(-1e9, 1e9)
    | st.text(max_size=5)
    | st.lists(st.integers(0, 9))
)
word = st.text("abcdefgh_", min_size=2, max_size=6).map(lambda text: f"k{text}")
ends = st.tuples(st.integers(1, 9), st.integers(10, 99)).map(list)


def _choice(below: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    options = st.lists(below, min_size=1, max_size=3, unique_by=lambda option: json.dumps(option).strip('"').lower())
    return options.map(lambda items: {"choice": [option for option in items if not _is_domain(option)] or [1]})


def _is_domain(option: object) -> bool:
    return isinstance(option, dict) and bool({"choice", "uniform", "loguniform", "int"} & set(option))


ranges = st.sampled_from([{}, {"log": True}, {"log": False}]).flatmap(
    lambda log: st.sampled_from(["uniform", "int"]).flatmap(
        lambda kind: st.builds(lambda pair: {kind: pair, **log}, ends)
    )
) | st.builds(lambda pair: {"loguniform": pair}, ends)
values = st.recursive(
    leaf | ranges, lambda below: st.dictionaries(word, below, max_size=3) | _choice(below), max_leaves=10
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    knobs=st.dictionaries(word, values, min_size=1, max_size=4),
    seeds=st.sets(st.integers(0, 9), min_size=1, max_size=1),
)
def test_dump_loads_as_an_equal_space(tmp_path: Path, knobs: dict[str, object], seeds: set[int]) -> None:
    tree = {"method": {"name": "hinton", **knobs}, "seeds": list(seeds), "train": {"lr": {"uniform": [0.1, 1]}}}
    (tmp_path / "first.yaml").write_text(yaml({**tree, "search": {"algorithm": "random", "trials": 3}}))
    try:
        first = load_space(tmp_path / "first.yaml")
    except UserError as error:
        assert "repeats option" in str(error)
        return
    (tmp_path / "second.yaml").write_text(first.dump())
    second = load_space(tmp_path / "second.yaml")
    assert second == first
    assert second.dump() == first.dump()
    assert second.knobs == first.knobs
    first_keys, second_keys = ([space.fill(probe, 0).key() for probe in space.probes()] for space in (first, second))
    assert first_keys == second_keys


def test_import_is_light() -> None:
    code = "import sys, spaces.space, spaces.extend; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "ray", "pandas", "numpy", "optuna", "matplotlib", "trainables", "results", "search"}


def _draw(space: Space, seed: int, seen: dict[str, Domain]) -> dict[str, Label]:
    random_ = random.Random(seed)

    def suggest(path: str, domain: Domain) -> Label:
        seen[path] = domain
        if isinstance(domain, Choice):
            return random_.choice(domain.labels)
        number = random_.uniform(domain.low, domain.high)
        return round(number) if domain.integer else number

    return space.sample_values(suggest)


def _through_csv(knobs: list[str], values: dict[str, Label]) -> dict[str, Label]:
    file = io.StringIO()
    writer = csv.DictWriter(file, knobs)
    writer.writeheader()
    writer.writerow(values)
    return dict(next(csv.DictReader(io.StringIO(file.getvalue()))))


def test_a_text_is_short_for_a_part_with_this_name(space: Build) -> None:
    short = space(
        "data: mnist5k\nteacher: {model: cnn, method: none}\nstudent: {model: {choice: [mlp, cnn]}}\n"
        "method: {choice: [none, {name: hinton, alpha: {choice: [0.5, 1]}, temperature: 4}]}\n"
    )
    values = {"student.model": "cnn", "method": "none"}
    assert short.cells()[3] == values and len(short.cells()) == 6
    for again in (short, short.shrink(), short.with_precision("float32"), space(short.dump())):
        recipe = again.fill(values, 0)
        assert (recipe.data.name, recipe.student.model.name, recipe.method.name) == ("mnist5k", "cnn", "none")
        assert recipe.teacher is not None and recipe.teacher.model.name == "cnn"


def test_a_text_that_names_no_part_is_reported_with_its_line(space: Build) -> None:
    with pytest.raises(UserError, match=r":3: method: found 5, expected a mapping"):
        space("student: {model: {name: mlp}}\nteacher: {model: {name: cnn}}\nmethod: 5\n")
