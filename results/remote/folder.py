"""Files of a folder at a URI, through pyarrow or fsspec.

Endpoint and credentials come from where every client of the store reads them: for S3 the variables AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or a profile or role.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow
from pyarrow import fs

from results.remote.uri import EXAMPLES, clean_uri
from spaces.errors import UserError

BUCKET_SCHEMES = ("s3", "gs", "gcs")
READ_ONLY_SCHEMES = ("http", "https", "hf", "data")
# pieces of the stores' error messages, and what to do
REMEDIES = {
    ("NO_SUCH_BUCKET",): "no such bucket; create it, or correct its name",
    (
        *("ACCESS_DENIED", "INVALID_ACCESS_KEY", "SIGNATURE", "UNRECOGNIZED_CLIENT", "MISSING_AUTHENTICATION"),
        *("PERMISSION_DENIED", "UNAUTHENTICATED", "OAuth2"),
    ): "access denied; check the credentials (for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) and their rights",
    ("NETWORK_CONNECTION", "onnect", "esolve", "imeout"): "not reachable; check the network, and for S3 "
    "AWS_ENDPOINT_URL and AWS_REGION",
}
MAX_REASON_CHARACTERS = 300


class RemoteError(UserError):
    """Error of a store: missing, unreachable or without access."""


class RemoteFile(NamedTuple):
    """Version of a file at a URI."""

    size: int  # bytes
    modified: int  # ns since 1970, by the clock of the store


class RemoteFolder:
    """Folder at a URI; names are relative to it, with slashes.

    Every method raises RemoteError, with a remedy where there is one.
    """

    def __init__(self, uri: str) -> None:
        self.uri = clean_uri(uri)
        self._filesystem, self._path = _open_filesystem(self.uri)
        stores = [getattr(fs, name, None) for name in ("S3FileSystem", "GcsFileSystem", "AzureFileSystem")]
        self._shows_parts = not isinstance(self._filesystem, tuple(kind for kind in stores if kind))
        bucket = self._path.partition("/")[0]
        if self.uri.partition(":")[0] in BUCKET_SCHEMES:
            with _remote_errors(self.uri):
                if self._filesystem.get_file_info(bucket).type == fs.FileType.NotFound:
                    raise RemoteError(f"{self.uri}: no such bucket: {bucket}; create it, or correct its name")

    def files(self) -> dict[str, RemoteFile]:
        """Return all files, also in sub-folders, without hidden ones."""
        selector = fs.FileSelector(self._path, recursive=True, allow_not_found=True)
        with _remote_errors(self.uri):
            entries = self._filesystem.get_file_info(selector)
        named = {entry.path.removeprefix(f"{self._path}/"): entry for entry in entries if entry.is_file}
        return {
            name: RemoteFile(entry.size, entry.mtime_ns or 0)
            for name, entry in named.items()
            if not any(part.startswith(".") for part in name.split("/"))
        }

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None without one."""
        with _remote_errors(self.uri):
            try:
                with self._filesystem.open_input_stream(f"{self._path}/{name}") as stream:
                    return stream.read()
            except FileNotFoundError:
                return None

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return a JSON object, None without one or for another content."""
        try:
            content = json.loads(self.read(name) or b"null")
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically.

        Object stores show a file when it is complete; elsewhere it is written beside its place and moved.
        """
        path = f"{self._path}/{name}"
        with _remote_errors(self.uri):
            if not self._shows_parts:
                self._write_stream(path, content)
                return
            folder, _, file_name = path.rpartition("/")
            self._filesystem.create_dir(folder, recursive=True)
            self._write_stream(f"{folder}/.{file_name}.part", content)
            self._filesystem.move(f"{folder}/.{file_name}.part", path)

    def _write_stream(self, path: str, content: bytes) -> None:
        with self._filesystem.open_output_stream(path) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        """Remove a file, if present."""
        with _remote_errors(self.uri):
            try:
                self._filesystem.delete_file(f"{self._path}/{name}")
            except FileNotFoundError:
                return

    def move_file(self, name: str, ending: str) -> None:
        """Move a file to the folder with this ending beside this one."""
        target = f"{self._path}{ending}/{name}"
        with _remote_errors(self.uri):
            if self._shows_parts:
                self._filesystem.create_dir(target.rpartition("/")[0], recursive=True)
            self._filesystem.move(f"{self._path}/{name}", target)


def _open_filesystem(uri: str) -> tuple[Any, str]:
    """Return the file system of a URI and the path in it."""
    scheme = uri.partition(":")[0]
    if scheme in READ_ONLY_SCHEMES:
        raise RemoteError(f"{uri}: {scheme}:// cannot be written; expected {EXAMPLES}")
    option = f"{'&' if '?' in uri else '?'}allow_delayed_open=true"  # one request for a small file
    with _remote_errors(uri):
        try:
            return fs.FileSystem.from_uri(uri + option if scheme == "s3" else uri)
        except pyarrow.ArrowInvalid as error:
            if "Unrecognized filesystem" not in str(error):
                raise
        import fsspec

        try:
            filesystem, path = fsspec.core.url_to_fs(uri)
        except ValueError as error:
            if "Protocol not known" not in str(error):
                raise
            raise RemoteError(f"{uri}: unknown scheme {scheme}; expected {EXAMPLES}") from None
        except ImportError as error:
            raise RemoteError(f"{uri}: {scheme}:// needs a package: {error}") from None
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path


@contextmanager
def _remote_errors(uri: str) -> Iterator[None]:
    """Turn the errors of a store into RemoteErrors of one line."""
    try:
        yield
    except (OSError, ValueError, NotImplementedError, pyarrow.ArrowException) as error:
        text = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())[:MAX_REASON_CHARACTERS]
        remedy = next((remedy for words, remedy in REMEDIES.items() if any(word in text for word in words)), None)
        raise RemoteError(f"{uri}: {remedy} ({text})" if remedy else f"{uri}: {text}") from None
