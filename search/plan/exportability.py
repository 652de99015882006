"""Exportability of students, tried before hours of training."""

from __future__ import annotations

from collections.abc import Iterator

from search.plan.preview import wrap_row
from spaces.errors import UserError
from spaces.parts import Model
from spaces.space import Space
from trainables.data import Dataset
from trainables.device import tensor_dtype
from trainables.models import MODELS, build_network
from trainables.plugin_functions import is_plugin

FOREIGN_LIBRARIES = {"timm", "transformers"}  # the exports of this project's own networks are tested


def export_lines(space: Space, data: Dataset) -> Iterator[str]:
    """Yield a line for each student network without an export.

    Networks of plugins, timm and transformers are tried, with random weights. It takes seconds each.
    """
    recipes = (space.fill(values, space.seeds[0]) for values in space.probes())
    models = {recipe.network.model_dump_json(): recipe.network for recipe in recipes}
    for model in models.values():
        if (is_plugin(MODELS[model.name]) or model.name in FOREIGN_LIBRARIES) and (
            reason := _export_error(model, data)
        ):
            yield from wrap_row("export", f"{model.name}: this student can be trained, but not exported: {reason}")


def _export_error(model: Model, data: Dataset) -> str | None:
    from results.export.model_files import onnx_bytes  # here: imports onnx, a second

    network = build_network(model, data.shape, len(data.classes)).eval()
    try:
        onnx_bytes(network, data.shape, data.classes, dtype=tensor_dtype(data.train.images))
    except UserError as error:
        return str(error)
    return None
