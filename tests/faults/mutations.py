"""Random changes of a space file. Each takes its text and a random generator and returns bytes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import yaml

SCALARS: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3.5, 1e-9, 1e308, -1e308, 10**18, 2**63 - 1, 10**30, 10**400),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        " ",
        "none",
        "mlp",
        "hinton",
        "1e3",
        "0x10",
        "1_000",
        "2026-11-24",
    ),
    *("\u202egnp.exe", "\ud7ff", "\U0001f9ea", "a\u0301", "ＡＬＰＨＡ", "\0", "\x1b[31m", "\ufeff", "ß" * 300),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "<script>alert(1)</script>",
        "[red]",
        "{{7*7}}",
        "${HOME}",
        "%s%n",
        "=cmd|' /C'!A0",
    ),
    *("!!python/object/apply:os.system [id]", "&a", "*a", "x" * 10_000),
]
PARTS: list[Any] = [
    *([], {}, [[]], [None], {"": 0}, {"a.b": 1}, {1: 2}, {"choice": []}, {"choice": [1, 1]}, {"choice": "a"}),
    *({"uniform": [1, 0]}, {"uniform": ["a", "b"]}, {"loguniform": [0, 1]}, {"int": [0, 10**30]}, {"int": [1, 2, 3]}),
    *({"choice": [{"choice": [1, 2]}]}, {"choice": list(range(300))}, {"uniform": [-1e308, 1e308]}, {"nonsense": 1}),
]
LINES = [
    *(
        "seeds: [0, 0]",
        "seeds: []",
        "name: ../../x",
        "name: .hidden",
        "name: 'a/b'",
        "resources: {cpus: .nan, gpus: -1}",
    ),
    *("search: {algorithm: grid, trials: 5}", "search: {algorithm: tpe}", "search: {algorithm: random, trials: 1.5}"),
    *(
        "confirm: {top: 0, seeds: [1]}",
        "table: {rows: method.alpha, columns: method.alpha}",
        "table: {rows: x, columns: y}",
    ),
    *(
        "---",
        "...",
        "%YAML 9.9",
        "? a",
        "- a",
        "a: &x [*x]",
        "a: !!python/name:os.system",
        "<<: {a: 1}",
        "\tseeds: [1]",
    ),
    *(
        "teacher: {weights: /dev/urandom}",
        "train: {epochs: 1e99}",
        "student: {model: {name: mlp, hidden: [999999999999]}}",
    ),
    *("'unclosed: [", '"\\ud800": 1', "data: {name: mnist, validation: -5}", "fallback: {fallback: {seeds: [1]}}"),
]


def mutate(text: str, random: Random) -> bytes:
    """Return the file after one to three random changes of its tree or text."""
    if random.random() < 0.5:
        with _deep():
            return _tree(text, random)
    content = text.encode()
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        content = random.choice(TEXT)(content, random)
    return content


@contextmanager
def _deep() -> Iterator[None]:
    """Raise the recursion limit: yaml needs several calls per level of a tree."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container of a tree with each of its keys."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(items):
        yield tree, key
        yield from _places(value)


def _tree(text: str, random: Random) -> bytes:
    tree = yaml.safe_load(text)
    for _ in range(random.choice((1, 1, 2))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = random.choice(places)
        change = random.choice(("delete", "scalar", "scalar", "part", "rename", "swap", "wrap", "deep"))
        source, source_key = random.choice(places)
        match change:
            case "delete":
                del holder[key]
            case "scalar":
                holder[key] = random.choice(SCALARS)
            case "part":
                holder[key] = random.choice(PARTS)
            case "rename" if isinstance(holder, dict):
                holder[_misspelled(str(key), random)] = holder.pop(key)
            case "swap" if source_key in (source if isinstance(source, dict) else range(len(source))):
                holder[key] = yaml.safe_load(yaml.safe_dump(source[source_key]))
            case "wrap":
                holder[key] = random.choice(([holder[key]], {"choice": [holder[key]]}, {"choice": [holder[key], None]}))
            case "deep":
                for _ in range(random.choice((3, 40, 200))):
                    holder[key] = random.choice(([holder[key]], {"a": holder[key]}))
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def _misspelled(word: str, random: Random) -> str:
    place = random.randrange(len(word) + 1)
    return random.choice(
        (word[:place] + word[place + 1 :], word[:place] + "x" + word[place:], word.upper(), word + " ")
    )


def _line(content: bytes, random: Random) -> list[bytes]:
    return content.splitlines(keepends=True) or [b""]


def _drop(content: bytes, random: Random) -> bytes:
    lines = _line(content, random)
    del lines[random.randrange(len(lines))]
    return b"".join(lines)


def _double(content: bytes, random: Random) -> bytes:
    lines = _line(content, random)
    place = random.randrange(len(lines))
    return b"".join([*lines[: place + 1], *lines[place:]])


def _insert(content: bytes, random: Random) -> bytes:
    lines = _line(content, random)
    lines.insert(random.randrange(len(lines) + 1), random.choice(LINES).encode("utf-8", "surrogatepass") + b"\n")
    return b"".join(lines)


def _indent(content: bytes, random: Random) -> bytes:
    lines = _line(content, random)
    place = random.randrange(len(lines))
    lines[place] = random.choice((b"\t", b" ", b"  ", b"\xc2\xa0")) + lines[place]
    return b"".join(lines)


def _flip(content: bytes, random: Random) -> bytes:
    flipped = bytearray(content or b"x")
    flipped[random.randrange(len(flipped))] ^= random.randrange(1, 256)
    return bytes(flipped)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _number(content: bytes, random: Random) -> bytes:
    """Replace a number by another."""
    numbers = list(re.finditer(rb"\b\d+(\.\d+)?\b", content))
    if not numbers:
        return content
    number = random.choice(numbers)
    new = random.choice(
        (b"0", b"-1", b"1e309", b".nan", b"9" * 30, b"9" * 5000, b"1e-400", b"0.1", b"'3'", b"true", b"1:30")
    )
    return content[: number.start()] + new + content[number.end() :]


def _bomb(content: bytes, random: Random) -> bytes:
    """Add nested aliases: ten lists of nine, a billion words when expanded."""
    lines = [
        b"a0: &a0 [x, x, x]\n",
        *(b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 10)),
    ]
    return random.choice((b"".join(lines) + content, content + b"".join(lines), content + b"seeds: " + b"[" * 5000))


def _noise(content: bytes, random: Random) -> bytes:
    return random.choice(
        (random.randbytes(400), content.decode().encode("utf-16"), content + b"\xff\xfe\x00", b"", content * 80)
    )


def _safely(change: Callable[[bytes, Random], bytes]) -> Callable[[bytes, Random], bytes]:
    def changed(content: bytes, random: Random) -> bytes:
        try:
            return change(content, random)
        except UnicodeDecodeError:  # after an earlier change it is no text
            return content + b"\xff"

    return changed


TEXT = [*(_drop, _double, _insert, _insert, _indent, _flip, _flip, _cut, _number, _number, _bomb), _safely(_noise)]
