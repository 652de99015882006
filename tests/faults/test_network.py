"""Searches on two nodes without a shared disk, and with a folder that shows new files late, as NFS does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import two_nodes
from conftest import FULL
from test_driver import ADAPTIVE, ended, trained
from two_nodes import Cluster

inside = two_nodes.inside

SPACES = {
    "grid": {},
    "TPE + ASHA with confirm": {
        **ADAPTIVE,
        "teacher": {"model": {"name": "mlp", "hidden": [93]}, "train": {"epochs": 12, "batch_size": 4}},
        "confirm": {"top": 1, "seeds": [5, 6]},
        "resources": {"workers": 1},  # proposals then do not depend on the order in which students end
    },
}
# Moments: the stage of a search, and an event of the cluster in it.
START = [("start", "join other code"), ("start", "join")]
FEW_MOMENTS = [*START, ("explore", "kill node"), ("explore", "join")]
MOMENTS = {
    "grid": [*FEW_MOMENTS, ("explore", "join"), ("explore", "kill worker"), ("explore", "kill node")],
    "TPE + ASHA with confirm": [
        *[*START, ("teacher", "kill node"), ("teacher", "join"), ("explore", "kill worker"), ("explore", "join")],
        *[("explore", "kill node"), ("explore", "kill driver"), ("explore", "join other code")],
        *[("confirm", "kill worker"), ("confirm", "kill node"), ("confirm", "join"), ("tables", "kill driver")],
    ],
}


STRANGER = "RAY_AUTH_TOKEN= HOME=/nowhere search --out {folder}.stranger > {folder}.stranger.txt 2>&1"
# A node sees its own changes at once, and new files of another one after 30 s. Locks are those of the shared folder.
BINDFS = "bindfs --multithreaded --enable-lock-forwarding -o attr_timeout=0,entry_timeout=30,negative_timeout=30"
SHOWS_FILES_LATE = "[ ! -e {view}/late ]; touch {shared}/late; [ ! -e {view}/late ]"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, slow_space, start):
    """Return a function that trains a kind of search once, on this machine, and returns its folder."""
    folders: dict[str, Path] = {}

    def train(kind: str) -> Path:
        if kind not in folders:
            place = tmp_path_factory.mktemp("undisturbed")
            folders[kind] = place / "run"
            run = start(slow_space(place, **SPACES[kind]), folders[kind])
            assert run.wait() == 0, run.output()
        return folders[kind]

    return train


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPACES if FULL else ["TPE + ASHA with confirm"])
def test_nodes_that_share_no_disk_come_and_go(
    kind, inside, places, tmp_path, slow_space, undisturbed, assert_same, tally
):
    """A search on nodes that join and die, also with other code, has the students of one node, bit for bit."""
    space, mounts = slow_space(tmp_path, **SPACES[kind]), ("", f"mount -t tmpfs tmpfs {places}")
    cluster = Cluster(inside, space, tmp_path / "run", places / "teachers", mounts=mounts, last=STRANGER)
    events, lost, epochs = 0, 0, 0
    moments = MOMENTS[kind] if FULL else FEW_MOMENTS
    for stage, event in moments:
        cluster.wait_for_moment(stage, epochs)
        before = ended(cluster.folder)
        getattr(cluster, event.replace(" ", "_"))()
        after, epochs = ended(cluster.folder), trained(cluster.folder)
        lost += sum(after.get(trial) != past for trial, past in before.items())
        events += not cluster.exit_code()
    assert cluster.head.wait(900) == 2
    output = cluster.output()
    assert cluster.exit_code() == "0" and "Traceback" not in output, output
    refused = cluster.folder.with_suffix(".stranger.txt").read_text()
    assert "no token" in refused and "Traceback" not in refused
    expected = undisturbed(kind)
    assert_same(cluster.folder, expected)
    repeated = trained(cluster.folder) - trained(expected)
    kills = sum("kill" in event for _, event in moments)
    assert repeated <= kills
    assert events == len(moments) if FULL else events >= len(START)  # all, on an idle machine
    note = f"{kills} kills of workers, nodes and the driver; other code is refused"
    tally(
        f"nodes without a shared disk that come and go, {kind}", tries=events, lost=lost, repeated=repeated, note=note
    )


@pytest.mark.slow
def test_a_shared_folder_that_shows_files_late(
    inside, tmp_path, slow_space, undisturbed, assert_same, tally, skip_without
):
    """A home directory on NFS: experiment and teacher cache are one folder, which each node sees in its own way."""
    skip_without(bindfs=shutil.which("bindfs"))
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("no /dev/fuse here")
    shared, view, kind = tmp_path / "shared", tmp_path / "view", "TPE + ASHA with confirm"
    shared.mkdir()
    view.mkdir()
    mount = f"{BINDFS} {shared} {view}"
    mounts = (f"{mount}; {SHOWS_FILES_LATE.format(view=view, shared=shared)}", mount)
    out, cache = view / "run", view / "teachers"
    space = slow_space(tmp_path, **SPACES[kind])
    cluster = Cluster(inside, space, shared / "run", shared / "teachers", mounts=mounts, out=out, cache=cache)
    cluster.join()
    assert cluster.head.wait(900) == 0, cluster.log.read_text() + cluster.output()
    assert "Traceback" not in cluster.output(), cluster.output()
    assert_same(cluster.folder, undisturbed(kind))
    assert set(shared.glob("teachers/*/weights.safetensors"))  # by the node, in the folder of both
    tally("a folder that shows new files 30 s late, TPE + ASHA with confirm", tries=1, note="as NFS may")
