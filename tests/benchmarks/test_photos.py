"""The tutorial's commands on photographs, as printed, on a few generated pictures, if timm is installed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import ROOT, TUTORIAL, main, tutorial_commands
from spaces.parts import Model
from trainables.models import build_network
from trainables.weights.tensor_file import write_tensors

CLASSES = ("cat", "dog", "elk")
PICTURES = 24  # of each class
SMALLER = {
    "size: 64": "size: 32",
    "seeds: [0, 1]": "seeds: [0]",
    "epochs: 6,": "epochs: 1,",
    "epochs: 12,": "epochs: 2,",
    "temperature: {choice: [2, 4]}": "temperature: 4",
    "arch: resnet18": "arch: test_resnet",  # of timm's own tests, as the next
    "arch: mobilenetv3_small_050": "arch: test_efficientnet",
}
TEACHER = {"name": "timm", "arch": "test_resnet"}


def small_space() -> str:
    """Return the shipped space with smaller images and networks, and one student."""
    text = (ROOT / "spaces" / "photos.yaml").read_text()
    for shipped, small in SMALLER.items():
        assert shipped in text
        text = text.replace(shipped, small)
    return text


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("timm_installed")
def test_a_folder_becomes_an_8_bit_student(tmp_path, monkeypatch):
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for level, name in enumerate(CLASSES):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(PICTURES):
            pixels = random.integers(80 * level, 80 * level + 90, (40, 36, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "photos.yaml").write_text(small_space())
    network = build_network(Model.model_validate(TEACHER), (3, 32, 32), 6)
    write_tensors(tmp_path / "resnet18.safetensors", network.state_dict())
    commands = tutorial_commands(TUTORIAL.read_text())
    purposes = [purpose for purpose in commands if purpose != "check the folder and the plan"]  # the run checks, too
    times, results, sentences = main(tmp_path, {purpose: commands[purpose] for purpose in purposes}).split("\n\n")
    assert [line.split(" | ")[0].removeprefix("| ") for line in times.splitlines()[2:]] == purposes
    assert len(purposes) == 4
    assert "| distilled student | " in results
    assert "51 / 7 / 14 images of 3 classes" in sentences and "In 8 bits (student-int8.onnx)" in sentences
    log = (tmp_path / "photos.log").read_text()
    by_onnxruntime, by_torch = (line for line in log.splitlines() if line.startswith("photos/cat/0.png: "))
    assert by_onnxruntime.split()[1] in CLASSES and by_torch.split()[1] in CLASSES
    assert "UserWarning" not in log
