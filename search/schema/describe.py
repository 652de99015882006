"""What the docstrings of the registries say, for people who look for the right name: a line, the formula, the paper."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from search.algorithms import SAMPLERS, SCHEDULERS
from spaces import recipe, sections
from spaces.catalogue.entries import Entry
from spaces.catalogue.example import example
from spaces.domain import Choice, Int, LogUniform, Uniform
from spaces.errors import UserError
from spaces.recipe import Model, Named
from trainables.data import DATA
from trainables.knobs import schema
from trainables.methods import METHODS, formula
from trainables.models import MODELS, build

NAMED: dict[str, tuple[type[Named], Mapping[str, Callable[..., Any]]]] = {
    "method": (recipe.Method, METHODS),
    "data": (recipe.Data, DATA),
    "model": (recipe.Model, MODELS),
}
DOMAINS: dict[str, type] = {"choice": Choice, "uniform": Uniform, "loguniform": LogUniform, "int": Int}
PARTS: dict[str, type] = {
    "teacher": recipe.Teacher,
    "student": recipe.Student,
    "train": recipe.Train,
    "omit": recipe.Omit,
    "augment": recipe.Augment,
    "head_first": recipe.HeadFirst,
    "search": sections.Search,
    "limit": sections.Limit,
    "confirm": sections.Confirm,
    "table": sections.Table,
    "resources": sections.Resources,
}
_AUTHOR = r"[A-Z](?:\.|[^\W\d_]+(?:['’-][^\W\d_]+)*)"
_CITED = re.compile(
    rf"\b{_AUTHOR}(?: {_AUTHOR})*(?:(?:, and |, | and | & ){_AUTHOR})*(?: et al\.)?,? \(?(?:19|20)\d\d\)?"
    r"(?:, (?:sec\.|sections?|eq\.|figure|table) \d[\d.]*\d?(?: and \d+)?)?(?:, arXiv:[\d.]+)?"
)


def entries() -> Iterator[Entry]:
    """Everything that has a name in a space."""
    for kind, (_, registry) in NAMED.items():
        for name, function in registry.items():
            yield _described(kind, name, function, registry)
    for name, found in DOMAINS.items():
        written = f"{{{name}: [{'a, b, …' if found is Choice else 'low, high'}]}}"
        yield Entry("domain", name, _sentence(found.__doc__).split(";")[0], formula=written)
    grid = "Every combination of options, each trained to its end; only choices can be searched"
    yield Entry("algorithm", "grid", grid)
    for kind, asked in (("algorithm", SAMPLERS), ("scheduler", SCHEDULERS)):
        yield from (_described(kind, name, function, asked) for name, function in asked.items())
    for name, found in PARTS.items():
        yield Entry("part", name, _sentence(found.__doc__), _text(found.__doc__))


def paper(*texts: str | None) -> str:
    """The first work that these texts cite, as they cite it: "Hinton et al. (2015), section 2"; empty where none."""
    found = (_CITED.search(_unwrapped(text)) for text in texts if text)
    cited = next((match[0] for match in found if match), "").rstrip(".")
    return cited if "(" in cited else cited.rstrip(")")  # "(Hinton et al. 2015)"


def layers(name: str) -> tuple[str, ...]:
    """The activations and poolings of a network, built in its plainest form: layers that a method may observe."""
    try:
        with torch.device("meta"):
            network = build(_plain(name), (1, 28, 28), 10)
    except (RuntimeError, ValueError, TypeError, UserError):
        return ()
    return tuple(path for path, module in network.named_modules() if _observable(module))


def _described(kind: str, name: str, function: Callable[..., Any], registry: Mapping[str, Any]) -> Entry:
    own, module = inspect.getdoc(function), inspect.getdoc(sys.modules[function.__module__])
    # The head of a file with several entries speaks of them all.
    alone = sum(each.__module__ == function.__module__ for each in registry.values()) == 1
    return Entry(
        kind,
        name,
        _sentence(module if alone and module else own),
        _text(own),
        formula(name) if kind == "method" else "",
        paper(module, own) if alone else paper(own),
        layers(name) if kind == "model" else (),
    )


def _plain(name: str) -> Model:
    given = recipe.Student().model.model_dump(exclude_none=True)
    if name == given["name"]:
        return Model.model_validate(given)
    knobs = schema(MODELS[name]).model_json_schema()
    values = {knob: example(knobs["properties"][knob], given, knob) for knob in knobs.get("required", [])}
    return Model.model_validate({"name": name, **values})


def _observable(module: nn.Module) -> bool:
    return type(module).__module__ in (nn.ReLU.__module__, nn.MaxPool2d.__module__)


def _unwrapped(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str | None) -> str:
    first = _unwrapped(inspect.cleandoc(text or "").split("\n\n")[0])
    return re.split(r"\.(?: (?=[A-Z])|$)", first)[0]


def _text(text: str | None) -> str:
    return "\n\n".join(_unwrapped(each) for each in inspect.cleandoc(text or "").split("\n\n"))
