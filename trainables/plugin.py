"""Plugins: Python files with a user's models, data sets and methods.

A plugin may import modules of its own folder and open files there (`trainables.plugin_files`). All of them are read
once and sent to the workers. They run from a copy in the cache folder, so a file edited during a search has no effect
on it.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import linecache
import sys
import traceback
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

from spaces import disk
from spaces.errors import UserError
from trainables.plugin_files import carried_files

# By name: the source of a plugin as text, a file that it uses as bytes, named from the plugin's folder.
PluginFiles = Mapping[str, str | bytes]

_loaded_sources: dict[str, str | bytes] = {}  # in this process


def read_plugins(paths: Sequence[Path]) -> dict[str, str | bytes]:
    """Return the sources of plugins and the files in use.

    They can be sent to other machines.
    """
    plugins: dict[str, str | bytes] = {}
    used: dict[str, bytes] = {}
    for path in paths:
        if not path.is_file():
            raise UserError(f"--plugin {path}: no such file")
        if path.name in plugins:
            raise UserError(f"--plugin {path}: another plugin has the same file name")
        try:
            source = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"--plugin {path}: not UTF-8 text ({error})") from None
        plugins[path.name] = source
        for name, content in carried_files(path, source).items():
            if used.setdefault(name, content) != content:
                raise UserError(f"--plugin {path}: uses {name}, and another plugin a different file of that name")
    for name in used.keys() & plugins.keys():  # a plugin that another one imports
        if plugins[name] != used[name].decode(errors="replace"):
            raise UserError(f"--plugin {name}: another plugin uses a different file of that name")
    return used | plugins


def plugin_digests(plugins: PluginFiles) -> dict[str, str]:
    """Return the SHA-256 of each plugin and of each file used."""
    return {name: hashlib.sha256(_as_bytes(content)).hexdigest() for name, content in plugins.items()}


def register_plugins(plugins: PluginFiles) -> None:
    """Run each plugin once in this process.

    An error in a plugin is raised as a UserError with file and line.
    """
    root = _copy_files(plugins) if plugins else Path()
    used = {name for name, content in plugins.items() if isinstance(content, bytes)}
    changed = {name for name, content in plugins.items() if _loaded_sources.get(name) != content}
    if changed & used:
        _forget_helpers()  # all of them: an unchanged one may hold values of a changed one
    _HELPERS.folders |= {name.partition("/")[0].removesuffix(".py"): root for name in used if name.endswith(".py")}
    _loaded_sources.update({name: plugins[name] for name in used})
    for name, source in plugins.items():
        if isinstance(source, str) and (name in changed or changed & used):
            _run_plugin(name, source, root)


def _run_plugin(name: str, source: str, root: Path) -> None:
    module = types.ModuleType(f"plugin_{Path(name).stem}")  # random.py must not replace the standard module
    module.__file__ = str(root / name)
    sys.modules[module.__name__] = module  # needed to resolve annotations in the file
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    except Exception as error:
        raise UserError(f"{_error_location(name, root, error)}: {type(error).__name__}: {error}") from error
    _loaded_sources[name] = source


def plugin_fingerprint() -> str:
    """Return a hash of the loaded plugins; empty without plugins.

    It is part of cache keys, so that nothing is reused with other plugins.
    """
    contents = {
        name: content if isinstance(content, str) else hashlib.sha256(content).hexdigest()
        for name, content in _loaded_sources.items()
    }
    return hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()[:16] if contents else ""


def plugin_location(error: Exception) -> str:
    """Return file:line of an error in a loaded plugin.

    Also of one in a helper. Empty for any other error.
    """
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if file in _loaded_sources:
            return f"{file}:{line}"
        for root in set(_HELPERS.folders.values()):
            if Path(file).is_relative_to(root):
                return f"{Path(file).relative_to(root)}:{line}"
    return ""


class _HelperFinder(importlib.machinery.PathFinder):
    """Finder of the modules beside plugins, in their copies."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}  # by top-level name

    def find_spec(self, fullname, path=None, target=None):  # type: ignore[override]
        """Return the module from the copy; None for any other module."""
        if path is not None or fullname not in self.folders:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [str(self.folders[fullname])], target)


_HELPERS = _HelperFinder()
sys.meta_path.insert(0, _HELPERS)


def _forget_helpers() -> None:
    """Remove all helper modules, to be imported again."""
    for name in [name for name in sys.modules if name.partition(".")[0] in _HELPERS.folders]:
        del sys.modules[name]


def _copy_files(plugins: PluginFiles) -> Path:
    """Write all files to a folder named by their content; return it."""
    from trainables.data.locations import cache_folder  # here: the data sets take time to import

    digest = hashlib.sha256(repr(sorted(plugin_digests(plugins).items())).encode()).hexdigest()[:16]
    root = cache_folder() / "plugins" / digest
    for name, content in plugins.items():
        path, expected = root / name, _as_bytes(content)
        if not path.is_file() or path.read_bytes() != expected:
            path.parent.mkdir(parents=True, exist_ok=True)
            disk.write_atomically(path, expected)
    return root


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _error_location(name: str, root: Path, error: Exception) -> str:
    """Return file:line of an error in a plugin or helper."""
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 0))
    own = [(file, line) for file, line in places if file == name or Path(file).is_relative_to(root)]
    file, line = own[-1] if own else (name, 0)
    file = file.removeprefix(f"{root}/")
    return f"{file}:{line}" if line else file
