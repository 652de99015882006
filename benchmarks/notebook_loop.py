"""The notebook loop: torchvision's MNIST in a DataLoader, a teacher forward pass per step, float32, Adam.

`python -m benchmarks.notebook_loop '{"root": …}'` trains a teacher unless its file exists, then one student per seed,
and prints one JSON object with seconds and accuracies. Only the import of torchvision is shared with the project.
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
    """A training job: data folder `root`, file of the teacher's weights, and hyper-parameters.

    `images` is the number of training images.
    """

    root: str
    teacher: str
    images: int = 55000
    batch: int = 256
    epochs: int = 1
    seeds: tuple[int, ...] = (0,)
    alpha: float = 0.5
    temperature: float = 4.0


def _glorot_init(net: nn.Module) -> nn.Module:
    """Initialize as the assignment's Keras networks do; after one epoch, initialization matters."""
    for layer in net:  # type: ignore[attr-defined]
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return net


def teacher_network() -> nn.Module:
    """Return the assignment's CNN."""
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2, stride=1)),
        *(nn.Conv2d(32, 64, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2, stride=2)),
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 13 * 13, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    return _glorot_init(net)


def student_network() -> nn.Module:
    """Return the assignment's student."""
    layers = (nn.Linear(784, 784), nn.ReLU(), nn.Linear(784, 784), nn.ReLU(), nn.Linear(784, 10))
    return _glorot_init(nn.Sequential(nn.Flatten(), *layers))


def train_loader(job: Job) -> DataLoader:
    """Return shuffled batches of training images, decoded one by one by torchvision."""
    images = MNIST(job.root, train=True, transform=ToTensor())
    return DataLoader(Subset(images, range(job.images)), job.batch, shuffle=True, drop_last=True)


def train(net: nn.Module, batches: DataLoader, epochs: int, job: Job, teacher: nn.Module | None) -> list[float]:
    """Train a network, distilled if there is a teacher, and return the seconds of each epoch."""
    optimizer, seconds = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7), []
    net.train()
    for _ in range(epochs):
        start = perf_counter()
        for images, labels in batches:
            logits = net(images)
            loss = cross_entropy(logits, labels)
            if teacher is not None:
                with torch.no_grad():
                    teacher_logits = teacher(images)
                loss = job.alpha * soft_loss(logits, teacher_logits, job.temperature) + (1 - job.alpha) * loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(perf_counter() - start)
    return seconds


def soft_loss(logits: Tensor, teacher_logits: Tensor, t: float) -> Tensor:
    return t**2 * kl_div(log_softmax(logits / t, -1), softmax(teacher_logits / t, -1), reduction="batchmean")


@torch.no_grad()
def evaluate_accuracy(net: nn.Module, root: str) -> float:
    """Return the fraction of test images classified correctly."""
    net.eval()
    tests = DataLoader(MNIST(root, train=False, transform=ToTensor()), 1000)
    return sum((net(images).argmax(-1) == labels).sum().item() for images, labels in tests) / len(tests.dataset)  # type: ignore[arg-type]


def train_student(job: Job, seed: int) -> dict[str, float]:
    """Train one student and return its seconds per epoch and accuracy."""
    torch.manual_seed(seed)
    teacher = teacher_network().eval()
    teacher.load_state_dict(torch.load(job.teacher, weights_only=True))
    net = student_network()
    seconds = train(net, train_loader(job), job.epochs, job, teacher)
    return {"seconds": sum(seconds) / len(seconds), "accuracy": evaluate_accuracy(net, job.root)}


def train_teacher(job: Job) -> dict[str, float]:
    """Train the teacher for one epoch, save it, and return its seconds and accuracy."""
    torch.manual_seed(0)
    net = teacher_network()
    [seconds] = train(net, train_loader(job), 1, job, None)
    torch.save(net.state_dict(), job.teacher)
    return {"seconds": seconds, "accuracy": evaluate_accuracy(net, job.root)}


def main() -> None:
    """Train and print the results."""
    job = Job(**json.loads(sys.argv[1]))
    results: dict[str, object] = {} if Path(job.teacher).exists() else {"teacher": train_teacher(job)}
    train_student(Job(**vars(job) | {"images": 2 * job.batch, "epochs": 1}), 0)  # warm-up
    print(json.dumps(results | {"students": [train_student(job, seed) for seed in job.seeds]}))


if __name__ == "__main__":
    main()
