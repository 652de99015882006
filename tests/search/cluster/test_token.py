"""Tokens: created for a private Ray, required for a cluster, readable by their owner only."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.cluster.token import AUTH_MODE, AUTH_TOKEN, AUTH_TOKEN_PATH, ensure_token, require_token
from spaces.errors import UserError

ADDRESS = "10.0.0.1:6379"


@pytest.fixture(autouse=True)
def token_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of the token file of a user without a token."""
    for name in (AUTH_MODE, AUTH_TOKEN, AUTH_TOKEN_PATH):
        monkeypatch.setenv(name, "")  # restored after the test, also if the code sets it
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".ray" / "auth_token"


@pytest.fixture
def token_file(token_path: Path) -> Path:
    """A token file that all users can read."""
    token_path.parent.mkdir()
    token_path.write_text("0123456789abcdef")
    token_path.chmod(0o644)
    return token_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_created_once_and_private(token_path: Path) -> None:
    ensure_token()
    token = token_path.read_text()
    assert len(token) == 64 and mode(token_path) == 0o600
    ensure_token()
    assert token_path.read_text() == token


def test_a_readable_token_becomes_private(token_file: Path) -> None:
    ensure_token()
    assert token_file.read_text() == "0123456789abcdef" and mode(token_file) == 0o600


@pytest.mark.parametrize(("name", "value"), [(AUTH_MODE, "disabled"), (AUTH_TOKEN, "x"), (AUTH_TOKEN_PATH, "/none")])
def test_settings_of_the_user_are_respected(
    token_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    ensure_token()
    assert not token_path.exists()


def test_a_cluster_without_a_token_is_not_joined(token_path: Path) -> None:
    with pytest.raises(UserError, match=rf"--address {ADDRESS}: no token .*{token_path}.*--insecure-cluster"):
        require_token(ADDRESS, insecure_cluster=False)
    require_token(ADDRESS, insecure_cluster=True)
    assert os.environ[AUTH_MODE] == "disabled"


def test_an_empty_token_is_none(token_file: Path) -> None:
    token_file.write_text("")
    with pytest.raises(UserError, match="no token"):
        require_token(ADDRESS, insecure_cluster=False)


def test_a_disabled_token_is_none(token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH_MODE, "disabled")
    with pytest.raises(UserError, match="no token"):
        require_token(ADDRESS, insecure_cluster=False)


@pytest.mark.parametrize("insecure_cluster", [False, True])
def test_a_required_token_becomes_private(token_file: Path, insecure_cluster: bool) -> None:
    require_token(ADDRESS, insecure_cluster)
    assert mode(token_file) == 0o600


def test_a_token_may_be_in_the_environment_or_in_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv(AUTH_TOKEN, "x")
        require_token(ADDRESS, insecure_cluster=False)
        assert os.environ[AUTH_MODE] == "token"
    file = tmp_path / "elsewhere"
    file.write_text("x")
    monkeypatch.setenv(AUTH_TOKEN_PATH, str(file))
    require_token(ADDRESS, insecure_cluster=False)
    assert mode(file) == 0o600


# A private Ray until the end of the input. Ray reads its token once per process, so that this one is not the process of
# the tests, where an earlier test may have started a Ray.
OWNER = """
import sys, ray
from search.cluster.connect import connected_to_ray
from trainables.data import load_dataset

with connected_to_ray(None, load_dataset("digits")):
    print("address", ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""
JOIN = """
import sys, ray
ray.init(sys.argv[1], logging_level=50, log_to_driver=False)
print("joined")
"""


@pytest.fixture
def owner(token_path: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with a private Ray, whose user had no token."""
    with open(tmp_path / "owner.txt", "w") as log:
        command = [sys.executable, "-c", OWNER]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:  # closes the input, which ends it
        yield process


@pytest.mark.slow
def test_a_private_ray_is_joined_with_its_token_only(owner: subprocess.Popen[str], token_path: Path) -> None:
    assert owner.stdout is not None
    address = next((line.split()[1] for line in owner.stdout if line.startswith("address ")), None)
    assert address, (token_path.parents[1] / "owner.txt").read_text()

    def join(**variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", JOIN, address]
        environment = {**os.environ, **variables}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=540)

    user = join(RAY_AUTH_MODE="token")
    strangers = [join(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64), join(RAY_AUTH_MODE="disabled")]
    assert "joined" in user.stdout, user.stderr
    assert all("joined" not in stranger.stdout and stranger.returncode for stranger in strangers)
    assert mode(token_path) == 0o600


def test_a_home_that_cannot_be_written_passes_the_token_on_in_the_environment(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))  # nothing can be made in it, not even by root
    ensure_token()
    assert len(os.environ[AUTH_TOKEN]) == 64
