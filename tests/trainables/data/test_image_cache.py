"""Decoded images: cached, mapped, and decoded again if the cache is damaged."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data import cache_limit
from trainables.data import image_cache as module
from trainables.data.array_file import MappedArray, is_intact
from trainables.data.image_cache import ImageLayout, decode_images
from trainables.data.image_file import UnreadableImageError

ROOT = Path(__file__).parents[3]
PIXELS = np.random.default_rng(5).integers(0, 256, (600, 6, 6, 3), dtype=np.uint8)  # more than one chunk
SIX = ImageLayout(6)
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
    """Cache even 600 tiny images."""
    monkeypatch.setattr(module, "MIN_CACHED_BYTES", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Paths of the decoded files."""
    paths: list[Path] = []
    read = module.image_file.read_image
    monkeypatch.setattr(
        module.image_file, "read_image", lambda path, *layout: paths.append(path) or read(path, *layout)
    )
    return paths


def expected(numbers: range) -> np.ndarray:
    return PIXELS[numbers].transpose(0, 3, 1, 2)


@pytest.mark.parametrize("small", [0, 2**22])
def test_images_are_in_the_order_of_their_names(
    base: Path, monkeypatch: pytest.MonkeyPatch, image_cache_folder: Path, small: int
) -> None:
    monkeypatch.setattr(module, "MIN_CACHED_BYTES", small)
    assert (decode_images(base, NAMES, SIX) == expected(range(600))).all()
    assert (decode_images(base, NAMES[::-7], SIX) == expected(range(599, -1, -7))).all()
    assert image_cache_folder.exists() == (small == 0)  # a few images are not cached


