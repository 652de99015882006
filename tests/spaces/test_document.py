"""YAML reader: scalars of version 1.2, line numbers, and refused files."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import spaces
from spaces.document import dump_yaml, find_line, read_document
from spaces.errors import UserError


def test_words_and_numbers(tmp_path: Path) -> None:
    text = (
        "a: [1e-3, 3e-4, 1, -2.5, .5, +7, 012]\nb: [no, yes, on, none, 1:30, 2020-01-01]\nc: [true, null, ~, '1']\nd:\n"
    )
    tree = _read(tmp_path, text)
    assert tree == {
        "a": [0.001, 0.0003, 1, -2.5, 0.5, 7, 12],
        "b": ["no", "yes", "on", "none", "1:30", "2020-01-01"],
        "c": [True, None, None, "1"],
        "d": None,
    }
    assert isinstance(tree["a"][2], int)


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# head\na:\n  b: 1\n  c:\n  - {d: 2}\n  -\n    e: 3\n")
    lines = read_document(path).lines
    assert {key: lines[key] for key in ("a", "a.b", "a.c", "a.c.0.d", "a.c.1.e")} == {
        "a": 2,
        "a.b": 3,
        "a.c": 4,
        "a.c.0.d": 5,
        "a.c.1.e": 7,
    }
    assert find_line(lines, "a.b.nowhere.at.all") == 3
    assert find_line(lines, "nowhere") == 1


SHIPPED = Path(spaces.__file__).resolve().parent
BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghij"))


@pytest.mark.parametrize(
    ("text", "number", "words"),
    [
        ("", 1, "the file is empty"),
        ("# only a comment\n", 1, "the file is empty"),
        ("- 1\n", 1, "found no mapping"),
        ("hello\n", 1, "found no mapping"),
        ("a: 1\na: 2\n", 2, "a: duplicate key; the first is on line 1"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4, "a.b: duplicate key; the first is on line 2"),
        ("a: 1\nb: &x 2\n", 2, "anchor or alias"),
        ("a: *x\n", 1, "anchor or alias"),
        (BOMB, 1, "anchor or alias"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\n2: 2\n", 2, "a key that is no text"),
        ("a.b: 1\n", 1, "a key that is no text or has a dot"),
        ("a: 1\n? [1, 2]\n: 3\n", 2, "a key that is no text"),
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: {b 0.5, c: 1}\n", 1, "a: found a key that is no text or has a dot; is a colon missing after b?"),
        ("a: 1\nnull: 2\n", 2, "has a dot; expected a plain name"),
        ("a: .inf\n", 1, "a: found .inf, a number that is not finite"),
        ("a: [1, -.INF]\n", 1, "a.1: found -.INF"),
        ("a: .nan\n", 1, "not finite"),
        ("a: 1e999\n", 1, "not finite"),
        ("a: " + "9" * 5000 + "\n", 1, "beyond 64 bits"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "not allowed"),
        ("a: !!python/name:os.system x\n", 1, "not allowed"),
        ("a: !!int x\n", 1, "not allowed"),
        ("a: " + "[" * 60_000 + "\n", 1, "nested deeper than 32"),
        ("a: " + "{b: " * 40 + "1" + "}" * 40 + "\n", 1, "nested deeper than 32"),
        ("a: 1\nb: \x07\n", 2, "special characters are not allowed"),
        ("x" * 70_000, 1, "more than 64 KB"),
        ("a: 1\n" * 100_000, 1, "more than 64 KB"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_refused_quickly(tmp_path: Path, text: str, number: int, words: str) -> None:
    path, start = tmp_path / "x.yaml", time.process_time()
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_document(path)
    assert time.process_time() - start < 1  # CPU time: other processes may be running
    message = str(caught.value)
    assert message.startswith(f"{path}:{number}:")
    assert words in message
    assert "\n" not in message
    assert len(message) < 500


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\xfe\n")
    with pytest.raises(UserError, match=r"x\.yaml:2: not UTF-8"):
        read_document(path)


def test_all_problems_are_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        _read(tmp_path, "a: 1\na: 2\nb: .inf\n")
    assert len(str(caught.value).splitlines()) == 2


def test_missing_file(tmp_path: Path) -> None:
    (tmp_path / "mnist_hinton.yaml").write_text("seeds: [0]\n")
    with pytest.raises(UserError, match=r"did you mean .*mnist_hinton\.yaml\?"):
        read_document(tmp_path / "mnist_hintn.yaml")
    with pytest.raises(UserError, match=r"did you mean .*mnist_hinton\.yaml\?"):
        read_document(tmp_path / "mnist_hinton")
    with pytest.raises(UserError, match="directory"):
        read_document(tmp_path)


def test_missing_file_named_like_a_shipped_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SHIPPED.parent)
    with pytest.raises(UserError) as caught:
        read_document("mnist_hinton")
    assert str(caught.value) == "mnist_hinton: No such file or directory; did you mean spaces/mnist_hinton.yaml?"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        read_document("mnist_hinton")
    assert str(caught.value).endswith(f"did you mean {SHIPPED / 'mnist_hinton.yaml'}?")


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(-1e18, 1e18)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(
        ["yes", "no", "1e-3", "1_000", "0x1f", "~", "null", "<<", "=", "1:30", "2020-01-01", ".nan", "012"]
    )
)
keys = st.text(min_size=1).filter(lambda key: "." not in key and max(key) < "\ud800") | st.sampled_from(
    ["1", "null", "no", "<<"]
)
trees = st.dictionaries(
    keys, st.recursive(leaves, lambda below: st.lists(below) | st.dictionaries(keys, below), max_leaves=8)
)


@given(tree=trees)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]) -> None:
    path = tmp_path_factory.getbasetemp() / "roundtrip.yaml"
    path.write_text(dump_yaml(tree), encoding="utf-8")
    if not tree:
        return
    again = read_document(path).tree
    assert repr(again) == repr(tree)


def _read(folder: Path, text: str) -> dict[str, Any]:
    (folder / "x.yaml").write_text(text)
    return read_document(folder / "x.yaml").tree
