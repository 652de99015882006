"""Downloads of single files from mirrors, used by --download only."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from spaces.errors import UserError
from trainables.data.progress_line import show_progress

SILENCE_SECONDS = 30.0  # without data from the server
DEADLINE_SECONDS = 600.0  # for one file, because the silence limit alone allows a server to send one byte at a time
MIN_BYTES_PER_SECOND = 100_000  # extends the deadline of large files
CHUNK_BYTES = 2**16


def fetch_file(name: str, folder: Path, mirrors: Sequence[str], largest: int, verify: Callable[[Path], object]) -> Path:
    """Download a file of at most `largest` bytes into a folder.

    `verify` raises UserError for a wrong file; then the next mirror is tried. Raises UserError if all mirrors fail.
    """
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=folder) as temporary:  # same disk: the rename is atomic
            for mirror in mirrors:
                part = Path(temporary) / name
                if failure := _try_mirror(mirror + name, part, largest, verify):
                    failures.append(f"{mirror}{name}: {failure}")
                else:
                    part.replace(folder / name)
                    return folder / name
    except OSError as error:
        raise UserError(f"{folder}: cannot write the download there ({error})") from error
    raise UserError(f"{name}: no mirror served it; {'; '.join(failures)}; offline? put the file into {folder} yourself")


def _try_mirror(url: str, part: Path, largest: int, verify: Callable[[Path], object]) -> str | None:
    """Download and verify; return the failure, or None."""
    try:
        _download_part(url, part, largest)
        verify(part)
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code} {error.reason}"
    except (OSError, HTTPException, UserError) as error:
        return str(error).replace(f"{part}: ", "") or type(error).__name__
    return None


def _download_part(url: str, part: Path, largest: int) -> None:
    seconds = DEADLINE_SECONDS + largest / MIN_BYTES_PER_SECOND
    end = time.monotonic() + seconds
    with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as response, part.open("wb") as file:
        chunks = iter(partial(response.read1, CHUNK_BYTES), b"")
        for chunk in show_progress(chunks, response.length or largest, f"fetching {part.name}, bytes", len):
            if time.monotonic() > end:
                raise TimeoutError(f"not done after {seconds:.0f} seconds")
            if file.tell() + len(chunk) > largest:
                raise OSError(f"sends more than {largest:,} bytes")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
