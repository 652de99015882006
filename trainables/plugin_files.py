"""Modules and data files beside a plugin.

They are found in the source, without running it. The plugin is then the same on every machine and from every folder,
and a changed file is noticed.
"""

from __future__ import annotations

import ast
import importlib.machinery
import site
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from spaces.errors import UserError

OWN_PACKAGES = {"spaces", "trainables", "search", "results"}
FILES_CONSTANT = "PLUGIN_FILES"  # in a plugin: patterns of further files, for names that are computed
MAX_CARRIED_BYTES = 2**30  # of one file; each worker gets a copy


def carried_files(plugin: Path, source: str) -> dict[str, bytes]:
    """Return the files used by a plugin, by path from its folder.

    These are modules in its folder, imported directly or by each other, and files named by a string of their sources,
    also in parts: `folder / "weights" / "net.onnx"`. `PLUGIN_FILES = ["parts/*.npz"]` names others. The standard
    library and installed packages come before modules of the same name.
    """
    base, carried = plugin.resolve().parent, dict[str, bytes]()
    sources = [(PurePosixPath(plugin.name), source)]
    while sources:
        name, text = sources.pop()
        for path in _used_files(base, name, text):
            if str(path) not in carried and path != PurePosixPath(plugin.name):
                carried[str(path)] = content = _read_carried(base / path)
                if path.suffix == ".py":
                    sources.append((path, content.decode(errors="replace")))
    return dict(sorted(carried.items()))


def _used_files(base: Path, name: PurePosixPath, source: str) -> Iterator[PurePosixPath]:
    """Yield the files imported or named by one source."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # reported when the source is run
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(base, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            package = [*name.parent.parts][: len(name.parent.parts) + 1 - node.level] if node.level else []
            module = [*package, *(node.module or "").split(".")] if node.module else package
            for alias in node.names:
                yield from _module_files(base, [*module, alias.name])
        elif isinstance(node, ast.Assign) and _assigns(node, FILES_CONSTANT):
            yield from _matching_files(base, node.value)
        else:
            yield from _named_files(base, name, _text_parts(node))


def _module_files(base: Path, module: list[str]) -> Iterator[PurePosixPath]:
    """Yield the files of a module and its packages in the folder."""
    if not module or _is_elsewhere(module[0]):
        return
    for length in range(1, len(module) + 1):
        path = PurePosixPath(*module[:length])
        for candidate in (path / "__init__.py", path.with_suffix(".py")):
            if (base / candidate).is_file():
                yield candidate


def _is_elsewhere(module: str) -> bool:
    """Return True for the standard library, this project and installed packages."""
    if module in sys.stdlib_module_names or module in OWN_PACKAGES:
        return True
    installed = [*site.getsitepackages(), site.getusersitepackages()]
    return importlib.machinery.PathFinder.find_spec(module, installed) is not None


def _assigns(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _matching_files(base: Path, patterns: ast.expr) -> Iterator[PurePosixPath]:
    try:
        listed = ast.literal_eval(patterns)
    except ValueError:
        listed = None
    if not isinstance(listed, list | tuple) or not all(isinstance(pattern, str) for pattern in listed):
        raise UserError(f"{FILES_CONSTANT}: expected a list of file names or patterns, such as ['weights/*.pt']")
    for pattern in listed:
        for path in sorted(base.glob(pattern)):
            if path.is_file():
                yield PurePosixPath(path.relative_to(base).as_posix())


def _text_parts(node: ast.AST) -> list[str]:
    """Return the constant parts of a path expression, from the left."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return [*_text_parts(left), *_text_parts(right)]
        case ast.Call(args=arguments):
            return [text for argument in arguments for text in _text_parts(argument)]
    return []


def _named_files(base: Path, name: PurePosixPath, parts: list[str]) -> Iterator[PurePosixPath]:
    """Yield the file with this name, if there is one."""
    for folder in dict.fromkeys([PurePosixPath(), name.parent]):
        path = PurePosixPath(folder, *parts)
        if parts and not path.is_absolute() and ".." not in path.parts and _is_file(base / path):
            yield path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a text that cannot be a file name
        return False


def _read_carried(path: Path) -> bytes:
    try:
        if (size := path.stat().st_size) > MAX_CARRIED_BYTES:
            reason = f"{size:,} bytes, at most {MAX_CARRIED_BYTES:,} are sent along; name it by a knob of your plugin"
            raise UserError(f"{path}: {reason}")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
