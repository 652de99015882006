"""Error lines of invalid spaces: line, dotted path, expected value, suggestion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from spaces.errors import CLOSED_EXIT_CODE, LocatedProblem, UserError, did_you_mean, file_error
from spaces.recipe import Recipe

Errors = Callable[..., list[str]]

ONE = [
    ("train: {epochs: 12, bach_size: 64}", "1: train.bach_size: unknown key; did you mean batch_size?"),
    ("trian: {epochs: 12}", "1: trian: unknown key; did you mean train?"),
    (
        "searchx: {algorithm: tpe, trials: 3}\ntrain: {lr: {uniform: [1, 2]}}",
        "1: searchx: unknown key; did you mean search?",
    ),
    ("seed: 3", "1: seed: unknown key; did you mean seeds?"),
    ("teacher: {seed: 3}", "1: teacher.seed: unknown key; did you mean seeds?"),
    ("teacher: {sedes: [3]}", "1: teacher.sedes: unknown key; did you mean seeds?"),
    ("teacher: {xyz: [3]}", "1: teacher.xyz: unknown key; known: model, method, teacher, train, weights, onnx, "),
    ("student:\n  model:\n    nmae: mlp", "3: student.model.nmae: unknown key; did you mean name?"),
    ("student: {model: {hidden: [3]}}", "1: student.model.name: missing"),
    ('train: {epochs: "12"}', '1: train.epochs: found the text "12", expected a whole number'),
    ("train: {epochs: 1.5}", "1: train.epochs: found 1.5, expected a whole number"),
    ("train: {epochs: true}", "1: train.epochs: found true, expected a whole number"),
    ("train: {epochs: 0}", "1: train.epochs: found 0, expected at least 1"),
    ("train: {lr: true}", "1: train.lr: found true, expected a number"),
    ("train: {lr: 0}", "1: train.lr: found 0, expected more than 0"),
    ("train: 3", "1: train: found 3, expected a mapping"),
    (
        "seeds: [1]\nresources: {gpus: 2}",
        "2: resources.gpus: found 2, expected at most 1: a student is trained on one GPU",
    ),
    ("resources: {gpus: 1.5}", "1: resources.gpus: found 1.5, expected at most 1"),
    ("train:", "1: train: found nothing, expected a mapping"),
    (
        "train: {optimizer: adm}",
        '1: train.optimizer: found the text "adm", expected adam or adamw or sgd or rmsprop; did you mean adam?',
    ),
    ("train: {momentum: 0.5}", "1: train.momentum: read by optimizer: sgd only; the optimizer here is adam"),
    ("method: {name: 3}", "1: method.name: found 3, expected text"),
    ("train: {omit: {classes: []}}", "1: train.omit.classes: found [], expected at least one"),
    ("train: {omit: {correct_bias: true}}", "1: train.omit.classes: missing"),
    ("teacher: null", "1: teacher: required by method hinton"),
    ("teacher: {ensemble: [{modl: 3}, {}]}", "1: teacher.ensemble.0.modl: unknown key; did you mean model?"),
    ("teacher: {ensemble: [{}, {train: {epoch: 3}}]}", "1: teacher.ensemble.1.train.epoch: unknown key; did you mean"),
    ("teacher: {ensemble: [3, {}]}", "1: teacher.ensemble.0: found 3, expected a mapping"),
    ("teacher: {ensemble: [{}]}", "1: teacher.ensemble: found [{}], expected at least two"),
    ("teacher: {ensemble: [{}, {ensemble: [{}, {}]}]}", "1: teacher.ensemble.1.ensemble: an ensemble inside an"),
    ("teacher: {ensemble: [{}, {seed: 2}]}", "1: teacher.ensemble.1.seed: found in a member; write teacher.seeds"),
    ("teacher: {ensemble: [{}, {}], train: {epochs: 3}}", "1: teacher.train: unused beside an ensemble"),
    ("teacher: {teacher: {}}", "1: teacher.method: required by an assistant, which has a teacher of its own"),
    (
        "teacher: {method: {name: hinton}, teacher: {seeds: [1]}}",
        "1: teacher.teacher.seeds: unknown key; did you mean seed?",
    ),
    ("teacher: {model: {name: mlp, subclasses: two}}", '1: teacher.model.subclasses: found the text "two", expected a'),
    ("teacher: {model: {name: mlp, subclasses: 0}}", "1: teacher.model.subclasses: found 0, expected a whole number"),
    ("teacher: {model: {name: mlp, subclasses: []}}", "1: teacher.model.subclasses: found [], expected a whole number"),
    ("train:\n  lr:\n    choice: []", "2: train.lr: an empty choice; expected at least one option"),
    ("method: {alpha: {choice: [1, 2, 1]}}", "1: method.alpha: option 3 of the choice repeats option 1 (1)"),
    ("method: {alpha: {uniform: [1, 0]}}", "1: method.alpha: a reversed range [1,0]; expected low below high"),
    ("train: {lr: {loguniform: [0, 1]}}", "1: train.lr: a log range from 0; expected both ends above 0"),
    ("train: {lr: {uniform: [0, .inf]}}", "1: train.lr.uniform.1: found .inf, a number that is not finite"),
    ("train: {lr: {unifrm: [0, 1]}}", "1: train.lr: unknown key unifrm; did you mean uniform?"),
    ("train: {lr: {choice: [0.1], default: 0.1}}", "1: train.lr: unknown key default beside choice; known: prior"),
    (
        "train: {lr: {uniform: [0.1, 1], prior: 2}}\nsearch: {trials: 2}",
        "1: train.lr: prior: found 2, expected a number from 0.1 to 1",
    ),
    (
        "train:\n  lr:\n    loguniform: [0.1, 1]\n    prior: high\nsearch: {trials: 2}",
        '4: train.lr: prior: found the text "high", expected a number',
    ),
    (
        "method: {choice: [{name: none}, hinton], prior: {name: none}}\nsearch: {trials: 2}",
        '1: method: prior: found a mapping, expected one of the text "none", the text "hinton"',
    ),
    (
        "train: {lr: {choice: [0.1, 1], prior: 1}}",
        "1: train.lr: has a prior, but a grid tries every cell; remove it, or",
    ),
    (
        "train: {lr: {loguniform: [1, 2], piror: 1}}",
        "1: train.lr: unknown key piror beside loguniform; did you mean prior?",
    ),
    ("train: {lr: {choice: [0.1], log: true}}", "1: train.lr: choice takes no log; only ranges do"),
    ("train: {lr: {loguniform: [1, 2], log: true}}", "1: train.lr: loguniform takes no log; it is logarithmic already"),
    ("train: {lr: {uniform: [0, 1], log: true}}", "1: train.lr: a log range from 0; expected both ends above 0"),
    ("train: {lr: {uniform: [1, 2], log: 10}}", "1: train.lr: log: found 10, expected true or false"),
    ("train: {lr: {uniform: [1, 2], lgo: true}}", "1: train.lr: unknown key lgo beside uniform; did you mean log?"),
    ("train: {lr: {unifrm: [1, 2], log: true}}", "1: train.lr: unknown key unifrm; did you mean uniform?"),
    ("train: {epochs: {int: [0, 8], log: true}}", "1: train.epochs: a log range from 0; expected both ends above 0"),
    ("train: {lr: {choice: [{choice: [1]}]}}", "1: train.lr: an option that is itself a domain"),
    (
        "method: {layers: [1, {choice: [1, 2]}]}",
        "1: method.layers: a domain inside a list; expected a choice among whole",
    ),
    (
        "train: {lr: {uniform: [0.1, 1]}}",
        "1: train.lr: a grid takes only choice: [...]; for a range write search: {trials",
    ),
    ("train:\n  epochs:\n    choice:\n    - 3\n    - four", '5: train.epochs: found the text "four", expected a whole'),
    (
        "train: {epochs: {int: [-5, -3]}}\nsearch: {algorithm: random, trials: 2}",
        "1: train.epochs: found -5, expected at",
    ),
    ("train: {lr: {choice: [1, [{choice: [1]}]]}}", "1: train.lr: a domain inside a list"),
    ("method: {name: {uniform: [0, 1]}}", "1: method.name: found 0, expected text"),
    (
        "train: {lr: {uniform: [0.1, 1]}, momentum: {uniform: [0, 0.9]}, optimizer: sgd}",
        "1: train.lr: a grid takes only choice: [...]; for a range write search: {trials: 30} (so does train.momentum)",
    ),
    ("seeds: []", "1: seeds: found [], expected at least one"),
    ("seeds: [0, 1, 0]", "1: seeds: seed 0 occurs twice; expected different seeds"),
    ("seeds: [-1]", "1: seeds.0: found -1, expected at least 0"),
    ("seeds: 3", "1: seeds: found 3, expected a list such as [0, 1, 2]"),
    ("confirm: {seeds: 3}", "1: confirm.seeds: found 3, expected a list such as [10, 11, 12]"),
    ("train: {layers: head}", '1: train.layers: found the text "head", expected a list such as [head]'),
    ("teacher: {seeds: [1, 1]}", "1: teacher.seeds: seed 1 occurs twice"),
    ("name: ../x", '1: name: found the text "../x", expected a name that a folder can have'),
    (
        "search: {metric: test_accuracy}",
        "1: search.metric: test_accuracy cannot be searched on, because the test accuracy",
    ),
    ("search: {metric: 'test_{x}'}", "1: search.metric: test_{x} cannot be searched on"),
    (
        "search: {metric: val_acuracy}",
        '1: search.metric: found the text "val_acuracy", expected val_loss or val_accuracy or val_macro_f1 or ',
    ),
    (
        "search: {algoritm: tpe}\ntrain: {lr: {uniform: [1, 2]}}",
        "1: search.algoritm: unknown key; did you mean algorithm?",
    ),
    ("search: {algorithm: grid, trials: 3}", "1: search.trials: a grid has as many trials as cells"),
    ("search: {trials: 3}", "1: search.algorithm: there is nothing to search"),
    ("search: {hours: 2}", "1: search.hours: a grid trains every cell, without a time limit"),
    ("search: {algorithm: tpe, trials: 3}", "1: search.algorithm: there is nothing to search"),
    ("search: {limit: {params: 3}}", "1: search.limit.params: unknown key; did you mean parameters?"),
    ("seeds: [0, 1]\nconfirm: {seeds: [1, 2]}", "2: confirm.seeds: seed 1 is in seeds too"),
    ("confirm: {top: 2}", "1: confirm.seeds: missing"),
    ("baseline: {}", "1: baseline.trials: missing"),
    ("baseline: {trials: 3}", "1: baseline: a grid trains the student alone at each of its training values"),
    (
        "method: {alpha: {uniform: [0, 1]}, temperature: 4}\nsearch: {trials: 3}\nbaseline: {trials: 3}",
        "3: baseline.trials: nothing to search: no value of train is a domain, such as lr: {loguniform: [1e-4, 1e-2]}",
    ),
    (
        "method: {name: hinton, alpha: {choice: [0.1, 0.2]}, temperature: {uniform: [1, 9]}}\nsearch: {trials: 3}\n"
        "confirm: {per: method.alfa, seeds: [3]}",
        "3: confirm.per: method.alfa is not a knob of this space; did you mean method.alpha?",
    ),
    (
        "method: {name: hinton, alpha: {choice: [0.1, 0.2]}, temperature: {uniform: [1, 9]}}\nsearch: {trials: 3}\n"
        "confirm: {per: method.temperature, seeds: [3]}",
        "3: confirm.per: method.temperature is searched over a range; expected a knob with options",
    ),
    ("confirm: {top: 2, sedes: [4]}", "1: confirm.sedes: unknown key; did you mean seeds?"),
    ("confirm: {train_on: all}", "1: confirm.seeds: missing"),
    ("train_on: all", "1: train_on: unknown key; did you mean confirm: {train_on: …}?"),
    (
        "confirm: {seeds: [4], train_on: all}\ntrain: {images: {choice: [null, 50]}}",
        "2: train.images: cannot be combined with confirm.train_on: all; remove one of them",
    ),
    (
        "confirm: {seeds: [4], train_on: all}\ntrain: {omit: {classes: [1], correct_bias: true}}",
        "2: train.omit.correct_bias: the biases are fitted on validation images, and confirm.train_on: all leaves none",
    ),
    ("resources: {cpus: 0}", "1: resources.cpus: found 0, expected more than 0"),
    ("fallback: 3", "1: fallback: found 3, expected a mapping"),
    ("fallback:\n  train: {epoch: 3}", "2: fallback.train.epoch: unknown key; did you mean epochs?"),
    ("fallback:\n  trian: {epochs: 3}", "2: fallback.trian: unknown key; did you mean train?"),
    ("fallback:\n  fallback: {epochs: 3}", "2: fallback.fallback: unknown key"),
    ("fallback: {method: {alpha: {choice: []}}}", "1: fallback.method.alpha: an empty choice"),
    (
        "train: {lr: {uniform: [1, 2]}}\nsearch: {algorithm: tpe, trials: 3}\nfallback:\n  search: {scheduler: [3]}",
        "4: fallback.search.scheduler: found [3], expected text",
    ),
]


@pytest.mark.parametrize(("text", "expected"), ONE, ids=[text[:40] for text, _ in ONE])
def test_one_problem_one_line(errors: Errors, text: str, expected: str) -> None:
    (line,) = errors(text + "\n")
    number, _, rest = line.partition(":")
    assert (number + ":" + rest).startswith(expected)


def test_independent_problems(errors: Errors) -> None:
    lines = errors(
        """\
        train:
          epochs: "12"
          lr: {loguniform: [0, 1]}
          bach_size: 3
        seeds: []
        search: {metric: test_loss}
        method: {name: hinton, alpha: {choice: []}}
        fallback:
          train: {optimiser: adam}
        """
    )
    assert [line.split(":")[0] for line in lines] == ["2", "3", "4", "5", "6", "7", "9"]


TABLE = """\
method:
  choice:
  - {name: hinton, alpha: {choice: [0, 1]}, temprature: {choice: [1, 2]}}
  - name: none
    odd: 1
