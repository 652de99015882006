"""The loop of the notebooks: torchvision's MNIST through a DataLoader, the teacher run at every step, float32, Adam.

`python -m benchmarks.loop '{"root": …}'` trains a teacher if there is none yet and then students, one after another,
and prints one JSON object: what a notebook would have shown. It shares no code with what it is compared to.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, Subset

from trainables.models.torchvision_import import torchvision

MNIST, ToTensor = torchvision.datasets.MNIST, torchvision.transforms.ToTensor


@dataclass
class Job:
    """What to train: `images` of the training set, in batches of `batch`; the teacher's weights lie in a file."""

    root: str
    teacher: str
    images: int = 55000
    batch: int = 256
    epochs: int = 1
    seeds: tuple[int, ...] = (0,)
    alpha: float = 0.5
    temperature: float = 4.0


def _glorot(net: nn.Module) -> nn.Module:
    """Start as the assignment's Keras nets do: after one epoch another start would be another student."""
    for layer in net:  # type: ignore[attr-defined]
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return net


def teacher() -> nn.Module:
    """The assignment's CNN."""
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2, stride=1)),
        *(nn.Conv2d(32, 64, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2, stride=2)),
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 13 * 13, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    return _glorot(net)


def student() -> nn.Module:
    """The assignment's student."""
    layers = (nn.Linear(784, 784), nn.ReLU(), nn.Linear(784, 784), nn.ReLU(), nn.Linear(784, 10))
    return _glorot(nn.Sequential(nn.Flatten(), *layers))


def loader(job: Job) -> DataLoader:
    """The training images in batches, decoded one by one as torchvision does."""
    whole = MNIST(job.root, train=True, transform=ToTensor())
    return DataLoader(Subset(whole, range(job.images)), job.batch, shuffle=True, drop_last=True)


def train(net: nn.Module, batches: DataLoader, epochs: int, job: Job, taught: nn.Module | None) -> list[float]:
    """Train a network, by a teacher if there is one; the seconds of each epoch."""
    optimiser, seconds = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7), []
    net.train()
    for _ in range(epochs):
        began = perf_counter()
        for images, labels in batches:
            logits = net(images)
            loss = cross_entropy(logits, labels)
            if taught is not None:
                with torch.no_grad():
                    said = taught(images)
                loss = job.alpha * _soft(logits, said, job.temperature) + (1 - job.alpha) * loss
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        seconds.append(perf_counter() - began)
    return seconds


def _soft(logits: Tensor, said: Tensor, t: float) -> Tensor:
    return t**2 * kl_div(log_softmax(logits / t, -1), softmax(said / t, -1), reduction="batchmean")


@torch.no_grad()
def accuracy(net: nn.Module, root: str) -> float:
    """The fraction of test images that are classified rightly."""
    net.eval()
    tests = DataLoader(MNIST(root, train=False, transform=ToTensor()), 1000)
    return sum((net(images).argmax(-1) == labels).sum().item() for images, labels in tests) / len(tests.dataset)  # type: ignore[arg-type]


def one(job: Job, seed: int) -> dict[str, float]:
    """Train one student: its seconds per epoch and its accuracy."""
    torch.manual_seed(seed)
    taught = teacher().eval()
    taught.load_state_dict(torch.load(job.teacher, weights_only=True))
    net = student()
    seconds = train(net, loader(job), job.epochs, job, taught)
    return {"seconds": sum(seconds) / len(seconds), "accuracy": accuracy(net, job.root)}


def teach(job: Job) -> dict[str, float]:
    """Train the teacher for one epoch and keep it; its seconds per epoch and its accuracy."""
    torch.manual_seed(0)
    net = teacher()
    [seconds] = train(net, loader(job), 1, job, None)
    torch.save(net.state_dict(), job.teacher)
    return {"seconds": seconds, "accuracy": accuracy(net, job.root)}


def main() -> None:
    """Print what training took."""
    job = Job(**json.loads(sys.argv[1]))
    found: dict[str, object] = {} if Path(job.teacher).exists() else {"teacher": teach(job)}
    one(Job(**vars(job) | {"images": 2 * job.batch, "epochs": 1}), 0)  # warm up
    print(json.dumps(found | {"students": [one(job, seed) for seed in job.seeds]}))


if __name__ == "__main__":
    main()
