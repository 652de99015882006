"""Labels: representations of values in rows, tables and messages."""

from __future__ import annotations

import json
import math
from numbers import Real

Label = None | bool | int | float | str


def label_text(label: object) -> str:
    """Return the same text for all spellings of a label.

    4, 4.0 and "4.0" are one label, and so are None, NaN and an empty string.
    """
    number = _parse_number(label) if isinstance(label, str) else label
    if isinstance(number, int | str):
        return str(number)
    # numpy numbers are Real, though not all are int or float; pandas reads an empty field as NaN.
    number = float(number) if isinstance(number, Real) else math.nan
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() else str(number)


def describe_value(value: object) -> str:
    """Return a value as error messages show it, shortened to 40 characters."""
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    text = compact_json(value) if isinstance(value, list | bool) else label_text(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def compact_json(value: object) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _parse_number(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
