"""Values set on the command line: read like those of the file, and reported by their own place."""

from __future__ import annotations

from pathlib import Path

import pytest

from spaces.errors import UserError
from spaces.space import Space, load_space

TEXT = """
data: {name: mnist}
teacher: {ensemble: [{model: {name: mlp, hidden: [8]}}, {model: {name: cnn}}]}
method: {name: hinton, alpha: {choice: [0.5, 0.9]}, temperature: 4}
train: {epochs: 12}
fallback: {data: {name: mnist5k}, train: {epochs: 6}}
"""


def load(tmp_path: Path, *settings: str) -> Space:
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    return load_space(path, settings=settings)


def messages(tmp_path: Path, *settings: str) -> list[str]:
    with pytest.raises(UserError) as error:
        load(tmp_path, *settings)
    return str(error.value).splitlines()


def test_a_value_replaces_that_of_the_file_and_is_recorded(tmp_path):
    space = load(tmp_path, "train.epochs=3", "method.temperature={choice: [1, 4]}", "seeds=[0, 1]", "search.seed = 7")
    assert space.longest_training == 3 and space.knobs == ["method.alpha", "method.temperature"]
    assert (space.seeds, space.search.seed) == ([0, 1], 7)
    (tmp_path / "run.yaml").write_text(space.dump())
    again = load_space(tmp_path / "run.yaml")
    assert (again.template, again.seeds, again.search) == (space.template, space.seeds, space.search)


def test_a_plain_value_replaces_a_domain_and_the_last_of_two_counts(tmp_path):
    assert load(tmp_path, "method.alpha=0.1", "method.alpha=0.2").fill({}, 0).method.knobs["alpha"] == 0.2


def test_a_value_in_a_list_is_set_by_its_number(tmp_path):
    teacher = load(tmp_path, "teacher.ensemble.0.model.hidden=[16]").fill({"method.alpha": 0.5}, 0).teacher
    assert teacher is not None and teacher.ensemble is not None
    assert teacher.ensemble[0].model.knobs == {"hidden": [16]}


def test_the_fallback_gets_a_value_that_it_replaces(tmp_path):
    space = load(tmp_path, "train.epochs=3", "train.lr=0.1").fallback_space()
    assert space is not None
    train = space.fill({"method.alpha": 0.5}, 0).train
    assert (train.epochs, train.lr) == (3, 0.1)


def test_all_mistakes_are_reported_together(tmp_path):
    assert set(messages(tmp_path, "train.epoch=3", "method.alpha={choice: [0.5, 2]}", "table={rows: x}")) == {
        "--set table.columns: missing",
        "--set train.epoch: unknown key; did you mean epochs?",
    }
    assert messages(tmp_path, "a", "train.lr=[1") == [
        "--set a: expected KEY=VALUE, such as train.epochs=3",
        "--set train.lr: a bracket [ is not closed",
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epochs", "--set train.epochs: expected KEY=VALUE, such as train.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE, such as train.epochs=3"),
        ("train..lr=3", "--set train..lr=3: expected KEY=VALUE, such as train.epochs=3"),
        ("train.epochs.x=3", "--set train.epochs.x: train.epochs is 12, which has no keys"),
        ("train.lr=[1", "--set train.lr: a bracket [ is not closed"),
        ("train.lr=.inf", "--set train.lr: found .inf, a number that is not finite"),
        (
            "teacher.ensemble.2.seed=3",
            "--set teacher.ensemble.2.seed: teacher.ensemble is a list; expected a number below 2 after it",
        ),
        ("train.epochs=many", '--set train.epochs: found the text "many", expected a whole number'),
        ("train.epoch=3", "--set train.epoch: unknown key; did you mean epochs?"),
        ("sede=3", "--set sede: unknown key; did you mean seeds?"),
    ],
)
def test_a_mistake_is_one_line_without_a_line_of_the_file(tmp_path, setting, message):
    assert messages(tmp_path, setting) == [message]


def test_a_bare_name_is_a_shipped_space_unless_there_is_such_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_space("mnist_hinton").name == "mnist_hinton"
    (tmp_path / "mnist_hinton").write_text(TEXT)
    assert load_space("mnist_hinton").file == "mnist_hinton"
