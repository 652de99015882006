"""`python -m benchmarks.torchdistill_losses`: values of losses here and in torchdistill, as Markdown.

In float64, on random outputs, the teacher's term averaged over the batch. `make torchdistill` installs the package
into a folder of its own and writes the table into docs/reference/methods.md.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import Any, NamedTuple

import torch
from torch import Tensor

from results.markdown import table_lines
from trainables.methods import METHODS
from trainables.output import Output

BATCH, CLASSES, TEMPERATURE = 16, 10, 4.0
LAYERS = {"guided": "layer", "hint": "layer"}
LOGITS = {f"{network}_module_{key}": "x" for network in ("student", "teacher") for key in ("path", "io")}
OUTPUTS = {"student_output_path": "x", "teacher_output_path": "x"}
MAP_PAIRS = {"pair": {network: {"path": "x", "io": "x"} for network in ("student", "teacher")}}
EQUAL = 1e-6  # a larger relative difference needs a reason


class LossPair(NamedTuple):
    """A method with the loss of torchdistill that it is compared with.

    `reason` explains a difference.
    """

    method: str
    knobs: dict[str, Any]
    their_loss: str
    their_settings: dict[str, Any]
    reason: str = ""


SOFT = {"temperature": TEMPERATURE}
PAIRS = (
    LossPair("hinton", SOFT, "KDLoss", LOGITS | SOFT | {"alpha": 1e-300, "beta": 1.0}),
    LossPair(
        "standardized",
        SOFT,
        "LogitStdKDLoss",
        LOGITS | SOFT | {"alpha": 1e-300, "beta": 1.0},
        "their variance is divided by classes − 1, ours by classes",
    ),
    LossPair("dist", SOFT, "DISTLoss", LOGITS | {"tau": TEMPERATURE}),
    LossPair("attention", LAYERS | {"beta": 1.0}, "ATLoss", {"at_pairs": MAP_PAIRS}),
    LossPair(
        "relational", LAYERS, "RKDLoss", OUTPUTS | {"dist_factor": 25.0, "angle_factor": 50.0, "reduction": "mean"}
    ),
    LossPair(
        "similarity",
        LAYERS | {"gamma": 1.0},
        "SPKDLoss",
        OUTPUTS | {"reduction": "batchmean"},
        "their rows are divided by the sum of their absolute values, those of the paper and ours by their length",
    ),
    LossPair(
        "probabilistic",
        {"guided": "vectors", "hint": "vectors", "gamma": 1.0},
        "PKTLoss",
        LOGITS,
        "they add 1e-7 inside the logarithm, we add it to the probabilities",
    ),
)


def main() -> None:
    """Print the table."""
    rows = [["method", f"torchdistill {metadata.version('torchdistill')}", "relative difference", "reason"]]
    for pair in PAIRS:
        difference = relative_difference(pair)
        reason = pair.reason or ("–" if difference < EQUAL else "unknown")
        rows.append([f"`{pair.method}`", f"`{pair.their_loss}`", f"{difference:.0e}" if difference else "0", reason])
    print(*table_lines(rows), sep="\n")


def relative_difference(pair: LossPair) -> float:
    """Return |theirs − ours| / theirs for random outputs."""
    generator = torch.Generator().manual_seed(0)
    student, teacher = (_random_output(generator) for _ in range(2))
    labels = torch.randint(CLASSES, (BATCH,), generator=generator)
    ours = METHODS[pair.method](student, teacher, labels, alpha=1.0, **pair.knobs).mean()
    their_loss: Any = getattr(import_module("torchdistill.losses.mid_level"), pair.their_loss)
    inputs = (_module_outputs(output, pair.knobs.get("guided")) for output in (student, teacher))
    theirs = their_loss(**pair.their_settings)(*inputs, labels)
    return ((theirs - ours).abs() / theirs).item()


def _random_output(generator: torch.Generator) -> Output:
    logits = 3 * torch.randn(BATCH, CLASSES, generator=generator, dtype=torch.float64)
    maps = torch.rand(BATCH, 3, 4, 4, generator=generator, dtype=torch.float64)
    return Output(logits, {"layer": maps, "vectors": maps.flatten(1)})


def _module_outputs(output: Output, layer: str | None) -> dict[str, dict[str, Tensor]]:
    tensor = output.features[layer] if layer else output.logits
    return {"x": {"x": tensor, "output": tensor}}


if __name__ == "__main__":
    main()
