"""Image classifiers of Hugging Face: `pip install 'distil-search[transformers]'`."""

from __future__ import annotations

import importlib
import json
import os
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from spaces.disk import expand_path
from spaces.errors import UserError, did_you_mean
from spaces.parts import Normalization
from trainables.models.input_layers import add_resizing
from trainables.models.network_outputs import return_logits

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
NAMELESS = "LABEL_"  # start of labels without a name


def transformers(
    shape: tuple[int, int, int],
    classes: int,
    *,
    path: Annotated[str, Field(min_length=1)],
    labels: list[str] | None = None,
) -> nn.Module:
    """An image classifier of Hugging Face, from a folder with its weights.

    Nothing is fetched. Images are resized and normalized as preprocessor_config.json says, by default. A head for
    another number of classes gets random weights, and has to be trained.

    Args:
        path: Folder with config.json and model.safetensors, as `save_pretrained` writes.
        labels: Labels of the model to use, in the order of the data's classes; null for all.
    """
    folder, library = _model_folder(path), _import_transformers()
    try:
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
        outputs = len(labels) if labels is not None else classes
        replaced = {} if labels is not None or config.num_labels == classes else {"num_labels": classes}
        network = _build(library, folder, replaced)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        raise UserError(f"path: {folder}: not an image classifier of transformers: {reason}") from None
    if outputs != classes:
        raise UserError(f"labels: found {outputs}, expected one for each of the {classes} classes")
    return_logits(network, "transformers")
    network.has_new_head = bool(replaced)
    if labels is not None:
        indices = _label_indices(config, labels)
        network.register_forward_hook(partial(_select_outputs, indices))
    elif not replaced and not str(config.id2label[0]).startswith(NAMELESS):
        network.class_names = tuple(str(config.id2label[index]) for index in range(classes))
    _prepare_images_as(network, _read_json(folder / PROCESSOR), shape)
    return network


def _model_folder(path: str) -> Path:
    folder = expand_path(path)
    if not os.path.isdir(folder):
        raise UserError(f"path: {folder}: no such folder; expected one with {CONFIG} and model.safetensors")
    if not (folder / CONFIG).is_file():
        raise UserError(f"path: {folder}: a folder without {CONFIG}; expected what save_pretrained writes")
    return folder


def _build(library: ModuleType, folder: Path, replaced: dict[str, int]) -> Any:
    """Build the network with its weights; on the device meta without."""
    classifier = library.AutoModelForImageClassification
    if torch.get_default_device().type == "meta":
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True, **replaced)
        return classifier.from_config(config)
    return classifier.from_pretrained(
        folder, local_files_only=True, torch_dtype=torch.float32, ignore_mismatched_sizes=bool(replaced), **replaced
    )


def _label_indices(config: Any, labels: list[str]) -> list[int]:
    indices = {str(name): int(index) for name, index in config.label2id.items()}
    for label in labels:
        if label not in indices:
            raise UserError(f"labels: {label} is no label of this model{did_you_mean(label, indices)[:200]}")
    return [indices[label] for label in labels]


def _select_outputs(indices: list[int], _network: nn.Module, _inputs: object, logits: Tensor) -> Tensor:
    return logits[:, indices]


def _prepare_images_as(network: Any, processor: dict[str, Any], shape: tuple[int, int, int]) -> None:
    """Resize and normalize images as an image processor does."""
    mean, std = processor.get("image_mean"), processor.get("image_std")
    if processor.get("do_normalize", True) and mean and std:
        network.published_normalization = Normalization(mean=[*map(float, mean)], std=[*map(float, std)])
    size = processor.get("crop_size") or processor.get("size") or {}
    side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
    if side and side != shape[1]:
        add_resizing(network, int(side))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"path: {path}: cannot be read ({error})") from None
    return content if isinstance(content, dict) else {}


def _import_transformers() -> ModuleType:
    """Import transformers; raise UserError with the install command if it is missing."""
    importlib.import_module("trainables.models.torchvision_import")  # transformers may need torchvision
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        library = importlib.import_module("transformers")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise UserError(
            "the networks of Hugging Face are an extra: pip install 'distil-search[transformers]'"
        ) from None
    library.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    return library
