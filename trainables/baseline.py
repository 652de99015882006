"""The baseline: a student trained on labels only.

A method marks the knob that weighs its teacher by the type `TeacherWeight`. Where all marked knobs of a recipe are 0,
the teacher changes nothing: the student is the baseline, trained once whatever its other knobs are. A method without a
marked knob always uses its teacher.

Decision: "The baseline is a recipe with method `none`" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from spaces.recipe import Recipe
from trainables.knobs import TeacherWeight, knob_schema, marked_knobs
from trainables.methods import METHODS, knobs_with_defaults


def canonical_recipe(recipe: Recipe) -> Recipe:
    """Return the baseline if the teacher has no weight, else the recipe."""
    names = marked_knobs(METHODS[recipe.method.name], TeacherWeight)
    values = knobs_with_defaults(recipe.method)
    weightless = bool(names) and all(values[name] == 0 for name in names)
    return recipe.baseline() if weightless or recipe.method.name == "none" else recipe


def teacher_weight_paths(methods: Iterable[str]) -> list[str]:
    """Return the dotted paths of the teacher weights of these methods.

    A knob counts only if each of the methods that has it marks it. Otherwise a baseline would be shown at value 0 of
    another method's knob of the same name.
    """
    functions = [METHODS[method] for method in methods]
    marked = [name for function in functions for name in marked_knobs(function, TeacherWeight)]
    unmarked = {
        name
        for function in functions
        for name in knob_schema(function).model_fields
        if name not in marked_knobs(function, TeacherWeight)
    }
    return [f"method.{name}" for name in dict.fromkeys(marked) if name not in unmarked]
