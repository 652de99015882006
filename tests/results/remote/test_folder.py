"""Files at a URI: an S3-compatible server, a folder through file://, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from results import command_line, records
from results.paths import space_file
from results.remote import uri
from results.remote.experiment_copy import copy_experiment
from results.remote.folder import RemoteError, RemoteFolder
from spaces.errors import UserError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("place", ["s3", "file"])
def test_files_are_written_listed_moved_and_removed(place, bucket, tmp_path):
    remote = RemoteFolder(f"{bucket}/run/" if place == "s3" else f"file://{tmp_path}/far/run")
    assert remote.files() == {} and remote.read("a/b") is None
    remote.write("a/b", b"1234")
    remote.write("a/.hidden", b"{}")
    remote.write("c", b"x" * 6_000_000)  # several parts
    files = remote.files()
    assert {name: version.size for name, version in files.items()} == {"a/b": 4, "c": 6_000_000}
    assert abs(files["c"].modified / 1e9 - time.time()) < 60
    assert remote.read_json("a/.hidden") == {} and remote.read_json("a/b") is None
    remote.move_file("a/b", ".aside")
    remote.remove("c")
    remote.remove("c")
    assert remote.files() == {} and RemoteFolder(f"{remote.uri}.aside").read("a/b") == b"1234"


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://missing-bucket/run", "no such bucket: missing-bucket; create it"),
        ("s3://bucket", "expected a folder in it, such as s3://BUCKET/NAME"),
        ("s3:/bucket/run", "expected a URI as text"),
        ("s3://key:secret@bucket/run", "s3://…@bucket: found credentials; set them in the environment"),
        ("foo://bucket/run", "unknown scheme foo; expected s3://"),
        ("http://host/run", "http:// cannot be written; expected s3://"),
        ("sftp://host/run", "sftp:// needs a package:"),
        ("abfs://container/run", "account name"),
        ("s3://bucket/run?colour=red", "query parameter"),
    ],
)
def test_what_is_not_supported_is_refused_in_one_line(bucket, place, message):
    with pytest.raises(UserError) as refused:
        RemoteFolder(place)
    assert message in str(refused.value) and "\n" not in str(refused.value) and "secret" not in str(refused.value)


def test_a_store_out_of_reach(bucket, monkeypatch):
    remote = RemoteFolder(f"{bucket}/run")
    remote.write("a", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match=r"not reachable; check the network, and for S3 AWS_ENDPOINT_URL"):
        RemoteFolder(f"{bucket}/run")


def test_wrong_credentials(bucket, monkeypatch):
    remote = RemoteFolder(f"{bucket}/run")
    remote.write("a", b"")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")  # the server denies removals without a signature
    with pytest.raises(RemoteError, match="access denied; check the credentials"):
        RemoteFolder(f"{bucket}/run").remove("a")


def test_a_copy_has_what_tables_need_and_follows_changes(bucket, tmp_path):
    remote = RemoteFolder(f"{bucket}/runs/mnist")
    with pytest.raises(RemoteError, match=r"not an experiment folder"):
        copy_experiment(remote.uri)
    names = [
        "space.yaml",
        "trials/a/epochs.jsonl",
        "trials/a/student.safetensors",
        "teacher_cache/b/weights.safetensors",
    ]
    for name in names:
        remote.write(name, b"1")
    folder = copy_experiment(remote.uri)
    assert folder.name == "mnist" and folder.is_relative_to(tmp_path / "cache")
    assert files_of(folder) == names[:2]
    before = space_file(folder).stat().st_mtime_ns
    remote.write(names[1], b"22")
    remote.write("trials/c/epochs.jsonl", b"3")
    assert files_of(copy_experiment(remote.uri)) == [*names[:2], "trials/c/epochs.jsonl"]
    assert (folder / names[1]).read_bytes() == b"22" and space_file(folder).stat().st_mtime_ns == before
    remote.remove("trials/c/epochs.jsonl")
    assert files_of(copy_experiment(remote.uri, with_weights=True)) == names[:3]


def files_of(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]


def test_results_of_a_uri(bucket, capsys):
    assert command_line.main(["compare", f"{bucket}/run"]) == 2
    assert command_line.main([f"{bucket}/run"]) == 2 and command_line.main(["export", f"{bucket}/run"]) == 2
    assert capsys.readouterr().err == f"{bucket}/run: not an experiment folder: it holds no space.yaml\n" * 3


def test_places_are_named_by_the_uri():
    assert uri.is_uri("s3://b/run") and uri.is_uri(Path("s3://b/run")) and not uri.is_uri("runs/x")
    places = {uri.mirrored_folder("s3://b/run"), uri.mirrored_folder("s3://c/run"), uri.copied_folder("s3://b/run")}
    assert len(places) == 3 and {place.name for place in places} == {"run"}
    assert uri.clean_uri("s3://b/x/run/?region=eu-west-1") == "s3://b/x/run?region=eu-west-1"
    assert records.trial_names(uri.mirrored_folder("s3://b/run")) == []
