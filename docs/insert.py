"""`COMMAND | python docs/insert.py NAME FILE.md …`: put a command's output between the marks NAME of one of the files.

`make readme` uses it, so no number in README.md or docs/ is typed by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path


def insert(page: str, name: str, content: str) -> str:
    """Return the page with the lines between `<!-- name -->` and `<!-- /name -->` replaced.

    Raises ValueError if the page has no such marks.
    """
    before, _, after = split_at_marks(page, name)
    return f"{before}{content.strip()}\n{after}"


def split_at_marks(page: str, name: str) -> tuple[str, str, str]:
    """Return a page up to the lines between the marks, these lines, and the rest.

    Raises ValueError if the page has no such marks.
    """
    opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, has_opening, rest = page.partition(opening)
    content, has_closing, after = rest.partition(closing)
    if not (has_opening and has_closing):
        raise ValueError(f"no lines <!-- {name} --> and <!-- /{name} -->")
    return before + opening, content, closing + after


def page_with_marks(pages: list[Path], name: str) -> Path:
    """Return the first page with the opening mark; raise ValueError if none has it."""
    for page in pages:
        if f"<!-- {name} -->" in page.read_text(encoding="utf-8"):
            return page
    raise ValueError(f"no page of {', '.join(map(str, pages))} has the mark <!-- {name} -->")


if __name__ == "__main__":
    printed = sys.stdin.read()
    if not printed.strip():  # a pipe hides that the command failed
        sys.exit(f"{sys.argv[1]}: the command printed nothing, so the page is left as it is")
    target = page_with_marks([Path(file) for file in sys.argv[2:]], sys.argv[1])
    target.write_text(insert(target.read_text(encoding="utf-8"), sys.argv[1], printed), encoding="utf-8")
