"""`COMMAND | python docs/insert.py FILE.md NAME`: put what a command printed between the marks NAME of a Markdown file.

So no number in the README is typed by hand: `make readme` runs the commands.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def insert(page: str, name: str, content: str) -> str:
    """The page with the lines between `<!-- name -->` and `<!-- /name -->` replaced; ValueError without such marks."""
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"no lines <!-- {name} --> and <!-- /{name} -->")
    return marks.sub(lambda found: f"{found[1]}{content.strip()}\n{found[2]}", page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(insert(path.read_text(), sys.argv[2], sys.stdin.read()))
