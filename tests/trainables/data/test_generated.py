"""Generated data sets, read by the loaders of the layouts they imitate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data import DATASETS, generate_dataset, load_dataset
from trainables.data.generated import GENERATORS

KNOBS: dict[str, dict[str, Any]] = {
    "idx": {"folder": "/nowhere", "validation": 10**6},
    "folder": {"path": "/nowhere", "size": 48, "test": 0.3},
    "cifar100": {"labels": "coarse"},
    "tiny_imagenet": {"classes": 12, "validation": 9000},
    "mhist": {"size": 32},
}
CLASSES = {"idx": 10, "fashion_mnist": 10, "cifar10": 10, "cifar100": 20, "tiny_imagenet": 12, "mhist": 2, "folder": 3}


def test_all_but_mnist_are_embedded_or_generated(tmp_path: Path) -> None:
    assert set(DATASETS) - set(GENERATORS) == {"mnist", "mnist5k", "digits"}
    assert generate_dataset("mnist") is None and generate_dataset("digits") is None


@pytest.mark.parametrize("name", GENERATORS)
def test_it_is_small_and_has_every_class(name: str) -> None:
    data = generate_dataset(name, **KNOBS.get(name, {}))
    assert data and data.name == f"generated {name}" and "generated" in data.source
    assert len(data.classes) == CLASSES[name] and all(0 < n < 1000 for n in data.sizes.values())
    for split in data[:3]:
        assert set(split.labels) == set(range(CLASSES[name]))
    assert data.shape[1:] == {"folder": (48, 48), "tiny_imagenet": (64, 64)}.get(name, data.shape[1:])


@pytest.mark.parametrize("name", GENERATORS)
def test_it_can_be_learned(name: str) -> None:
    """The nearest class mean is mostly right, even if a coarse class has five patterns."""
    data = generate_dataset(name, **KNOBS.get(name, {}))
    assert data
    train, test = (split.images.reshape(len(split.images), -1).astype(float) for split in (data.train, data.test))
    means = np.stack([train[data.train.labels == label].mean(0) for label in range(len(data.classes))])
    nearest = [((means - image) ** 2).sum(1).argmin() for image in test]
    assert (nearest == data.test.labels).mean() > 0.8


@pytest.mark.parametrize("name", GENERATORS)
def test_it_is_always_the_same_and_leaves_no_files(
    name: str, tmp_path: Path, image_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    first, second = (generate_dataset(name, **KNOBS.get(name, {})) for _ in range(2))
    assert first and second and first.fingerprint() == second.fingerprint()
    assert not list(tmp_path.iterdir()) and not image_cache_folder.exists()


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("cifar10", [["cat", "dog", "bird", "deer", "frog", "horse"], ["airplane", "automobile", "ship", "truck"]]),
        ("idx", [[1, 2, 3], [24, 25, 26]]),
        ("tiny_imagenet", [["goldfish", "bullfrog"], ["reel"]]),
        ("folder", [["cat", "dog"], ["my cup"]]),
    ],
)
def test_it_has_the_grouped_classes(name: str, groups: list[list[Any]]) -> None:
    values = KNOBS.get(name, {}) | {"groups": groups}
    values.pop("classes", None)
    data = generate_dataset(name, **values)
    assert data and data.classes == tuple("+".join(map(str, group)) for group in groups)


@pytest.mark.parametrize("name", ["idx", "tiny_imagenet", "folder"])
@pytest.mark.parametrize(
    "groups", [[["../a"], ["/b"]], [["a", "a"], ["b"]], [["."], ["ü"]], [["a\tb"], ["c"]], [[], []]]
)
def test_wrong_groups_are_left_to_the_loader(tmp_path: Path, name: str, groups: list[list[Any]]) -> None:
    with pytest.raises(UserError):
        generate_dataset(name, **KNOBS[name] | {"groups": groups})


def test_an_absolute_path_of_the_user_is_not_written_to(tmp_path: Path) -> None:
    generate_dataset("folder", path=str(tmp_path / "mine"))
    generate_dataset("idx", folder=str(tmp_path / "mine"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", GENERATORS)
def test_written_files_are_read_in_place(name: str, tmp_path: Path) -> None:
    knobs = GENERATORS[name](tmp_path, KNOBS.get(name, {}))
    expected = generate_dataset(name, **KNOBS.get(name, {}))
    assert expected and load_dataset(name, tmp_path, **knobs).fingerprint() == expected.fingerprint()
