"""Ask the Open Source Vulnerabilities database (osv.dev) about every version that constraints.txt pins.

Exit code 1 where an advisory is known; where the database cannot be reached, that is said and nothing is claimed.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PINNED = Path(__file__).parents[1] / "constraints.txt"
DATABASE = "https://api.osv.dev/v1/querybatch"
SECONDS = 30


def pinned(text: str) -> list[tuple[str, str]]:
    """Name and version of each line; what comes after + names a build of a version."""
    lines = (line.split("#")[0].split(";")[0].strip() for line in text.splitlines())
    pairs = (line.partition("==") for line in lines if "==" in line)
    return [(name.strip(), version.strip().partition("+")[0]) for name, _, version in pairs]


def advisories(packages: list[tuple[str, str]], database: str = DATABASE) -> Iterator[str]:
    """A line for each advisory about one of these versions; raises OSError or ValueError where nobody answers."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages]
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(database, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        results = json.load(answer)["results"]
    for (name, version), found in zip(packages, results, strict=True):
        yield from (f"{name} {version}: https://osv.dev/{each['id']}" for each in found.get("vulns", ()))


def main(database: str = DATABASE) -> int:
    packages = pinned(PINNED.read_text())
    try:
        found = list(advisories(packages, database))
    except (OSError, ValueError, KeyError) as error:
        print(f"Not audited: {database} gives no answer ({error}). Run this where it can be reached.")
        return 0
    print("\n".join([*found, f"{len(packages)} packages, {len(found)} advisories"]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
