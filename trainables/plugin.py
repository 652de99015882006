"""Plugins: Python files with a user's models, data sets and methods."""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from spaces.errors import UserError

_loaded_sources: dict[str, str] = {}  # by file name, in this process


def read_plugins(paths: Sequence[Path]) -> dict[str, str]:
    """Return the sources of plugins by file name.

    As text they can be sent to other machines.
    """
    sources: dict[str, str] = {}
    for path in paths:
        if not path.is_file():
            raise UserError(f"--plugin {path}: no such file")
        if path.name in sources:
            raise UserError(f"--plugin {path}: another plugin has the same file name")
        try:
            sources[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"--plugin {path}: not UTF-8 text ({error})") from None
    return sources


def register_plugins(plugins: dict[str, str]) -> None:
    """Run each plugin once in this process.

    An error in a plugin is raised as a UserError with file and line.
    """
    for name, source in plugins.items():
        if _loaded_sources.get(name) == source:
            continue
        module = types.ModuleType(f"plugin_{Path(name).stem}")  # random.py must not replace the standard module
        sys.modules[module.__name__] = module  # needed to resolve annotations in the file
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        try:
            exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
        except Exception as error:
            raise UserError(f"{_error_location(name, error)}: {type(error).__name__}: {error}") from error
        _loaded_sources[name] = source


def plugin_fingerprint() -> str:
    """Return a hash of the loaded plugins; empty without plugins.

    It is part of cache keys, so that nothing is reused with other plugins.
    """
    return hashlib.sha256(repr(sorted(_loaded_sources.items())).encode()).hexdigest()[:16] if _loaded_sources else ""


def _error_location(name: str, error: Exception) -> str:
    """Return file:line of an error in a plugin."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{name}:{line}" if line else name
