"""Optuna with a careful loop: no DataLoader, no teacher in the loop, one process per core.

`python -m benchmarks.optuna_loop '{"root": …, "workers": 2}'` trains each seed distilled and alone, as a search of this
project does, and prints one JSON object: seconds and accuracies of the distilled students, and the wall time. Images,
labels and the teacher's logits are tensors in memory; the logits are computed once, before the clock starts. Processes
share the study by Optuna's journal. Networks and test are those of the notebook loop.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.notebook_loop import MNIST, Job, soft_loss, student_network, teacher_network

STUDY = "students"


class Tensors(NamedTuple):
    """Images [n, 1, 28, 28] in 0 to 1, labels [n], and the teacher's logits [n, 10] of the training images."""

    images: Tensor
    labels: Tensor
    logits: Tensor
    test_images: Tensor
    test_labels: Tensor


def load_tensors(job: Job) -> Tensors:
    """Load MNIST; compute the teacher's logits unless their file exists."""
    train, test = MNIST(job.root, train=True), MNIST(job.root, train=False)
    images, test_images = (part.data[:, None].float() / 255 for part in (train, test))
    images, labels = images[: job.images], train.targets[: job.images]
    file = Path(job.teacher).with_suffix(".logits.pt")
    if not file.exists():
        teacher = teacher_network().eval()
        teacher.load_state_dict(torch.load(job.teacher, weights_only=True))
        with torch.no_grad():
            torch.save(torch.cat([teacher(part) for part in images.split(1000)]), file)
    return Tensors(images, labels, torch.load(file, weights_only=True), test_images, test.targets)


def train_student(job: Job, tensors: Tensors, seed: int, alpha: float) -> dict[str, float]:
    """Train one student; return its seconds per epoch and test accuracy."""
    torch.manual_seed(seed)
    net = student_network()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7, fused=True)
    start = perf_counter()
    for _ in range(job.epochs):
        for batch in torch.randperm(len(tensors.images)).split(job.batch):
            if len(batch) == job.batch:  # the notebook loop drops the last batch, too
                _step(net, optimizer, job, tensors, batch, alpha)
    seconds = (perf_counter() - start) / job.epochs
    with torch.no_grad():
        hits = (net(tensors.test_images).argmax(-1) == tensors.test_labels).float().mean()
    return {"seconds": seconds, "accuracy": hits.item()}


def _step(
    net: nn.Module, optimizer: torch.optim.Optimizer, job: Job, tensors: Tensors, batch: Tensor, alpha: float
) -> None:
    logits = net(tensors.images[batch])
    loss = (1 - alpha) * cross_entropy(logits, tensors.labels[batch])
    if alpha:
        loss = loss + alpha * soft_loss(logits, tensors.logits[batch], job.temperature)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def create_study(job: Job, file: str) -> None:
    """Create a study with one waiting trial for each seed, distilled and alone."""
    study = optuna.create_study(study_name=STUDY, storage=_storage(file), direction="maximize")
    for seed in job.seeds:
        for alpha in (job.alpha, 0.0):
            study.enqueue_trial({"seed": seed, "alpha": alpha})


def optimize(job: Job, file: str) -> None:
    """Train students of a study until no trial waits."""
    torch.set_num_threads(1)
    tensors, study = load_tensors(job), optuna.load_study(study_name=STUDY, storage=_storage(file))
    waiting = 2 * len(job.seeds)
    while (trial := study.ask()).number < waiting:
        seed, alpha = trial.suggest_int("seed", 0, max(job.seeds)), trial.suggest_float("alpha", 0, 1)
        result = train_student(job, tensors, seed, alpha)
        trial.set_user_attr("seconds", result["seconds"])
        study.tell(trial, result["accuracy"])


def _storage(file: str) -> JournalStorage:
    return JournalStorage(JournalFileBackend(file))


def main() -> None:
    """Run one process per worker and print the results."""
    tree = json.loads(sys.argv[1])
    workers, file = tree.pop("workers"), tree.pop("study", None)
    job = Job(**tree)
    if file:
        optimize(job, file)
        return
    load_tensors(job)
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        file = f"{folder}/journal"
        argument = json.dumps(vars(job) | {"workers": 1, "study": file})
        command, start = [sys.executable, "-m", "benchmarks.optuna_loop", argument], perf_counter()
        create_study(job, file)
        processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(workers)]
        codes = [process.wait() for process in processes]
        wall = perf_counter() - start
        if any(codes):
            raise subprocess.SubprocessError("a process of the Optuna loop failed")
        study = optuna.load_study(study_name=STUDY, storage=_storage(file))
        students = [
            {"seconds": trial.user_attrs["seconds"], "accuracy": trial.value}
            for trial in study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
            if trial.params["alpha"]  # distilled
        ]
        print(json.dumps({"wall": wall, "students": students}))


if __name__ == "__main__":
    main()
