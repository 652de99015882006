"""Knowledge review: fused layers of the student."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, interpolate

from spaces.parts import Natural
from trainables.declare import declare
from trainables.knobs import Amount, StudentLayers, TeacherLayers, TeacherWeight
from trainables.methods.maps import as_maps, map_shape
from trainables.methods.terms import at_least_float32
from trainables.observed_shapes import LayersError, ObservedShapes
from trainables.output import Output, Progress

MAX_CHANNELS = 512  # of the fused maps, in the paper's code
PYRAMID = (4, 2, 1)  # heights and widths of the pooled maps


class AttentionFusion(nn.Module):
    """Attention-based fusion (ABF) of a layer with the fused deeper layers."""

    def __init__(self, channels: int, inner: int, hint: torch.Size, fuses: bool) -> None:
        super().__init__()
        self.size = hint[1:]
        self.reduce = _normalized_convolution(channels, inner, 1)
        self.attention = nn.Sequential(nn.Conv2d(2 * inner, 2, 1), nn.Sigmoid()) if fuses else None
        self.expand = _normalized_convolution(inner, hint[0], 3)

    def forward(self, maps: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return maps in the teacher's shape, and the fused maps."""
        fused = self.reduce(maps)
        if self.attention is not None and deeper is not None:
            deeper = interpolate(deeper, fused.shape[2:], mode="nearest")
            weights = self.attention(torch.cat([fused, deeper], 1))
            fused = fused * weights[:, :1] + deeper * weights[:, 1:]
        if fused.shape[2:] != self.size:
            fused = interpolate(fused, self.size, mode="nearest")
        return self.expand(fused), fused


class ReviewFusions(nn.Module):
    """Fusions of all guided layers, from the last to the first."""

    def __init__(self, shapes: ObservedShapes, *, guided: list[str], hint: list[str]) -> None:
        super().__init__()
        if len(guided) != len(hint):
            raise LayersError("hint", f"found {len(hint)} layers, expected {len(guided)}, one for each guided layer")
        sources = [map_shape(shapes.student[layer]) for layer in guided]
        targets = [map_shape(shapes.teacher[layer]) for layer in hint]
        inner = min(MAX_CHANNELS, sources[-1][0])
        self.fusions = nn.ModuleList(
            AttentionFusion(source[0], inner, target, layer < len(guided) - 1)
            for layer, (source, target) in enumerate(zip(sources, targets, strict=True))
        )

    def forward(self, *activations: Tensor) -> list[Tensor]:
        """Return maps in the shapes of the teacher's layers."""
        results: list[Tensor] = []
        deeper = None
        for fusion, layer in zip(reversed(self.fusions), reversed(activations), strict=True):
            result, deeper = fusion(as_maps(layer), deeper)
            results.insert(0, result)
        return results


def _normalized_convolution(source: int, target: int, kernel: int) -> nn.Module:
    layer = nn.Conv2d(source, target, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_uniform_(layer.weight, a=1)  # as in the paper's code
    return nn.Sequential(layer, nn.BatchNorm2d(target, track_running_stats=False))


@declare(
    formula="alpha · beta · Σ HCL(fused(guided), hint) over the layers + (1 − alpha) · CE(student, labels), HCL the "
    "weighted mean of mean((fused − hint)²) with weight 1 and of the maps averaged to 4 × 4, 2 × 2 and 1 × 1 with "
    "weights ½, ¼ and ⅛; beta rises linearly over rise_epochs",
    paper="Chen, Liu, Zhao & Jia (2021), section 3",
    module=ReviewFusions,
    stackable=True,
)
def review(
    student: Output,
    teacher: Output,
    labels: Tensor,
    progress: Progress,
    module: nn.Module,
    *,
    alpha: TeacherWeight,
    guided: StudentLayers,
    hint: TeacherLayers,
    beta: Amount = 1.0,
    rise_epochs: Natural = 0,
) -> Tensor:
    """Knowledge review (ReviewKD): earlier layers of the teacher guide later ones.

    The last guided layer is compared with the last hint. Every earlier one is fused with all later ones by learned
    attention (ABF) and compared with its hint over a pyramid of averaged maps (HCL). Takes activations [batch,
    channels, height, width]; [batch, units] are maps of one position.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layers, from the input to the output.
        hint: Teacher layers, as many and in the same order.
        beta: Factor of the review loss; the paper's code has 0.6 to 8, by pair of networks.
        rise_epochs: Epochs over which beta rises from 0; the paper's code has 20 of 240.
    """
    targets = [as_maps(at_least_float32(teacher.features[layer].detach())) for layer in hint]
    fused = module(*(student.features[layer] for layer in guided))
    pairs = zip(fused, targets, strict=True)
    distance = torch.stack([_pyramid_distance(at_least_float32(own), target) for own, target in pairs]).sum(0)
    weight = beta * min(1.0, progress.epoch / max(1, rise_epochs))
    return alpha * weight * distance + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")


def _pyramid_distance(first: Tensor, second: Tensor) -> Tensor:
    """Return the hierarchical context loss (HCL) [batch].

    Maps are [batch, channels, height, width].
    """
    total, weights = (first - second).square().flatten(1).mean(-1), 1.0
    for level, side in enumerate(side for side in PYRAMID if side < first.shape[2]):
        weight = 0.5 ** (level + 1)
        pooled = adaptive_avg_pool2d(first - second, side)
        total, weights = total + weight * pooled.square().flatten(1).mean(-1), weights + weight
    return total / weights
