"""Titles of figures."""

from __future__ import annotations

from results.experiment import Experiment


def figure_title(experiment: Experiment, quantity: str) -> str:
    """Return the plotted quantity, data set, number of training images and loss."""
    data, loss = experiment.environment.get("data", {}), experiment.environment.get("loss", "?")
    size = f"{data['train']:,} training images" if "train" in data else "?"
    return f"{quantity} on {data.get('name', '?')}, {size}\nloss: {loss}"
