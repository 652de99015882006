"""Space file of a run from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yaml.representer import RepresenterError

from results.remote.uri import is_uri
from spaces import disk, document
from spaces.errors import UserError

DEFAULT_NAME = "space"


def write_space(space: Mapping[str, Any], out: str | Path | None) -> Path:
    """Write a space beside its experiment's folder; return the file.

    It is OUT.space.yaml, or runs/NAME.space.yaml, also for a URI. Its lines are those of error messages, and the
    command that resumes the search names it. Raises UserError for a value without a form in YAML.
    """
    name = space.get("name") or (Path(out).name if out else DEFAULT_NAME)
    folder = Path(out) if out and not is_uri(out) else Path("runs") / str(name)
    try:
        text = document.dump_yaml({"name": name, **space})
    except RepresenterError as error:
        value = error.args[-1]
        kind = type(value).__name__
        raise UserError(f"space: {value!r} ({kind}): expected numbers, texts, lists and dicts") from None
    file = folder.with_name(f"{folder.name}.space.yaml")
    disk.write_atomically(file, text.encode())
    return file
