"""What stands for a value in rows, tables and error messages."""

from __future__ import annotations

import json
import math
from numbers import Real
from typing import Any

Label = None | bool | int | float | str


def text(label: Any) -> str:
    """Return one text for all spellings of a label: 4, 4.0 and "4.0" are one, and so are nothing, NaN and ""."""
    number = _number(label) if isinstance(label, str) else label
    if isinstance(number, int | str):
        return str(number)
    # numpy's numbers are not all int or float, but they are Real; pandas reads an empty field as NaN.
    number = float(number) if isinstance(number, Real) else math.nan
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() else str(number)


def show(value: Any) -> str:
    """Return a value as an error message names it, cut short."""
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f'the text "{value[:40]}"'
    written = compact(value) if isinstance(value, list | bool) else text(value)
    return written if len(written) <= 40 else f"{written[:40]}…"


def compact(value: Any) -> str:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _number(word: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
