"""A user's own models, data sets and methods: Python files that add to MODELS, DATA or METHODS."""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from spaces.errors import UserError

_loaded: dict[str, str] = {}  # name -> source, of this process


def read(paths: Sequence[Path]) -> dict[str, str]:
    """The sources of plugin files by file name: text, so that they can travel to other machines."""
    sources: dict[str, str] = {}
    for path in paths:
        if not path.is_file():
            raise UserError(f"--plugin {path}: no such file")
        if path.name in sources:
            raise UserError(f"--plugin {path}: there is another plugin of this name")
        try:
            sources[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"--plugin {path}: no UTF-8 text ({error})") from None
    return sources


def register(plugins: dict[str, str]) -> None:
    """Run each plugin once in this process; an error in one is a UserError naming file and line."""
    for name, source in plugins.items():
        if _loaded.get(name) == source:
            continue
        module = types.ModuleType(f"plugin_{Path(name).stem}")  # a file called random.py must not replace the module
        sys.modules[module.__name__] = module  # so that annotations in the file can be resolved
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        try:
            exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
        except Exception as error:
            raise UserError(f"{_place(name, error)}: {type(error).__name__}: {error}") from error
        _loaded[name] = source


def fingerprint() -> str:
    """A hash of the plugins loaded in this process, so that nothing is reused across different ones."""
    return hashlib.sha256(repr(sorted(_loaded.items())).encode()).hexdigest()[:16] if _loaded else ""


def _place(name: str, error: Exception) -> str:
    """file:line of an error raised while a plugin ran."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{name}:{line}" if line else name
