"""Contrastive representation distillation, with a memory of all training images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from trainables.declare import declare
from trainables.knobs import Amount, Count, Positive, Rate, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.sampled_products import sampled_products
from trainables.methods.terms import at_least_float32
from trainables.observed_shapes import LayersError, ObservedShapes
from trainables.output import Output

NOISE_FLOOR = 1e-7  # of the paper's code
UNSET = -1.0  # constant Z before the first batch


class ContrastMemory(nn.Module):
    """Linear embeddings of two layers, and their memories of all images.

    A memory [images, dimensions] holds a vector for each training image.
    """

    student_memory: Tensor
    teacher_memory: Tensor
    constants: Tensor
    by_label: Tensor
    begin: Tensor
    count: Tensor

    def __init__(self, shapes: ObservedShapes, *, guided: str, hint: str, dimensions: int) -> None:
        super().__init__()
        sizes = shapes.student[guided].numel(), shapes.teacher[hint].numel()
        self.student, self.teacher = (nn.Sequential(nn.Flatten(), nn.Linear(size, dimensions)) for size in sizes)
        bound = 1 / math.sqrt(dimensions / 3)
        for name in ("student_memory", "teacher_memory"):
            self.register_buffer(name, torch.empty(len(shapes.labels), dimensions).uniform_(-bound, bound))
        self.register_buffer("constants", torch.full((2,), UNSET))
        # Images in the order of their labels, so that those of other classes are all outside one interval.
        _, class_index, counts = shapes.labels.unique(return_inverse=True, return_counts=True)
        if len(counts) < 2:
            raise LayersError("name", "contrastive needs training images of at least two classes")
        begins = counts.cumsum(0) - counts
        derived = {"by_label": class_index.argsort(stable=True), "begin": begins[class_index]}
        for name, values in (derived | {"count": counts[class_index]}).items():
            self.register_buffer(name, values, persistent=False)

    def forward(self, guided: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings [batch, dimensions] of two layers, before their normalization."""
        return self.student(guided), self.teacher(hint)

    def draw_negatives(self, indices: Tensor, number: int) -> Tensor:
        """Return the indices of images with other labels, [batch, number]."""
        begin, count = self.begin[indices, None], self.count[indices, None]
        uniform = torch.rand(len(indices), number, device=indices.device, dtype=torch.float64)
        position = (uniform * (len(self.by_label) - count)).long()
        return self.by_label[position + count * (position >= begin)]

    def set_constant(self, side: int, powers: Tensor) -> Tensor:
        """Return the constant Z of one side, set by its first batch."""
        constant = self.constants[side]
        estimate = powers.detach().mean() * len(self.by_label)
        self.constants = self.constants.clone()
        self.constants[side] = torch.where(constant < 0, estimate, constant)
        return self.constants[side]

    @torch.no_grad()
    def remember(self, indices: Tensor, embeddings: Sequence[Tensor], momentum: float) -> None:
        """Move the memories of a batch towards its embeddings, student and teacher."""
        for name, embedding in zip(("student_memory", "teacher_memory"), embeddings, strict=True):
            memory = getattr(self, name)
            moved = normalize(momentum * memory[indices] + (1 - momentum) * embedding, dim=-1)
            setattr(self, name, memory.index_copy(0, indices, moved))  # a copy: the gradient needs the old one


@declare(
    formula="alpha · beta · (NCE(guided, memory of hint) + NCE(hint, memory of guided)) + (1 − alpha) · "
    "CE(student, labels), NCE = −log(p / (p + c)) − Σ log(c / (pₖ + c)) over the negatives, c = negatives / images, "
    "p = exp(u · memory / T) / Z, u the layer mapped to a unit vector of some dimensions, memory its momentum mean",
    paper="Tian, Krishnan & Isola (2020), section 3",
    module=ContrastMemory,
)
def contrastive(
    student: Output,
    teacher: Output,
    labels: Tensor,
    indices: Tensor,
    module: ContrastMemory,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    beta: Amount = 0.8,
    temperature: Positive = 0.07,
    negatives: Count = 16384,
    momentum: Rate = 0.5,
    dimensions: Count = 128,
) -> Tensor:
    """Contrastive representation distillation (CRD) of two layers.

    Two linear layers map both activations to unit vectors. Noise-contrastive estimation distinguishes the vector of the
    same image, in the memory of the other network, from those of images of other classes, drawn with replacement. The
    constant Z is the mean of the first batch times the number of images. The memories take 8 · dimensions bytes per
    training image, in every checkpoint too. The paper takes the layers before the logits. A pack cannot hold the
    memories, so these students train alone.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer.
        hint: Teacher layer.
        beta: Factor of the contrastive loss; the default is that of the paper's code.
        temperature: Temperature T of the similarities, unrelated to that of distillation.
        negatives: Images that each image is compared with, drawn in every step.
        momentum: Part of a memory that a step keeps.
        dimensions: Length of the vectors.
    """
    activations = student.features[guided], teacher.features[hint].detach()
    own = [normalize(at_least_float32(embedding), dim=-1) for embedding in module(*activations)]
    drawn = torch.cat([indices[:, None], module.draw_negatives(indices, negatives)], 1)
    noise = negatives / len(module.student_memory)
    loss = torch.zeros_like(student.logits[:, 0])
    for side, (vectors, memory) in enumerate(zip(own, (module.teacher_memory, module.student_memory), strict=True)):
        powers = sampled_products(vectors, memory, drawn).div(temperature).exp()
        loss = loss + _estimation_loss(powers / module.set_constant(side, powers), noise)
    module.remember(indices, own, momentum)
    return alpha * beta * loss + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")


def _estimation_loss(probabilities: Tensor, noise: float) -> Tensor:
    """Return the noise-contrastive loss [batch].

    The first of the probabilities [batch, 1 + negatives] are positive.
    """
    positive, negative = probabilities[:, 0], probabilities[:, 1:]
    hit = positive.log() - (positive + noise + NOISE_FLOOR).log()
    miss = math.log(noise) - (negative + noise + NOISE_FLOOR).log()
    return -hit - miss.sum(1)
