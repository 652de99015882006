"""Keys renamed before version 0.1.0, and their errors."""

from __future__ import annotations

from dataclasses import dataclass, field

from spaces.document import Document, Tree, YamlValue, find_line
from spaces.errors import LocatedProblem, UserError
from spaces.template import join_path

# New name by the mapping that holds the key and the old name; "" is the top of the file.
RENAMED_KEYS = {
    ("", "otherwise"): "fallback",
    ("augment", "colour"): "color",
    ("model", "normalise"): "normalize",  # also in networks inside a model
    ("search", "grace"): "grace_period",
    ("train", "jitter"): "shift",
    ("train", "top"): "head_first",
}
RENAMED_METHODS = {"standardised": "standardized"}


def update_renamed_keys(document: Document) -> tuple[Document, list[LocatedProblem]]:
    """Return the document with new keys, and one problem per old key.

    Validation of the returned document reports no old key again.
    """
    update = _Update(document)
    tree = update.mapping(document.tree, (), "", "", "")
    return (Document(document.file, tree, update.lines), update.problems) if update.problems else (document, [])


def require_current_keys(document: Document) -> None:
    """Raise UserError if a recorded document has old keys."""
    _, problems = update_renamed_keys(document)
    if problems:
        renamed = ", ".join(dict.fromkeys(f"{problem.path} {problem.message}" for problem in problems))
        raise UserError(
            f"{document.file}: recorded by an earlier version ({renamed}); "
            "run the search again with --fresh, or read the results with that version"
        )


@dataclass
class _Update:
    """Walk over a document to rename keys and rebuild the lines.

    `parents` are the enclosing keys without choices. `path` is the dotted path to show, `old` and `new` are the
    paths in the document before and after.
    """

    document: Document
    lines: dict[str, int] = field(default_factory=lambda: {"": 1})
    problems: list[LocatedProblem] = field(default_factory=list)

    def mapping(self, tree: Tree, parents: tuple[str, ...], path: str, old: str, new: str) -> Tree:
        updated: Tree = {}
        for key, item in tree.items():
            old_key, shown = join_path(old, key), path if key == "choice" else join_path(path, key)
            renamed = _new_key(parents, key)
            if renamed:
                self._add(old_key, shown, f"renamed to {renamed}")
            if renamed in tree:
                continue
            name = renamed or key
            inner = parents if key == "choice" else (*parents, name)
            updated[name] = self._node(item, inner, shown, old_key, join_path(new, name))
        return updated

    def _node(self, node: YamlValue, parents: tuple[str, ...], path: str, old: str, new: str) -> YamlValue:
        self.lines[new] = find_line(self.document.lines, old)
        if isinstance(node, dict):
            return self.mapping(node, parents, path, old, new)
        if isinstance(node, list):
            return [
                self._node(item, parents, path if old.endswith("choice") else f"{path}.{i}", f"{old}.{i}", f"{new}.{i}")
                for i, item in enumerate(node)
            ]
        if parents[-2:] == ("method", "name") and node in RENAMED_METHODS:
            self._add(old, path, f"{node} was renamed to {RENAMED_METHODS[node]}")
            return RENAMED_METHODS[node]
        return node

    def _add(self, old: str, path: str, message: str) -> None:
        self.problems.append(LocatedProblem(find_line(self.document.lines, old), path, message))


def _new_key(parents: tuple[str, ...], key: str) -> str | None:
    holders = {parents[-1] if parents else "", *(parent for parent in parents if parent == "model")}
    return next((RENAMED_KEYS[holder, key] for holder in holders if (holder, key) in RENAMED_KEYS), None)
