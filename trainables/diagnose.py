"""What the parts of a network did on a whole split, beyond its accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.output import Output
from trainables.subclasses import prediction_entropy, utilisation_entropy


def diagnose(output: Output, labels: Tensor, omitted: Sequence[int] = ()) -> dict[str, float]:
    """Figures by name from the answers to a whole split and its labels [n]; none for a network of a single part.

    Of subclasses: the entropies of Müller et al. 2020, in bits. Of students with a selector: accuracies and how often
    each was chosen, as fractions. Of classes that were omitted from training: the accuracy on their images.
    """
    found: dict[str, float] = {}
    if omitted:
        missing = torch.isin(labels, torch.tensor(omitted, device=labels.device))
        found["omitted_accuracy"] = (output.logits.argmax(-1) == labels)[missing].double().mean().item()
    features = output.features
    if "subclasses" in features:
        found |= _subclasses(features["subclasses"])
    if "students" in features and "selector" in features:
        found |= _routing(features["students"], features["selector"], labels)
    return found


def _subclasses(logits: Tensor) -> dict[str, float]:
    """From subclass logits [n, subclasses of all classes]."""
    return {
        "prediction_entropy": float(prediction_entropy(logits)),
        "utilisation_entropy": float(utilisation_entropy(logits)),
    }


def _routing(students: Tensor, selector: Tensor, labels: Tensor) -> dict[str, float]:
    """From students' logits [n, students, classes] and the selector's [n, students]; the oracle asks who is right."""
    right = (students.argmax(-1) == labels[:, None]).double()
    chosen = selector.argmax(-1).bincount(minlength=selector.shape[1]).double() / len(labels)
    accuracies = {f"student_{i}_accuracy": value for i, value in enumerate(right.mean(0).tolist(), 1)}
    choices = {f"student_{i}_chosen": value for i, value in enumerate(chosen.tolist(), 1)}
    return {**accuracies, "oracle_accuracy": right.amax(1).mean().item(), **choices}
