"""Metrics of parts of a network: subclasses, students, omitted classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.output import Output
from trainables.subclasses import prediction_entropy, utilization_entropy


def diagnose_network(output: Output, labels: Tensor, omitted: Sequence[int] = ()) -> dict[str, float]:
    """Return metrics of the parts of a network.

    `output` and labels [n] are of a whole split. Subclasses: the entropies of Müller et al. 2020, in bits. Students
    with a selector: the accuracy of each and the fraction of images for which it is selected. Classes omitted from
    training: the accuracy on their images. A network without parts has none.
    """
    metrics: dict[str, float] = {}
    if omitted:
        missing = torch.isin(labels, torch.tensor(omitted, device=labels.device))
        metrics["omitted_accuracy"] = (output.logits.argmax(-1) == labels)[missing].double().mean().item()
    features = output.features
    if "subclasses" in features:
        metrics |= _subclass_entropies(features["subclasses"])
    if "students" in features and "selector" in features:
        metrics |= _selector_metrics(features["students"], features["selector"], labels)
    return metrics


def _subclass_entropies(logits: Tensor) -> dict[str, float]:
    return {
        "prediction_entropy": float(prediction_entropy(logits)),
        "utilisation_entropy": float(utilization_entropy(logits)),
    }


def _selector_metrics(students: Tensor, selector: Tensor, labels: Tensor) -> dict[str, float]:
    """Return metrics of the students of a bundle and its selector.

    Logits are [n, students, classes] and [n, students]. The oracle is right if any student is.
    """
    correct = (students.argmax(-1) == labels[:, None]).double()
    selected = selector.argmax(-1).bincount(minlength=selector.shape[1]).double() / len(labels)
    accuracies = {f"student_{i}_accuracy": value for i, value in enumerate(correct.mean(0).tolist(), 1)}
    choices = {f"student_{i}_chosen": value for i, value in enumerate(selected.tolist(), 1)}
    return {**accuracies, "oracle_accuracy": correct.amax(1).mean().item(), **choices}
