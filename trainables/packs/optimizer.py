"""One optimiser for many students, each with a learning rate and a weight decay of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from spaces.recipe import Train
from trainables import optim


class Broadcast:
    """Optimises stacked parameters [students, ...].

    torch's own optimiser walks from zero by a rate of 1; of each such step a student takes its own rate's part. So the
    updates are torch's, up to rounding, and its state is that of each student trained alone.
    """

    def __init__(self, parameters: Iterable[Tensor], trains: Sequence[Train]) -> None:
        self.parameters = list(parameters)
        self.trains = trains
        self.walks = nn.ParameterList(torch.zeros_like(each) for each in self.parameters)
        self.optimiser = optim.optimizer(self.walks, trains[0].model_copy(update={"lr": 1.0, "weight_decay": 0.0}))
        self.decays = torch.tensor([train.weight_decay for train in trains], device=self.parameters[0].device)
        self.decoupled = trains[0].optimizer == "adamw"

    @torch.no_grad()
    def step(self, rates: Tensor) -> None:
        """Take one step by the gradients of the parameters, which are used up; rates [students]."""
        decaying = any(train.weight_decay for train in self.trains)
        for parameter, walk in zip(self.parameters, self.walks, strict=True):
            walk.grad, parameter.grad = parameter.grad, None
            if decaying and walk.grad is not None:
                if self.decoupled:
                    parameter.mul_(_column(1 - rates * self.decays, parameter))
                else:
                    walk.grad.addcmul_(parameter, _column(self.decays, parameter))
        self.optimiser.step()
        for parameter, walk in zip(self.parameters, self.walks, strict=True):
            parameter.addcmul_(walk, _column(rates, parameter))
            walk.zero_()

    def rates(self, epoch: int, steps: int) -> Tensor:
        """The learning rates [steps, students] of the steps of an epoch."""
        various = {train.lr: train for train in self.trains}
        first = (epoch - 1) * steps
        columns = {
            lr: torch.tensor([optim.rate(train, first + step, steps) for step in range(steps)])
            for lr, train in various.items()
        }
        return torch.stack([columns[train.lr] for train in self.trains], 1).to(self.decays.device)

    def states(self) -> list[dict[str, Tensor]]:
        """What `optim.flatten` would take of each student's own optimiser, still in the memory of all."""
        flat = optim.flatten(self.optimiser).items()
        mine = {name for name, value in flat if value.shape == self._parameter(name).shape}  # others count the steps
        return [{name: value[i] if name in mine else value for name, value in flat} for i in range(len(self.trains))]

    def restore(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Put back what `states` or `optim.flatten` took of students after the same epoch."""
        optim.unflatten(
            self.optimiser,
            {
                name: torch.stack([state[name] for state in states])
                if value.shape == self._parameter(name).shape[1:]
                else value
                for name, value in states[0].items()
            },
        )

    def _parameter(self, name: str) -> Tensor:
        return self.parameters[int(name.partition(".")[0])]


def _column(values: Tensor, like: Tensor) -> Tensor:
    """Values [students] as [students, 1, ...], to be broadcast over a stacked parameter."""
    return values.view(-1, *[1] * (like.ndim - 1))
