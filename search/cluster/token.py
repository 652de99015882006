"""Ray token authentication.

Anyone who can connect to a Ray cluster can execute code on it, so a token is required. Ray creates one by itself, but
in a file that all users of the machine can read.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from spaces.errors import UserError

# Environment variables that Ray reads.
AUTH_MODE, AUTH_TOKEN, AUTH_TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def ensure_token() -> None:
    """Create a private token file for a private Ray, if none exists.

    Settings of the user for authentication are left as they are. A home that cannot be written gets no file: the
    token is passed on in the environment.
    """
    file = token_file()
    if os.environ.get(AUTH_MODE, "token") != "token" or AUTH_TOKEN in os.environ:
        return
    if file.is_file():
        _restrict_permissions(file)
    elif AUTH_TOKEN_PATH not in os.environ:
        token = secrets.token_hex(32)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
                new.write(token)
        except FileExistsError:  # made by another run
            pass
        except OSError:
            os.environ[AUTH_TOKEN] = token


def set_auth_mode(insecure_cluster: bool) -> None:
    """Choose Ray's authentication for a cluster, unless it is set.

    Ray reads the variable while it is imported, so this comes before.
    """
    os.environ.setdefault(AUTH_MODE, "disabled" if insecure_cluster else "token")


def require_token(address: str, insecure_cluster: bool) -> None:
    """Raise UserError if there is no token for a cluster, unless `insecure_cluster`."""
    file = token_file()
    if AUTH_TOKEN not in os.environ and file.is_file():
        _restrict_permissions(file)
    has_token = bool(os.environ.get(AUTH_TOKEN)) or (file.is_file() and file.stat().st_size > 0)
    if insecure_cluster:
        os.environ.setdefault(AUTH_MODE, "disabled")  # otherwise Ray would use a token file that exists here
        return
    if os.environ.get(AUTH_MODE, "token") != "token" or not has_token:
        raise UserError(
            f"--address {address}: no token ({AUTH_TOKEN}, or the file {file}); without one, anyone who can connect to "
            "the cluster can run code on it. Make one by `ray get-auth-token --generate`, copy it to every node (see "
            "CLUSTER.md), or join without one by --insecure-cluster"
        )
    os.environ[AUTH_MODE] = "token"


def token_file() -> Path:
    """Return the path of Ray's token file."""
    return Path(os.environ.get(AUTH_TOKEN_PATH, "~/.ray/auth_token")).expanduser()


def _restrict_permissions(file: Path) -> None:
    """Make a token file readable by its owner only.

    Ray writes it with mode 0644.
    """
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        try:
            file.chmod(0o600)
        except OSError as error:
            raise UserError(f"{file}: a token that other users can read ({error.strerror}); make it 0600") from None
