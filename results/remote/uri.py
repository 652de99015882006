"""URIs of experiment folders, and their places on this machine."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from spaces import disk
from spaces.errors import UserError

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
EXAMPLES = "s3://BUCKET/NAME or gs://BUCKET/NAME"


def is_uri(place: str | os.PathLike[str]) -> bool:
    """Return True for a URI, False for a path of this machine."""
    return SCHEME.match(os.fspath(place)) is not None


def clean_uri(place: str | os.PathLike[str]) -> str:
    """Return a URI without a slash at its end.

    Raises UserError for a URI without a folder, or with credentials: it is printed and recorded.
    """
    uri = os.fspath(place)
    scheme, separator, rest = uri.partition("://")
    if not separator:  # pathlib removes the second slash
        raise UserError(f"{uri}: expected a URI as text, such as {EXAMPLES}")
    location, _, query = rest.partition("?")
    host, _, path = location.rstrip("/").partition("/")
    if "@" in host and ":" in host.partition("@")[0]:
        raise UserError(f"{scheme}://…@{host.rpartition('@')[2]}: found credentials; set them in the environment")
    if not path.strip("/"):
        raise UserError(f"{uri}: expected a folder in it, such as {EXAMPLES}")
    return f"{scheme}://{host}/{path}" + (f"?{query}" if query else "")


def mirrored_folder(uri: str) -> Path:
    """Return the folder of a search at a URI."""
    return _place("mirrored", uri)


def copied_folder(uri: str) -> Path:
    """Return the folder of a copy for reading."""
    return _place("copies", uri)


def _place(kind: str, uri: str) -> Path:
    name = uri.partition("?")[0].rpartition("/")[2]
    return disk.user_cache() / kind / hashlib.sha256(uri.encode()).hexdigest()[:8] / name
