"""Query osv.dev (Open Source Vulnerabilities) for the versions pinned in constraints.txt.

Exit code 1 if there is an advisory. If the database is unreachable, a message says so and the exit code is 0.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
DATABASE_URL = "https://api.osv.dev/v1/querybatch"
TIMEOUT_SECONDS = 30


def pinned_versions(text: str) -> list[tuple[str, str]]:
    """Return name and version of each line, without the build after a +."""
    lines = (line.split("#")[0].split(";")[0].strip() for line in text.splitlines())
    pairs = (line.partition("==") for line in lines if "==" in line)
    return [(name.strip(), version.strip().partition("+")[0]) for name, _, version in pairs]


def advisories(packages: list[tuple[str, str]], url: str = DATABASE_URL) -> Iterator[str]:
    """Yield one line per advisory; raise OSError or ValueError for an unreachable database."""
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in packages]
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        results = json.load(response)["results"]
    for (name, version), result in zip(packages, results, strict=True):
        yield from (f"{name} {version}: https://osv.dev/{entry['id']}" for entry in result.get("vulns", ()))


def main(url: str = DATABASE_URL) -> int:
    packages = pinned_versions(CONSTRAINTS.read_text())
    try:
        lines = list(advisories(packages, url))
    except (OSError, ValueError, KeyError) as error:
        print(f"Not audited: no answer from {url} ({error}). Run this on a machine that can reach it.")
        return 0
    print("\n".join([*lines, f"{len(packages)} packages, {len(lines)} advisories"]))
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
