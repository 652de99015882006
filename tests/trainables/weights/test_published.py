"""Weights that torchvision has published: found, fetched from a server on this machine, or named with all it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from spaces.errors import UserError
from spaces.recipe import Model, Recipe
from trainables.data import Dataset, Missing
from trainables.models import build
from trainables.weights.initial import begin, complaints, obtain
from trainables.weights.published import digest, source

Make = Callable[..., Recipe]
PRETRAINED = {"name": "squeezenet", "weights": "imagenet"}


def network(tree: dict[str, Any], shape: tuple[int, int, int], classes: int = 10, seed: int = 0) -> nn.Module:
    return build(Model.model_validate(tree), shape, classes, seed)


class Server(NamedTuple):
    """Serves a folder, and says which files were asked for."""

    url: str
    asked: list[str]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Path]]:
    """SqueezeNet's weights as a loopback server has them: random numbers, under a name that has their digest."""
    made = tmp_path / "made.pth"
    torch.save(dict(network({"name": "squeezenet"}, (3, 32, 32), 1000, seed=9).state_dict()), made)
    path = made.rename(tmp_path / f"squeezenet-{digest(made)[:8]}.pth")
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{path.name}"

    class Found(NamedTuple):
        url: str
        meta: dict[str, float]

    entry = Found(url, {"_file_size": path.stat().st_size / 2**20})
    from trainables.models.torchvision_import import torchvision

    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda _: {"IMAGENET1K_V1": entry})
    yield Server(url, asked), path
    server.shutdown()
    server.server_close()


@pytest.fixture
def pretrained(recipe: Make, digits: Dataset) -> tuple[Recipe, Dataset]:
    """A student that starts from published weights, and data that has the shape of photographs."""
    shape = digits._replace(train=digits.train._replace(images=np.zeros((1, 3, 32, 32), np.uint8)))
    return recipe(PRETRAINED), shape


def test_without_the_published_weights_everything_needed_is_said(hub: Path, pretrained: tuple[Recipe, Dataset]) -> None:
    model = network(PRETRAINED, (3, 32, 32), 10)
    for missing in (partial(begin, model), partial(obtain, *pretrained, download=False)):
        with pytest.raises(Missing) as caught:
            missing()
        for word in (
            str(hub / "squeezenet1_0-b66bff10.pth"),
            "https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
            "--download",
            "5 MB",
        ):
            assert word in str(caught.value)
    assert not hub.exists() and not list(complaints(*pretrained))  # it is no mistake in a space


def test_published_weights_are_fetched_once(
    hub: Path, published: tuple[Server, Path], pretrained: tuple[Recipe, Dataset]
) -> None:
    server, path = published
    for _ in range(2):
        obtain(*pretrained, download=True)
    assert server.asked == [f"/{path.name}"] and (hub / path.name).read_bytes() == path.read_bytes()
    (told,) = begin(network(PRETRAINED, (3, 32, 32), 10))
    assert (told.file, told.renewed) == (path.name, ["classifier.1"])


def test_those_of_whoever_stands_behind_a_teacher_are_fetched_too(
    hub: Path, published: tuple[Server, Path], pretrained: tuple[Recipe, Dataset], pupil: Make
) -> None:
    first = {"model": PRETRAINED, "method": {"name": "none"}}
    assistant = pupil(teacher=first, method={"name": "hinton", "alpha": 0.5, "temperature": 2.0})
    obtain(assistant, pretrained[1], download=True)
    assert len(published[0].asked) == 1


def test_altered_weights_are_refused(hub: Path, published: tuple[Server, Path]) -> None:
    hub.mkdir(parents=True)
    (hub / published[1].name).write_bytes(b"something else")
    with pytest.raises(UserError, match=r"altered: its sha256 begins with \w{8}, expected \w{8}"):
        begin(network(PRETRAINED, (3, 32, 32), 10))


def test_a_download_that_is_altered_is_not_kept(
    hub: Path, published: tuple[Server, Path], pretrained: tuple[Recipe, Dataset]
) -> None:
    published[1].write_bytes(b"something else")
    with pytest.raises(UserError, match="altered"):
        obtain(*pretrained, download=True)
    assert not list(hub.iterdir())


def test_nobody_published_weights_of_a_small_network(recipe: Make, digits: Dataset) -> None:
    model = network({"name": "plain_cnn", "weights": "imagenet"}, digits.shape)
    with pytest.raises(UserError, match="none were published for this network; expected a file of weights"):
        begin(model)
    obtain(recipe({"name": "plain_cnn", "weights": "a.pth"}), digits, download=False)


def test_every_network_of_torchvision_has_published_weights() -> None:
    for name in ("resnet18", "resnet50", "mobilenet_v2", "densenet121", "googlenet", "vgg16", "shufflenet_v2"):
        with torch.device("meta"):
            model = network({"name": name, "weights": "imagenet"}, (3, 224, 224))
        assert source(model).url.startswith("https://download.pytorch.org/models/")