table: {rows: method.alpha, columns: method.temperature}
"""


def _validate(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for knob in recipe.method.knobs:
        knobs = ["alpha", "temperature"] if recipe.method.name == "hinton" else []
        if knob not in knobs:
            yield f"method.{knob}", f"unknown key{did_you_mean(knob, knobs)}"


def test_problems_of_the_validator_come_before_those_of_the_table(errors: Errors) -> None:
    assert errors(TABLE, _validate) == [
        "3: method.temprature: unknown key; did you mean temperature?",
        "5: method.odd: unknown key",
    ]


def test_unknown_knob_of_the_table(errors: Errors) -> None:
    assert errors(TABLE) == [
        "6: table.columns: method.temperature is not a knob of this space; did you mean method.temprature?"
    ]
    assert errors("method: {alpha: {choice: [0, 1]}}\ntable: {rows: alpha, columns: method.alpha}") == [
        "2: table.rows: alpha is not a knob of this space; did you mean method.alpha?"
    ]
    assert errors("method: {alpha: {choice: [0, 1]}}\ntable: {rows: method.alpha, columns: method.alpha}") == [
        "2: table.columns: rows and columns are both method.alpha; expected two knobs"
    ]


def test_table_of_a_grid_needs_no_scheduler(errors: Errors) -> None:
    text = """\
    method: {alpha: {choice: [0, 1]}, temperature: {choice: [1, 2]}}
    search: {scheduler: asha}
    table: {rows: method.alpha, columns: method.temperature}
    """
    (line,) = errors(text)
    assert line.startswith(
        "2: search.scheduler: found asha, expected none for a grid with a table: a cell that was stopped"
    )


def test_conflict_in_a_single_cell(errors: Errors) -> None:
    (line,) = errors("train: {optimizer: {choice: [sgd, adam]}, momentum: {choice: [0.9, 0.5]}}")
    assert line.startswith("1: train.momentum: read by optimizer: sgd only")


def test_grid_too_large(errors: Errors) -> None:
    knobs = ", ".join(f"k{number}: {{choice: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}" for number in range(30))
    (line,) = errors(f"method: {{name: hinton, {knobs}}}\nsearch: {{algorithm: grid}}")
    assert line.startswith(f"2: search.algorithm: a grid of {10**30} cells")


def test_conflict_together_with_fallback(errors: Errors) -> None:
    text = "seeds: [0]\nconfirm: {seeds: [1, 2]}\nfallback: {seeds: [1]}"
    assert errors(text)[0].startswith("2: confirm.seeds: seed 1 is in seeds too")
    text = "train: {optimizer: sgd, momentum: 0.5}\nsearch: {}\nfallback: {train: {optimizer: adam}}"
    assert "read by optimizer: sgd only" in errors(text)[0]
    assert errors(text)[0].endswith("(together with fallback)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb ümlaut 漢 🧪", "a\nb ümlaut 漢 🧪"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202etxt\r", "\\u202etxt\\r"),
        ("\udcff", "\\udcff"),
    ],
)
def test_unprintable_characters_are_escaped(text: str, shown: str) -> None:
    assert str(UserError(text)) == shown
    str(UserError(text)).encode()


@pytest.mark.parametrize(
    ("word", "shown"),
    [("x" * 250, "x" * 250), ("x" * 10_000, "x" * 300 + "…")],  # a file name has up to 255 bytes
)
def test_long_words_are_shortened(word: str, shown: str) -> None:
    error = file_error(
        "f.yaml", [LocatedProblem(1, "student.name", f"{word} is no model"), LocatedProblem(2, f"method.{word}", "no")]
    )
    assert str(error).startswith(f"f.yaml:1: student.name: {shown} is no model\nf.yaml:2: method.xxxxx")
    assert len(str(error)) < 1000


def test_an_output_without_a_reader_ends_the_command_in_one_line() -> None:
    """`python -m spaces list | head` printed a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "spaces", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (CLOSED_EXIT_CODE, "The output was closed before its end.\n")
