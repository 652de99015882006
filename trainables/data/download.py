"""Fetching one file from the first mirror that serves it whole; only ever called for --download."""

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

SILENCE_SECONDS = 30.0  # seconds without a sign from the server
DEADLINE_SECONDS = 600.0  # seconds for one file; the time-out alone lets a server drip one byte at a time for ever
MIN_BYTES_PER_SECOND = 100_000  # bytes a second that a larger file is given beyond that
CHUNK_BYTES = 2**16  # bytes


def fetch_file(name: str, folder: Path, mirrors: Sequence[str], most: int, verify: Callable[[Path], object]) -> Path:
    """Put a file of up to `most` bytes into the folder once `verify` accepts it; a UserError if no mirror has it."""
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=folder) as temporary:  # same disk: the rename is atomic
            for mirror in mirrors:
                part = Path(temporary) / name
                if failure := _try_mirror(mirror + name, part, most, verify):
                    failures.append(f"{mirror}{name}: {failure}")
                else:
                    part.replace(folder / name)
                    return folder / name
    except OSError as error:
        raise UserError(f"{folder}: cannot write the download there ({error})") from error
    raise UserError(f"{name}: no mirror served it; {'; '.join(failures)}; offline? put the file into {folder} yourself")


def _try_mirror(url: str, part: Path, most: int, verify: Callable[[Path], object]) -> str | None:
    """Download and verify; what went wrong, or None."""
    try:
        _download_part(url, part, most)
        verify(part)
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code} {error.reason}"
    except (OSError, HTTPException, UserError) as error:
        return str(error).replace(f"{part}: ", "") or type(error).__name__
    return None


def _download_part(url: str, part: Path, most: int) -> None:
    allowed = DEADLINE_SECONDS + most / MIN_BYTES_PER_SECOND
    end = time.monotonic() + allowed
    with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as answer, part.open("wb") as file:
        chunks = iter(partial(answer.read1, CHUNK_BYTES), b"")
        for chunk in show_progress(chunks, answer.length or most, f"fetching {part.name}, bytes", len):
            if time.monotonic() > end:
                raise TimeoutError(f"not done after {allowed:.0f} seconds")
            if file.tell() + len(chunk) > most:
                raise OSError(f"sends more than {most:,} bytes")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
