"""Google-style docstrings as data: first sentence, paragraphs and the descriptions under `Args:`.

The one parser of docstrings, for functions of this project and of plugins alike.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_SECTION = re.compile(r"^(Args|Returns|Yields|Raises|Examples?):$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {4}(\w+): ", re.MULTILINE)


def first_sentence(documented: Any) -> str:
    """Return the first sentence of a docstring, without its period."""
    first = next(iter(paragraphs(documented)), "")
    return re.split(r"\.(?: (?=[A-Z])|$)", first)[0]


def paragraphs(documented: Any) -> list[str]:
    """Return the paragraphs above the first section, one line each."""
    text = _SECTION.split(inspect.getdoc(documented) or "")[0]
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]


def argument_descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """Return the texts under `Args:` by argument, without a final period."""
    _, *sections = _SECTION.split(inspect.getdoc(function) or "")
    text = dict(zip(sections[::2], sections[1::2], strict=True)).get("Args", "")
    _, *entries = _ARGUMENT.split(text)
    pairs = zip(entries[::2], entries[1::2], strict=True)
    return {name: " ".join(description.split()).removesuffix(".") for name, description in pairs}
