"""Tokens: made for a Ray of our own, demanded of a cluster, and kept from other users' eyes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from search.cluster import token
from spaces.errors import UserError

ADDRESS = "10.0.0.1:6379"


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without tokens; returns where one would lie."""
    for name in (token.MODE, token.TOKEN, token.PLACE):
        monkeypatch.setenv(name, "")  # so that it is put back, whatever sets it
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".ray" / "auth_token"


@pytest.fixture
def file(nobody: Path) -> Path:
    nobody.parent.mkdir()
    nobody.write_text("0123456789abcdef")
    nobody.chmod(0o644)
    return nobody


def test_a_token_is_made_once_and_for_its_owner_alone(nobody: Path) -> None:
    token.keep()
    made = nobody.read_text()
    assert len(made) == 64 and stat.S_IMODE(nobody.stat().st_mode) == 0o600
    token.keep()
    assert nobody.read_text() == made


def test_a_token_that_others_may_read_is_closed(file: Path) -> None:
    token.keep()
    assert file.read_text() == "0123456789abcdef" and stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(("name", "value"), [(token.MODE, "disabled"), (token.TOKEN, "x"), (token.PLACE, "/none")])
def test_who_has_decided_otherwise_is_left_alone(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    token.keep()
    assert not nobody.exists()


def test_a_cluster_without_a_token_is_not_joined(nobody: Path) -> None:
    with pytest.raises(UserError, match=rf"--address {ADDRESS}: no token .*{nobody}.*--insecure-cluster"):
        token.demand(ADDRESS, insecure=False)
    token.demand(ADDRESS, insecure=True)
    assert os.environ[token.MODE] == "disabled"


def test_an_empty_token_is_none(file: Path) -> None:
    file.write_text("")
    with pytest.raises(UserError, match="no token"):
        token.demand(ADDRESS, insecure=False)


def test_a_token_that_is_switched_off_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(token.MODE, "disabled")
    with pytest.raises(UserError, match="no token"):
        token.demand(ADDRESS, insecure=False)


@pytest.mark.parametrize("insecure", [False, True])
def test_the_file_of_a_token_becomes_the_owner_s_alone(file: Path, insecure: bool) -> None:
    token.demand(ADDRESS, insecure)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_in_the_environment_or_elsewhere_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as given:
        given.setenv(token.TOKEN, "x")
        token.demand(ADDRESS, insecure=False)
        assert os.environ[token.MODE] == "token"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("x")
    monkeypatch.setenv(token.PLACE, str(elsewhere))
    token.demand(ADDRESS, insecure=False)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o600


STRANGER = """
import sys, ray
ray.init(sys.argv[1], logging_level=50, log_to_driver=False)
print("joined")
"""


@pytest.mark.slow
def test_a_stranger_does_not_join_a_ray_of_our_own(nobody: Path, tmp_path: Path, digits) -> None:
    """Who has the token joins; who has another one, or none, does not."""
    import ray

    from search.cluster.connect import connected

    def strange(**given: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", STRANGER, ray.get_runtime_context().gcs_address]
        environment = {**os.environ, **given}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)

    with connected(None, tmp_path, digits, print):
        known = strange()
        others = [strange(RAY_AUTH_TOKEN="0" * 64), strange(RAY_AUTH_MODE="disabled")]
    assert "joined" in known.stdout, known.stderr
    assert all("joined" not in each.stdout and each.returncode for each in others)
    assert stat.S_IMODE(nobody.stat().st_mode) == 0o600
