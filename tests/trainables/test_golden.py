"""Golden values: tiny trainings give the recorded bits, so optimizations change no result.

golden.json holds them for the processors they were recorded on; `python tests/trainables/test_golden.py` adds this one.
A change that is meant to change results raises TRAINING_VERSION and records them again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.recipe import Recipe
from trainables.data import load_dataset
from trainables.device import device_name
from trainables.fit import fit

FILE = Path(__file__).with_name("golden.json")
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
FITNETS = {"name": "fitnets", "alpha": 0.5, "temperature": 4.0, "hint_epochs": 1, "guided": "relu1", "hint": "relu3"}
MLP = {"name": "mlp", "hidden": [24, 16]}
RECIPES: dict[str, dict[str, Any]] = {
    "mlp": {"model": MLP},
    "mlp_dropout": {"model": {**MLP, "dropout": 0.3, "input_dropout": 0.1}},
    "mlp_max_norm": {"model": MLP, "train": {"max_norm": 0.9}},
    "mlp_shift": {"model": MLP, "train": {"shift": 1}},
    "mlp_sgd_cosine": {"model": MLP, "train": {"optimizer": "sgd", "schedule": "cosine", "warmup": 1}},
    "mlp_hints": {"model": MLP, "method": FITNETS},
    "mlp_alone": {"model": MLP, "method": {"name": "none"}, "train": {"omit": {"classes": [3], "correct_bias": True}}},
    "cnn": {"model": {"name": "cnn"}},
    "cnn_batch_norm": {"model": {"name": "plain_cnn"}},
    "cnn_head_first": {
        "model": {"name": "cnn"},
        "train": {"head_first": {"epochs": 1, "layers": ["logits"], "lr": 0.01}},
    },
}
PRECISIONS = ("float32", "bfloat16")


def machine() -> str:
    """Return the machine, on which the bits of a training depend."""
    return f"{device_name()}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def golden(name: str, precision: str) -> str:
    """Return a hash of the losses, accuracies and final weights of one tiny training."""
    parts = RECIPES[name]
    train = {"epochs": 2, "batch_size": 64, "lr": 0.01, "precision": precision} | parts.get("train", {})
    tree = {"data": {"name": "digits"}, "teacher": {"model": {"name": "cnn"}, "train": {"precision": precision}}}
    tree |= {"student": {"model": parts["model"]}, "method": parts.get("method", HINTON), "train": train, "seed": 3}
    recipe, data = Recipe.model_validate(tree), load_dataset("digits").take(320, 64, 64)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    epochs = list(fit(recipe, dummy_distillation_data(recipe, data)))
    torch.set_num_threads(threads)
    digest = hashlib.sha256()
    for epoch in epochs:
        digest.update(repr((epoch.train_loss, epoch.val_loss, epoch.val_accuracy, epoch.lr)).encode())
    for key, value in sorted(epochs[-1].state.weights.items()):
        digest.update(key.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", RECIPES)
def test_recorded_bits(name: str, precision: str) -> None:
    recorded = json.loads(FILE.read_text())
    if machine() not in recorded:
        pytest.skip(f"nothing recorded on {machine()}: bits may differ between processors")
    assert golden(name, precision) == recorded[machine()][f"{name}/{precision}"]


if __name__ == "__main__":
    recorded = json.loads(FILE.read_text()) if FILE.exists() else {}
    recorded[machine()] = {
        f"{name}/{precision}": golden(name, precision) for name in RECIPES for precision in PRECISIONS
    }
    FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
