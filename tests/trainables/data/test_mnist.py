from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.data import load_dataset
from trainables.data.locations import MissingFilesError
from trainables.data.mnist import MNIST_FILES, mnist, read_verified_idx

Content = Callable[[np.ndarray], bytes]  # the fixture: array -> idx file

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("KD_DATA") or ROOT.parent / "shared" / "data")
NAMES = tuple(MNIST_FILES)
real = pytest.mark.skipif(not (REAL / "MNIST").is_dir(), reason="MNIST is not on this machine")


@pytest.mark.usefixtures("official")
class TestTiny:
    """The loader on small files instead of the originals."""

    def test_splits(self, raw: Path, arrays: dict[str, np.ndarray]) -> None:
        data = mnist(raw.parents[1], False, validation=40)
        assert data.sizes == {"train": 160, "val": 40, "test": 50}
        assert np.bincount(data.val.labels).tolist() == [4] * 10
        seen = [image.tobytes() for part in (data.train, data.val) for image in part.images]
        assert sorted(seen) == sorted(image.tobytes() for image in arrays[NAMES[0]])
        assert (data.test.images[:, 0] == arrays[NAMES[2]]).all()
        label_of = dict(zip((i.tobytes() for i in arrays[NAMES[0]]), arrays[NAMES[1]].tolist(), strict=True))
        assert [label_of[i.tobytes()] for i in data.train.images] == data.train.labels.tolist()
        for part in (data.train, data.val, data.test):
            assert part.images.dtype == np.uint8 and part.labels.dtype == np.int64

    def test_every_layout_is_found(self, raw: Path, contents: dict[str, bytes]) -> None:
        (raw / NAMES[0]).write_bytes(contents[NAMES[0]])  # one unpacked, three not
        (raw / f"{NAMES[0]}.gz").unlink()
        roots = (raw.parents[1], raw.parent, raw)
        assert len({mnist(root, False, validation=40).fingerprint() for root in roots}) == 1

    @pytest.mark.parametrize("name", NAMES)
    def test_an_altered_content_is_refused(self, raw: Path, contents: dict[str, bytes], name: str) -> None:
        for position in (-1, len(contents[name]) // 2):
            altered = bytearray(contents[name])
            altered[position] ^= 1
            (raw / f"{name}.gz").write_bytes(gzip.compress(altered))
            with pytest.raises(UserError, match=f"^{raw / name}.gz: (altered: the md5 .* expected|label)"):
                mnist(raw, False)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.7, 0.999])
    def test_a_truncated_file_is_refused(self, raw: Path, name: str, part: float) -> None:
        path = raw / f"{name}.gz"
        path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
        with pytest.raises(UserError, match=f"^{path}: "):
            mnist(raw, False)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
    def test_a_flipped_bit_is_refused_or_changes_nothing(
        self, raw: Path, arrays: dict[str, np.ndarray], contents: dict[str, bytes], position: int, bit: int
    ) -> None:
        """Only bits of the gzip header (time, operating system) do not concern the content."""
        original = gzip.compress(contents[NAMES[1]], mtime=0)
        altered = bytearray(original)
        altered[position % len(altered)] ^= 1 << bit
        path = raw / f"{NAMES[1]}.gz"
        path.write_bytes(altered)
        try:
            assert (read_verified_idx(path, NAMES[1]) == arrays[NAMES[1]]).all()
        except UserError as error:
            assert str(error).startswith(f"{path}: ")

    def test_other_faults(
        self, raw: Path, arrays: dict[str, np.ndarray], contents: dict[str, bytes], content: Content
    ) -> None:
        labels = arrays[NAMES[1]].copy()
        labels[17] = 10
        magic = b"\0\0\x08\x02" + contents[NAMES[1]][4:]
        cases = {
            "label 10 at image 17, expected 0 to 9": content(labels),
            "starts with 00000802, expected the magic number 00000801": magic,
            r"has the shape \(199,\), expected \(200,\)": content(labels[:-1]),
            r"declares the shape \(201,\)": content(np.append(labels, labels[:1])),
            "more bytes of data": contents[NAMES[1]] + b"\0",
        }
        for message, data in cases.items():
            (raw / NAMES[1]).write_bytes(data)
            with pytest.raises(UserError, match=f"^{raw / NAMES[1]}: .*{message}"):
                mnist(raw, False)

    def test_a_folder_in_place_of_a_file_is_missing(self, raw: Path) -> None:
        (raw / f"{NAMES[2]}.gz").unlink()
        (raw / f"{NAMES[2]}.gz").mkdir()
        with pytest.raises(MissingFilesError, match=f"mnist: no {NAMES[2]} .*; looked in .*{raw}"):
            mnist(raw, False)


def test_missing_files_are_named_with_places_and_remedies(tmp_path: Path) -> None:
    with pytest.raises(MissingFilesError) as caught:
        mnist(tmp_path / "nowhere", False)
    for word in (*NAMES, str(tmp_path / "nowhere"), "MNIST/raw", "--data DIR", "KD_DATA=DIR", "--download"):
        assert word in str(caught.value)


def test_a_header_with_more_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{NAMES[0]}.gz"
    path.write_bytes(gzip.compress(struct.pack(">IIII", 0x803, 2**31, 28, 28)))
    with pytest.raises(UserError, match=r"declares the shape \(2147483648, 28, 28\)"):
        read_verified_idx(path, NAMES[0])


@real
def test_the_published_files() -> None:
    """Published results depend on these images: do not change the fingerprint."""
    data = load_dataset("mnist", REAL)
    assert data.sizes == {"train": 55000, "val": 5000, "test": 10000}
    assert data.shape == (1, 28, 28)
    train, val = np.bincount(data.train.labels), np.bincount(data.val.labels)
    assert (abs(val - (train + val) / 12) < 1).all()
    assert data.fingerprint() == "78f16ee50bb7aa4291eece4adbec38c3"


@real
def test_the_published_files_equal_torchvision(tmp_path: Path) -> None:
    from trainables.models.torchvision_import import torchvision

    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for path in (REAL / "MNIST" / "raw").glob("*.gz"):  # torchvision wants them unpacked
        (tmp_path / "MNIST" / "raw" / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    data = load_dataset("mnist", tmp_path)
    test = torchvision.datasets.MNIST(tmp_path, train=False)
    assert (test.data.numpy() == data.test.images[:, 0]).all()
    assert (test.targets.numpy() == data.test.labels).all()
    train = torchvision.datasets.MNIST(tmp_path, train=True)
    ours = zip(
        np.concatenate([data.train.images, data.val.images]), [*data.train.labels, *data.val.labels], strict=True
    )
    theirs = zip(train.data.numpy(), train.targets.tolist(), strict=True)
    assert sorted((i.tobytes(), int(n)) for i, n in ours) == sorted((i.tobytes(), n) for i, n in theirs)
