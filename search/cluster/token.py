"""Who may talk to Ray: whoever has its token, for whoever talks to Ray can run any code where it runs."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from spaces.errors import UserError

MODE, TOKEN, PLACE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


def keep() -> None:
    """Have a token for the Ray that this process is about to start, readable by this user alone.

    Ray asks for one by itself, but would write it for all to read.
    """
    file = _file()
    if os.environ.get(MODE, "token") != "token" or TOKEN in os.environ:
        return  # somebody has decided otherwise
    if file.is_file():
        _close(file)
    elif PLACE not in os.environ:
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_hex(32))


def _file() -> Path:
    return Path(os.environ.get(PLACE, "~/.ray/auth_token")).expanduser()


def demand(address: str, insecure: bool) -> None:
    """Raise UserError where a cluster would be joined without a token, unless that is wanted; keep its file private."""
    file = _file()
    if TOKEN not in os.environ and file.is_file():
        _close(file)
    has = bool(os.environ.get(TOKEN)) or (file.is_file() and file.stat().st_size > 0)
    if insecure:
        os.environ.setdefault(MODE, "disabled")  # or Ray would ask for the token that happens to lie here, and wait
        return
    if os.environ.get(MODE, "token") != "token" or not has:
        raise UserError(
            f"--address {address}: no token ({TOKEN}, or the file {file}); whoever reaches a cluster without one can "
            "run any code on it. Make one by `ray get-auth-token --generate`, give it to every node (see CLUSTER.md), "
            "or join all the same by --insecure-cluster"
        )
    os.environ[MODE] = "token"


def _close(file: Path) -> None:
    """Ray writes its token for all to read: make it the owner's alone."""
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        try:
            file.chmod(0o600)
        except OSError as error:
            raise UserError(f"{file}: a token that others may read, and {error.strerror}; make it 0600") from None
