"""The table of other projects' losses: each row has the gradient stated on the page."""

from __future__ import annotations

import re
from pathlib import Path
from types import CodeType

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from trainables.methods.hinton import hinton
from trainables.output import Output

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "alpha.md").read_text(encoding="utf-8")
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", PAGE, re.MULTILINE)[2:]
]
CLASSES, IMAGES = 10, 32
NUMBERS = {"C": CLASSES, "α": 0.3, "λ": 0.6, "γ": 0.2}
WRITTEN = {"·": "*", "−": "-", "T²": "T**2", "CE(soft)": "soft"}


def formula(text: str) -> CodeType:
    """Compile a formula of the page."""
    for sign, python in WRITTEN.items():
        text = text.replace(sign, python)
    return compile(text, text, "eval")


def gradient(loss) -> torch.Tensor:
    """Return the gradient of a loss with respect to the student's logits."""
    student = torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss(student).backward()
    assert student.grad is not None
    return student.grad


@pytest.fixture
def teacher_logits() -> torch.Tensor:
    return 3 * torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(1))


LABELS = torch.arange(IMAGES) % CLASSES


@pytest.mark.parametrize("temperature", [1.0, 2.5, 10.0])
@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0][:30])
def test_a_row_is_our_loss_at_another_alpha(line, temperature, teacher_logits):
    _, written, a, b = (line[0], *map(formula, line[1:]))
    numbers = NUMBERS | {"T": temperature}
    hard, soft = eval(a, {}, numbers), eval(b, {}, numbers)

    def theirs(student):
        targets = softmax(teacher_logits / temperature, 1)
        terms = {
            "CE": cross_entropy(student, LABELS),
            "KL": kl_div(log_softmax(student / temperature, 1), targets, reduction="batchmean"),
            "soft": cross_entropy(student / temperature, targets),
        }
        return eval(written, {}, numbers | terms)

    def ours(student):
        alpha = soft / (hard + soft)
        return hinton(Output(student), Output(teacher_logits), LABELS, alpha=alpha, temperature=temperature).mean()

    torch.testing.assert_close(gradient(theirs), (hard + soft) * gradient(ours))


def test_the_table_has_ten_projects():
    assert len(LINES) == 10 and all(len(line) == 4 for line in LINES)


def test_the_example_of_the_page():
    assert "α 0.1 at T 10. That is a = 0.1, b = 0.9 / 100, and here alpha 0.083" in " ".join(PAGE.split())
    assert round(0.009 / (0.1 + 0.009), 3) == 0.083
