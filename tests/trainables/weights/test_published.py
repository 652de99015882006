"""Published weights: found, downloaded from a local server, or reported as missing."""

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
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.data import Dataset, MissingFilesError
from trainables.models import build_network
from trainables.weights.initial import ensure_published_weights, initial_weight_problems, load_initial_weights
from trainables.weights.published import file_sha256, published_source

Make = Callable[..., Recipe]
PRETRAINED = {"name": "squeezenet", "weights": "imagenet"}


def network(tree: dict[str, Any], shape: tuple[int, int, int], classes: int = 10, seed: int = 0) -> nn.Module:
    return build_network(Model.model_validate(tree), shape, classes, seed)


class Server(NamedTuple):
    """A local web server, with the paths requested from it."""

    url: str
    requests: list[str]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Path]]:
    """A server with random weights of SqueezeNet, named by their digest."""
    unnamed = tmp_path / "unnamed.pth"
    torch.save(dict(network({"name": "squeezenet"}, (3, 32, 32), 1000, seed=9).state_dict()), unnamed)
    path = unnamed.rename(tmp_path / f"squeezenet-{file_sha256(unnamed)[:8]}.pth")
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            requests.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{path.name}"

    class Weights(NamedTuple):
        url: str
        meta: dict[str, float]

    entry = Weights(url, {"_file_size": path.stat().st_size / 2**20})
    from trainables.models.torchvision_import import torchvision

    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda _: {"IMAGENET1K_V1": entry})
    yield Server(url, requests), path
    server.shutdown()
    server.server_close()


@pytest.fixture
def pretrained(recipe: Make, digits: Dataset) -> tuple[Recipe, Dataset]:
    """A student with published weights, and data with the shape of photographs."""
    shape = digits._replace(train=digits.train._replace(images=np.zeros((1, 3, 32, 32), np.uint8)))
    return recipe(PRETRAINED), shape


def test_missing_weights_are_reported_with_url_and_size(hub: Path, pretrained: tuple[Recipe, Dataset]) -> None:
    model = network(PRETRAINED, (3, 32, 32), 10)
    for missing in (
        partial(load_initial_weights, model),
        partial(ensure_published_weights, *pretrained, download=False),
    ):
        with pytest.raises(MissingFilesError) as caught:
            missing()
        for word in (
            str(hub / "squeezenet1_0-b66bff10.pth"),
            "https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
            "--download",
            "5 MB",
        ):
            assert word in str(caught.value)
    assert not hub.exists() and not list(initial_weight_problems(*pretrained))  # not an error in the space


def test_published_weights_are_fetched_once(
    hub: Path, published: tuple[Server, Path], pretrained: tuple[Recipe, Dataset]
) -> None:
    server, path = published
    for _ in range(2):
        ensure_published_weights(*pretrained, download=True)
    assert server.requests == [f"/{path.name}"] and (hub / path.name).read_bytes() == path.read_bytes()
    (initial,) = load_initial_weights(network(PRETRAINED, (3, 32, 32), 10))
    assert (initial.file, initial.renewed) == (path.name, ["classifier.1"])


def test_weights_of_a_teacher_s_teacher_are_fetched(
    hub: Path, published: tuple[Server, Path], pretrained: tuple[Recipe, Dataset], distilled_recipe: Make
) -> None:
    first = {"model": PRETRAINED, "method": {"name": "none"}}
    assistant = distilled_recipe(teacher=first, method={"name": "hinton", "alpha": 0.5, "temperature": 2.0})
    ensure_published_weights(assistant, pretrained[1], download=True)
    assert len(published[0].requests) == 1


def test_altered_weights_are_refused(hub: Path, published: tuple[Server, Path]) -> None:
    hub.mkdir(parents=True)
    (hub / published[1].name).write_bytes(b"something else")
    with pytest.raises(UserError, match=r"altered: its sha256 begins with \w{8}, expected \w{8}"):
        load_initial_weights(network(PRETRAINED, (3, 32, 32), 10))


def test_an_altered_download_is_deleted(
    hub: Path, published: tuple[Server, Path], pretrained: tuple[Recipe, Dataset]
) -> None:
    published[1].write_bytes(b"something else")
    with pytest.raises(UserError, match="altered"):
        ensure_published_weights(*pretrained, download=True)
    assert not list(hub.iterdir())


def test_small_networks_have_no_published_weights(recipe: Make, digits: Dataset) -> None:
    model = network({"name": "plain_cnn", "weights": "imagenet"}, digits.shape)
    with pytest.raises(UserError, match="none were published for this network; expected a file of weights"):
        load_initial_weights(model)
    ensure_published_weights(recipe({"name": "plain_cnn", "weights": "a.pth"}), digits, download=False)


def test_every_network_of_torchvision_has_published_weights() -> None:
    for name in ("resnet18", "resnet50", "mobilenet_v2", "densenet121", "googlenet", "vgg16", "shufflenet_v2"):
        with torch.device("meta"):
            model = network({"name": name, "weights": "imagenet"}, (3, 224, 224))
        assert published_source(model).url.startswith("https://download.pytorch.org/models/")
