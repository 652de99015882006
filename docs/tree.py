"""`python docs/tree.py`: the source tree with one phrase per file, taken from its docstring or head comment."""

from __future__ import annotations

import ast
import re
from pathlib import Path

FOLDERS = ("spaces", "trainables", "search", "results")
ROOT = Path(__file__).parent.parent


def phrase(path: Path) -> str:
    """Return the first sentence, up to a semicolon, of a module's docstring or of a space's head comment."""
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
    else:
        comment = [line for line in path.read_text().splitlines() if line.startswith("#") and "$schema" not in line]
        text = " ".join(line.lstrip("# ") for line in comment)
    return re.split(r"[.;] ", " ".join(text.split("\n\n")[0].split()))[0].rstrip(".")


def tree() -> str:
    """Return the four packages as text, with folders first."""
    lines = []
    for folder in FOLDERS:
        for folder_path in [
            ROOT / folder,
            *sorted(path for path in (ROOT / folder).rglob("*") if (path / "__init__.py").exists()),
        ]:
            depth = len(folder_path.relative_to(ROOT).parts) - 1
            lines.append((f"{'  ' * depth}{folder_path.name}/", phrase(folder_path / "__init__.py")))
            files = [
                path
                for path in sorted(folder_path.iterdir())
                if path.suffix in (".py", ".yaml") and path.name != "__init__.py"
            ]
            lines += [(f"{'  ' * (depth + 1)}{path.name}", phrase(path)) for path in files]
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(["```", *(f"{name:<{width}}{text}".rstrip() for name, text in lines), "```"])


if __name__ == "__main__":
    print(tree())
