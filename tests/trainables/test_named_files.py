"""Every file that a recipe names is part of a teacher's key and of an experiment's identity."""

from __future__ import annotations

import hashlib

from trainables.named_files import named_file_digests, recipe_file_digests
from trainables.teachers.key import teacher_key
from trainables.weights.published import file_sha256

KD = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


def test_files_and_folders_in_a_section(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth").write_text("1")
    (tmp_path / "hub" / "inner").mkdir(parents=True)
    (tmp_path / "hub" / "inner" / "config.json").write_text("2")
    (tmp_path / "mlp").write_text("3")
    section = {"model": {"name": "mlp", "weights": "w.pth", "of": [{"path": "hub"}], "width": 4, "text": ""}}
    digests = named_file_digests(section | {"train": {"weights": "w.pth"}})
    assert digests == {
        "w.pth": file_sha256(tmp_path / "w.pth"),
        "hub/inner/config.json": file_sha256(tmp_path / "hub" / "inner" / "config.json"),
        "hub/": hashlib.sha256(b"inner/config.json").hexdigest(),
    }


def test_a_changed_file_gives_another_teacher(recipe, digits, tmp_path):
    """By its content, whatever its name: weights, a file of a part of the network, and a knob of a plugin."""
    file = tmp_path / "w.pth"
    teachers = [
        {"model": {"name": "mlp", "hidden": [8]}, "weights": str(file)},
        {"model": {"name": "onnx_network", "file": str(file)}},
        {"teacher": {"model": {"name": "onnx_network", "file": str(file)}}, "method": KD},
    ]
    for teacher in teachers:
        own, keys = recipe(None, KD, teacher=teacher), []
        for content in ("1", "2", "1"):
            file.write_text(content)
            keys.append((teacher_key(own, digits), recipe_file_digests(own, digits)[str(file)]))
        assert keys[0] != keys[1] and keys[0] == keys[2]
        assert keys[0][0] != keys[1][0]
