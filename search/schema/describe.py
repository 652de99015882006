"""Catalogue of all names in a space.

Summaries and details come from docstrings, formulas and papers from declarations (trainables/declare.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from search.algorithms import SAMPLERS, SCHEDULERS
from spaces import parts, recipe, search_section, sections, training
from spaces.catalogue.entries import CatalogueEntry
from spaces.catalogue.example import example_value
from spaces.domain import DOMAIN_FORMS
from spaces.errors import UserError
from spaces.parts import Model, NamedPart
from spaces.search_section import AUTO, AUTO_RULES
from trainables.data import DATASETS
from trainables.declare import declaration_of
from trainables.docstrings import first_sentence, paragraphs
from trainables.knobs import knob_schema
from trainables.methods import METHODS, method_needs, needs_teacher
from trainables.models import MODELS, build_network

NAMED_PARTS: dict[str, tuple[type[NamedPart], Mapping[str, Callable[..., Any]]]] = {
    "method": (parts.Method, METHODS),
    "data": (parts.Data, DATASETS),
    "model": (parts.Model, MODELS),
}
PARTS: dict[str, type] = {
    "teacher": recipe.Teacher,
    "student": recipe.Student,
    "train": training.Train,
    "omit": training.Omit,
    "augment": training.Augment,
    "normalize": parts.Normalization,
    "head_first": training.HeadFirst,
    "search": search_section.Search,
    "limit": search_section.SizeLimit,
    "confirm": sections.Confirm,
    "baseline": sections.Baseline,
    "table": sections.Table,
    "resources": sections.Resources,
}
GRID_SUMMARY = "Every combination of options, each trained to its last epoch; only choices can be searched"
EXAMPLE_IMAGE_SHAPE, EXAMPLE_CLASSES = (1, 28, 28), 10


def registry_entries() -> Iterator[CatalogueEntry]:
    """Yield an entry for each name."""
    for kind, (_, registry) in NAMED_PARTS.items():
        yield from (_function_entry(kind, name, function) for name, function in registry.items())
    for name, (summary, form) in DOMAIN_FORMS.items():
        yield CatalogueEntry("domain", name, summary, formula=form)
    yield CatalogueEntry("algorithm", AUTO, AUTO_RULES["algorithm"])
    yield CatalogueEntry("algorithm", "grid", GRID_SUMMARY)
    yield from (_function_entry("algorithm", name, function) for name, function in SAMPLERS.items())
    yield CatalogueEntry("scheduler", AUTO, AUTO_RULES["scheduler"])
    for name, function in SCHEDULERS.items():
        yield _function_entry("scheduler", name, function)._replace(settings=scheduler_settings(name))
    for name, model in PARTS.items():
        yield CatalogueEntry("part", name, first_sentence(model), _details(model))


def observable_layers(name: str) -> tuple[str, ...]:
    """Return the activations and poolings of a network with example knobs.

    Methods can observe these layers. Returns none for networks that cannot be built.
    """
    try:
        with torch.device("meta"):
            network = build_network(_example_model(name), EXAMPLE_IMAGE_SHAPE, EXAMPLE_CLASSES)
    except (RuntimeError, ValueError, TypeError, UserError):
        return ()
    return tuple(path for path, module in network.named_modules() if _is_observable(module))


def scheduler_settings(name: str) -> tuple[str, ...]:
    """Return the keys of `search` read by a scheduler, sorted."""
    keys: set[str] = set()

    class RecordingSearch:
        def __getattr__(self, key: str) -> Any:
            keys.add(key)
            return getattr(sections.Search(), key)

    SCHEDULERS[name](cast(sections.Search, RecordingSearch()), 12)
    return tuple(sorted(keys))


def _function_entry(kind: str, name: str, function: Callable[..., Any]) -> CatalogueEntry:
    declaration = declaration_of(function)
    layers = observable_layers(name) if kind == "model" else ()
    is_method = kind == "method"
    needs = is_method and needs_teacher(name), method_needs(name) if is_method else ()
    written = declaration.full_formula(), declaration.paper
    return CatalogueEntry(kind, name, first_sentence(function), _details(function), *written, layers, *needs)


def _details(documented: Any) -> str:
    """Return the text of a docstring after the summary."""
    text = "\n\n".join(paragraphs(documented))
    return text.removeprefix(first_sentence(documented)).removeprefix(".").strip()


def _example_model(name: str) -> Model:
    default = recipe.Student().model.model_dump(exclude_none=True)
    if name == default["name"]:
        return Model.model_validate(default)
    schema = knob_schema(MODELS[name]).model_json_schema()
    values = {knob: example_value(schema["properties"][knob], default, knob) for knob in schema.get("required", [])}
    return Model.model_validate({"name": name, **values})


def _is_observable(module: nn.Module) -> bool:
    return type(module).__module__ in (nn.ReLU.__module__, nn.MaxPool2d.__module__)