@pytest.mark.usefixtures("large")
class TestCached:
    """Images in the cache folder."""

    def test_images_are_decoded_once_and_mapped(self, base: Path, reads: list[Path]) -> None:
        first = decode_images(base, NAMES, SIX)
        assert sorted(reads) == sorted(base / name for name in NAMES)
        second = decode_images(base, NAMES, SIX)
        assert len(reads) == 600 and (first == second).all()
        assert isinstance(second, MappedArray) and second.path and not second.flags.writeable

    def test_a_moved_folder_uses_the_same_cache(self, base: Path, reads: list[Path]) -> None:
        decode_images(base, NAMES, SIX)
        base.rename(base.with_name("elsewhere"))
        assert (decode_images(base.with_name("elsewhere"), NAMES, SIX) == expected(range(600))).all() and len(
            reads
        ) == 600

    @pytest.mark.parametrize("size", [5, 6])
    def test_other_sizes_are_decoded_again(self, base: Path, reads: list[Path], size: int) -> None:
        assert decode_images(base, NAMES, ImageLayout(size, expected=6)).shape == (600, 3, size, size)
        decode_images(base, NAMES, ImageLayout(size))
        assert len(reads) == 1200

    def test_a_replaced_image_is_noticed(self, base: Path) -> None:
        """Even with the same size and date, as from an archive."""
        for name, pixels in (("a.bmp", PIXELS[0]), ("b.bmp", PIXELS[1])):
            Image.fromarray(pixels).save(base / name)
            os.utime(base / name, ns=(10**18, 10**18))
        assert (decode_images(base, ["a.bmp"], SIX) == expected(range(1))).all()
        shutil.copy2(base / "b.bmp", base / "a.bmp")
        assert (base / "a.bmp").stat().st_mtime_ns == 10**18
        assert (decode_images(base, ["a.bmp"], SIX) == expected(range(1, 2))).all()

    @pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "checksum altered", "not an array"])
    def test_a_damaged_cache_is_decoded_again(
        self, base: Path, image_cache_folder: Path, reads: list[Path], caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        decode_images(base, NAMES, SIX)
        (path,) = (path for path in image_cache_folder.glob("*.npy") if not path.name.endswith("rows.npy"))
        content = bytearray(path.read_bytes())
        content[200] ^= 1
        changes: dict[str, Callable[[], object]] = {
            "truncated": lambda: path.write_bytes(path.read_bytes()[:-1]),
            "altered": lambda: path.write_bytes(content),
            "emptied": lambda: path.write_bytes(b""),
            "checksum altered": lambda: path.write_bytes(path.read_bytes()[:-1] + b"\xff"),
            "not an array": lambda: path.write_bytes(b"PK\x03\x04"),
        }
        changes[damage]()
        assert (decode_images(base, NAMES, SIX) == expected(range(600))).all() and len(reads) == 1200
        assert caplog.messages == [f"{path}: damaged; it is computed again"]
        decode_images(base, NAMES, SIX)
        assert len(reads) == 1200

    def test_all_damaged_images_are_named_at_once_and_the_others_kept(
        self, base: Path, image_cache_folder: Path, reads: list[Path]
    ) -> None:
        damaged = [base / f"{number}.png" for number in (3, 300, 599)]
        for path in damaged:
            path.write_bytes(b"")
        with pytest.raises(UserError) as caught:
            decode_images(base, NAMES, SIX)
        assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [*map(str, damaged)]
        (partial,) = image_cache_folder.glob("*.partial.npy")
        assert is_intact(partial) and len(np.load(partial)) == 597
        for path in damaged:
            Image.fromarray(PIXELS[int(path.stem)]).save(path)
        reads.clear()
        assert (decode_images(base, NAMES, SIX) == expected(range(600))).all()
        assert sorted(reads) == sorted(damaged) and not partial.exists()

    def test_new_images_are_decoded_alone(self, base: Path, reads: list[Path], image_cache_folder: Path) -> None:
        decode_images(base, NAMES[:590], SIX)
        reads.clear()
        assert (decode_images(base, NAMES[::-1], SIX) == expected(range(599, -1, -1))).all()
        assert sorted(reads) == sorted(base / name for name in NAMES[590:])
        (base / "595.png").write_bytes(b"")
        before = sorted(image_cache_folder.glob("*.npy"))
        with pytest.raises(UserError, match=r"595.png: not a readable image"):
            decode_images(base, NAMES[::-1], SIX)
        assert sorted(image_cache_folder.glob("*.npy")) == before  # found before 599 rows are copied

    def test_an_interruption_keeps_what_was_decoded(
        self, base: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = module.decode_in_threads

        def interrupted(*arguments: object) -> Iterator[np.ndarray | str]:
            for number, image in enumerate(real(*arguments)):  # type: ignore[arg-type]
                if number == 520:
                    raise KeyboardInterrupt
                yield image

        monkeypatch.setattr(module, "decode_in_threads", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decode_images(base, NAMES, SIX)
        monkeypatch.setattr(module, "decode_in_threads", real)
        reads.clear()
        assert (decode_images(base, NAMES, SIX) == expected(range(600))).all()
        assert len(reads) == 600 - 512  # two chunks of 256 were kept

    def test_ranges_are_pickled_as_places_in_the_file(self, base: Path) -> None:
        part = decode_images(base, NAMES, SIX)[100:300][50:]
        content = pickle.dumps(part)
        assert len(content) < 1000 and (pickle.loads(content) == expected(range(150, 300))).all()
        assert (pickle.loads(pickle.dumps(part[::2])) == part[::2]).all()
        assert (pickle.loads(pickle.dumps(part + 1)) == part + 1).all()

    def test_the_least_recently_used_arrays_are_removed(
        self, base: Path, image_cache_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arrays = []
        for side in (4, 5, 6):
            decode_images(base, NAMES, ImageLayout(side))
            present = {path for path in image_cache_folder.glob("*.npy") if not path.name.endswith("rows.npy")}
            arrays += present - {*arrays}
        os.close(cache_limit._held_files.pop(arrays[1]))  # another process ended; this one holds the others
        os.utime(arrays[1], (1, 1))
        monkeypatch.setenv("KD_CACHE_GB", "0")
        decode_images(base, NAMES, ImageLayout(7))
        assert [path.exists() for path in arrays] == [True, False, True]
        monkeypatch.setenv("KD_CACHE_GB", "much")
        with pytest.raises(UserError, match=r"^KD_CACHE_GB: found much, expected"):
            decode_images(base, NAMES, SIX)

    def test_an_unwritable_cache_is_named(self, base: Path, image_cache_folder: Path) -> None:
        image_cache_folder.write_text("a file where a folder should be")
        with pytest.raises(UserError, match=f"^{image_cache_folder}: cannot write decoded images .* by KD_CACHE=DIR"):
            decode_images(base, NAMES, SIX)


CODE = """
import sys
from pathlib import Path
from trainables.data import image_cache as module
base, log, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if limit:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
module.MIN_CACHED_BYTES, read = 0, module.image_file.read_image
def logged(path, *layout):
    with log.open("a") as file:
        file.write("x")
    return read(path, *layout)
module.image_file.read_image = logged
print(module.decode_images(base, sorted(path.name for path in base.iterdir()), module.ImageLayout(6)).sum())
"""


def process(base: Path, log: Path, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(base), str(log), str(limit)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_only_one_process_decodes(base: Path, tmp_path: Path) -> None:
    running = [process(base, tmp_path / "log") for _ in range(3)]
    outputs = [decoder.communicate(timeout=540) for decoder in running]
    assert {stdout for stdout, _ in outputs} == {f"{PIXELS.sum()}\n"}
    assert all(stderr in ("", "decoding images: 600 …\n") for _, stderr in outputs)  # the latter on a slow machine
    assert (tmp_path / "log").stat().st_size == 600


def test_a_full_disk_leaves_no_partial_file(base: Path, tmp_path: Path, image_cache_folder: Path) -> None:
    """Simulated by a limit on the size of files."""
    _, stderr = process(base, tmp_path / "log", limit=20_000).communicate(timeout=540)
    assert "UserError" in stderr and "64,800 bytes needed" in stderr
    assert {path.suffix for path in image_cache_folder.iterdir()} == {".lock"}


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "broken link"])
def test_other_objects_instead_of_a_file_are_named(base: Path, kind: str) -> None:
    path = base / "a.png"
    make: dict[str, Callable[[], object]] = {
        "absent": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),  # opening it blocks for ever
        "broken link": lambda: path.symlink_to("nowhere"),
    }
    make[kind]()
    with pytest.raises(UserError, match=f"^{path}: (cannot be read|not a regular file)"):
        decode_images(base, ["0.png", "a.png"], SIX)


def test_a_decompression_bomb_is_an_error(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(UserError, match=f"^{base / '0.png'}: not a readable image \\(Image size \\(36 pixels\\)"):
        decode_images(base, NAMES, SIX)


def test_odd_metadata_is_ignored(base: Path) -> None:
    """Pillow warns of truncated EXIF data, and warnings are errors in these tests."""
    Image.fromarray(PIXELS[0]).save(base / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05")
    with pytest.raises(UnreadableImageError, match="Corrupt EXIF data"):
        module.image_file.read_image(base / "a.jpg", 6, 6)
    assert decode_images(base, ["a.jpg"], SIX).shape == (1, 3, 6, 6)
