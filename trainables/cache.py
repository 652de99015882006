"""`python -m trainables.cache`: show the cache, or remove old parts of it."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from spaces.errors import exits_on_user_error
from trainables.data.cache_limit import BYTES_PER_GB, image_arrays, limit_bytes, remove_arrays
from trainables.data.locations import cache_folder, images_folder

DAY_SECONDS = 86400.0


class CachePart(NamedTuple):
    """Entries of one kind in the cache."""

    name: str
    entries: int
    bytes: int


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after a UserError."""
    options = _parser().parse_args(arguments)
    if options.prune:
        for line in prune_cache(options.days):
            print(line)
    print(f"{cache_folder()}: images limited to {limit_bytes() / BYTES_PER_GB:g} GB by KD_CACHE_GB")
    for part in cache_parts():
        print(f"  {part.name:<16}{part.entries:>7,}{part.bytes / BYTES_PER_GB:>10.2f} GB")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainables.cache", description=__doc__)
    parser.add_argument("--prune", action="store_true", help="remove decoded images and unpacked archives not in use")
    parser.add_argument(
        "--days", type=float, default=30.0, metavar="N", help="only those unused for N days (default 30)"
    )
    return parser


def cache_parts() -> list[CachePart]:
    """Return number and size of teachers, decoded images and unpacked archives."""
    arrays = list(image_arrays(images_folder()))
    teachers = [path.parent for path in cache_folder().glob("*/weights.safetensors")]
    return [
        CachePart("teachers", len(teachers), _total_bytes(teachers)),
        CachePart("image arrays", len(arrays), sum(array.bytes for array in arrays)),
        CachePart("unpacked", len(unpacked := _unpacked_folders()), _total_bytes(unpacked)),
    ]


def prune_cache(days: float) -> list[str]:
    """Remove image arrays and unpacked archives unused for some days.

    Arrays that a running search holds stay. Everything removed is made again when it is needed.
    """
    oldest = time.time() - days * DAY_SECONDS
    removed = remove_arrays(array for array in image_arrays(images_folder()) if array.used <= oldest)
    lines = [f"removed {array.path} ({array.bytes / BYTES_PER_GB:.2f} GB)" for array in removed]
    for folder in _unpacked_folders():
        if folder.stat().st_mtime <= oldest:
            shutil.rmtree(folder)
            lines.append(f"removed {folder}")
    return lines


def _unpacked_folders() -> list[Path]:
    return sorted(path for path in (cache_folder() / "unpacked").glob("*") if path.is_dir())


def _total_bytes(folders: Iterable[Path]) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
