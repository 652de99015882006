"""One optimizer for a pack, with rates and decays per student.

Decision: "A pack's optimizer is torch's own" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from spaces.training import Train
from trainables import optim


class StackedOptimizer:
    """Optimizes stacked parameters [students, ...].

    torch's optimizer steps from zero with a learning rate of 1; each student then adds this update times its own rate.
    So the updates are torch's, up to rounding, and so is the state of each student.
    """

    def __init__(self, parameters: Iterable[Tensor], trains: Sequence[Train]) -> None:
        self.parameters = list(parameters)
        self.trains = trains
        self.updates = nn.ParameterList(torch.zeros_like(parameter) for parameter in self.parameters)
        unit_rate = trains[0].model_copy(update={"lr": 1.0, "weight_decay": 0.0})
        self.optimizer = optim.build_optimizer(self.updates, unit_rate)
        self.decays = torch.tensor([train.weight_decay for train in trains], device=self.parameters[0].device)
        self.decoupled = trains[0].optimizer == "adamw"

    @torch.no_grad()
    def step(self, rates: Tensor) -> None:
        """Take one step with learning rates [students]; clear the gradients."""
        decaying = any(train.weight_decay for train in self.trains)
        for parameter, update in zip(self.parameters, self.updates, strict=True):
            update.grad, parameter.grad = parameter.grad, None
            if decaying and update.grad is not None:
                if self.decoupled:
                    parameter.mul_(_to_column(1 - rates * self.decays, parameter))
                else:
                    update.grad.addcmul_(parameter, _to_column(self.decays, parameter))
        self.optimizer.step()
        for parameter, update in zip(self.parameters, self.updates, strict=True):
            parameter.addcmul_(update, _to_column(rates, parameter))
            update.zero_()

    def rates(self, epoch: int, steps: int) -> Tensor:
        """Return the learning rates [steps, students] of an epoch."""
        first = (epoch - 1) * steps
        columns = {
            train.lr: torch.tensor([optim.learning_rate(train, first + step, steps) for step in range(steps)])
            for train in {train.lr: train for train in self.trains}.values()
        }
        return torch.stack([columns[train.lr] for train in self.trains], 1).to(self.decays.device)

    def states(self) -> list[dict[str, Tensor]]:
        """Return each student's tensors, named as by `optim.flatten_state`.

        They are views of the stacked tensors.
        """
        tensors = optim.flatten_state(self.optimizer)
        stacked = {name for name, value in tensors.items() if value.shape == self._parameter(name).shape}
        return [  # tensors that are not stacked count the steps
            {name: value[student] if name in stacked else value for name, value in tensors.items()}
            for student in range(len(self.trains))
        ]

    def restore(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Restore states of students after the same epoch."""
        tensors = {
            name: torch.stack([state[name] for state in states])
            if value.shape == self._parameter(name).shape[1:]
            else value
            for name, value in states[0].items()
        }
        optim.restore_state(self.optimizer, tensors)

    def _parameter(self, name: str) -> Tensor:
        return self.parameters[int(name.partition(".")[0])]


def _to_column(values: Tensor, parameter: Tensor) -> Tensor:
    """Reshape values [students] to [students, 1, ...] for broadcasting."""
    return values.view(-1, *[1] * (parameter.ndim - 1))
