"""Many images: decoded once, mapped ever after, whoever asks and whatever happened to what was kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data import image_cache as module
from trainables.data.image_cache import decode_images

ROOT = Path(__file__).parents[3]
PIXELS = np.random.default_rng(5).integers(0, 256, (600, 6, 6, 3), dtype=np.uint8)  # more than one chunk
NAMES = [f"{n}.png" for n in range(len(PIXELS))]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder of 600 images."""
    (tmp_path / "set").mkdir()
    for name, pixels in zip(NAMES, PIXELS, strict=True):
        Image.fromarray(pixels).save(tmp_path / "set" / name)
    return tmp_path / "set"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 600 tiny images be worth a cache."""
    monkeypatch.setattr(module, "MIN_CACHED_BYTES", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are decoded."""
    found: list[Path] = []
    read = module.images.read
    monkeypatch.setattr(module.images, "read", lambda path, **knobs: found.append(path) or read(path, **knobs))
    return found


def expected(numbers: range) -> np.ndarray:
    return PIXELS[numbers].transpose(0, 3, 1, 2)


@pytest.mark.parametrize("small", [0, 2**22])
def test_images_are_in_the_order_of_their_names(
    base: Path, monkeypatch: pytest.MonkeyPatch, kept: Path, small: int
) -> None:
    monkeypatch.setattr(module, "MIN_CACHED_BYTES", small)
    assert (decode_images(base, NAMES, 6) == expected(range(600))).all()
    assert (decode_images(base, NAMES[::-7], 6) == expected(range(599, -1, -7))).all()
    assert kept.exists() == (small == 0)  # a few images leave nothing behind


@pytest.mark.usefixtures("large")
class TestKept:
    """What is kept in the cache folder."""

    def test_nothing_is_decoded_twice_and_it_is_mapped(self, base: Path, reads: list[Path]) -> None:
        first = decode_images(base, NAMES, 6)
        assert sorted(reads) == sorted(base / name for name in NAMES)
        again = decode_images(base, NAMES, 6)
        assert len(reads) == 600 and (first == again).all()
        assert type(again) is np.ndarray and isinstance(again.base, np.memmap) and not again.flags.writeable

    def test_a_folder_that_moved_is_the_same(self, base: Path, reads: list[Path]) -> None:
        decode_images(base, NAMES, 6)
        base.rename(base.with_name("elsewhere"))
        assert (decode_images(base.with_name("elsewhere"), NAMES, 6) == expected(range(600))).all() and len(
            reads
        ) == 600

    @pytest.mark.parametrize("size", [5, 6])
    def test_other_knobs_are_other_images(self, base: Path, reads: list[Path], size: int) -> None:
        assert decode_images(base, NAMES, size, 6).shape == (600, 3, size, size)
        decode_images(base, NAMES, size)
        assert len(reads) == 1200

    def test_an_image_put_in_the_place_of_another_is_seen(self, base: Path) -> None:
        """With its size and date, as an archive may hold them."""
        for name, pixels in (("a.bmp", PIXELS[0]), ("b.bmp", PIXELS[1])):
            Image.fromarray(pixels).save(base / name)
            os.utime(base / name, ns=(10**18, 10**18))
        assert (decode_images(base, ["a.bmp"], 6) == expected(range(1))).all()
        shutil.copy2(base / "b.bmp", base / "a.bmp")
        assert (base / "a.bmp").stat().st_mtime_ns == 10**18
        assert (decode_images(base, ["a.bmp"], 6) == expected(range(1, 2))).all()

    @pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "sum lost", "sum altered", "not an array"])
    def test_what_is_damaged_is_said_and_decoded_again(
        self, base: Path, kept: Path, reads: list[Path], caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        decode_images(base, NAMES, 6)
        (path,) = kept.glob("*.npy")
        content = bytearray(path.read_bytes())
        content[200] ^= 1
        changes: dict[str, Callable[[], object]] = {
            "truncated": lambda: path.write_bytes(path.read_bytes()[:-1]),
            "altered": lambda: path.write_bytes(content),
            "emptied": lambda: path.write_bytes(b""),
            "sum lost": path.with_suffix(".sum").unlink,
            "sum altered": lambda: path.with_suffix(".sum").write_bytes(b"\xff"),
            "not an array": lambda: path.write_bytes(b"PK\x03\x04"),
        }
        changes[damage]()
        assert (decode_images(base, NAMES, 6) == expected(range(600))).all() and len(reads) == 1200
        assert [f"{path}: damaged; its images are decoded again"] == [each.message for each in caplog.records]
        decode_images(base, NAMES, 6)
        assert len(reads) == 1200

    def test_an_image_that_fails_leaves_nothing_behind(self, base: Path, kept: Path) -> None:
        (base / "300.png").write_bytes(b"")
        with pytest.raises(UserError, match=f"^{base / '300.png'}: not a readable image"):
            decode_images(base, NAMES, 6)
        assert {path.suffix for path in kept.iterdir()} == {".lock"}

    def test_a_cache_that_cannot_be_written_is_named(self, base: Path, kept: Path) -> None:
        kept.write_text("a file where a folder should be")
        with pytest.raises(UserError, match=f"^{kept}: cannot keep decoded images there .* KD_CACHE names a folder"):
            decode_images(base, NAMES, 6)


CODE = """
import sys
from pathlib import Path
from trainables.data import decoded as module
base, log, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
module.SMALL, read = 0, module.images.read
def logged(path, **knobs):
    with log.open("a") as file:
        file.write("x")
    return read(path, **knobs)
module.images.read = logged
print(module.decoded(base, sorted(path.name for path in base.iterdir()), 6).sum())
"""


def process(base: Path, log: Path, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(base), str(log), str(limit)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_several_processes_one_decodes_and_the_others_wait(base: Path, tmp_path: Path) -> None:
    running = [process(base, tmp_path / "log") for _ in range(3)]
    said = [each.communicate(timeout=120) for each in running]
    assert {read for read, _ in said} == {f"{PIXELS.sum()}\n"}
    assert all(told in ("", "decoding images: 600 …\n") for _, told in said)  # the latter where it takes long
    assert (tmp_path / "log").stat().st_size == 600


def test_a_full_disk_is_said_and_leaves_nothing_half_written(base: Path, tmp_path: Path, kept: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    _, complained = process(base, tmp_path / "log", limit=20_000).communicate(timeout=60)
    assert "UserError" in complained and "64,800 bytes needed" in complained
    assert {path.suffix for path in kept.iterdir()} == {".lock"}


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "broken link"])
def test_what_is_no_file_is_named_at_once(base: Path, kind: str) -> None:
    path = base / "a.png"
    make: dict[str, Callable[[], object]] = {
        "absent": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),  # whoever opens it waits for ever
        "broken link": lambda: path.symlink_to("nowhere"),
    }
    make[kind]()
    with pytest.raises(UserError, match=f"^{path}: (cannot be read|no ordinary file)"):
        decode_images(base, ["0.png", "a.png"], 6)


def test_a_bomb_that_pillow_only_warns_of_is_an_error(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(UserError, match=f"^{base / '0.png'}: not a readable image \\(Image size \\(36 pixels\\)"):
        decode_images(base, NAMES, 6)


def test_odd_metadata_does_not_hurt(base: Path) -> None:
    """Pillow warns of EXIF data that break off, and warnings are errors in these tests."""
    Image.fromarray(PIXELS[0]).save(base / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05")
    with pytest.raises(UserError, match="Corrupt EXIF data"):
        module.images.read(base / "a.jpg", 6)
    assert decode_images(base, ["a.jpg"], 6).shape == (1, 3, 6, 6)
