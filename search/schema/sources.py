"""What pydantic says of the models and of functions' knobs, as JSON Schema: the material of spaces/schema.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import AfterValidatorFunctionSchema

from search.schema.domains import Schema
from spaces.catalogue.entries import Entry
from spaces.recipe import Recipe
from spaces.sections import Sections, TeacherSeeds
from trainables.knobs import schema
from trainables.models.part import Network

NETWORK = get_args(Network)[1].func


class _Knobs(GenerateJsonSchema):
    """pydantic's own schemas, in which a network as a knob of another is marked as such."""

    def function_after_schema(self, schema: AfterValidatorFunctionSchema) -> Schema:
        """Mark what is judged as a network."""
        if schema["function"]["function"] is NETWORK:
            return {"x-part": "Model"}
        return super().function_after_schema(schema)


def signature(function: Callable[..., Any]) -> Schema:
    """The schema of a function's knobs, with what marks them (a layer, a first stage) as their description."""
    model = schema(function)
    found = model.model_json_schema(schema_generator=_Knobs)
    for knob, field in model.model_fields.items():
        notes = [each for each in field.metadata if isinstance(each, str)]
        found["properties"][knob] |= {"description": ", ".join(notes)} if notes else {}
    return found


def sources(named: list[Entry]) -> dict[str, Schema]:
    """pydantic's schemas by class, with what only the file or only the registries know put into them."""
    recipe, sections = (kind.model_json_schema(ref_template="{model}") for kind in (Recipe, Sections))
    found = {**recipe.pop("$defs"), **sections.pop("$defs"), "Recipe": recipe, "Sections": sections}
    seeds = TeacherSeeds.model_json_schema()["properties"]["seeds"]
    teacher = found["Teacher"]
    found["Teachers"] = {**teacher, "properties": {**_without_seed(teacher), "seeds": seeds}}
    recipe["properties"] = {**_without_seed(recipe), "teacher": {"anyOf": [{"$ref": "Teachers"}, {"type": "null"}]}}
    sections["properties"]["seeds"]["uniqueItems"] = seeds["uniqueItems"] = True
    found["Confirm"]["properties"]["seeds"]["uniqueItems"] = True
    for kind in ("algorithm", "scheduler"):
        words = [{"const": each.name, "description": each.line} for each in named if each.kind == kind]
        given = found["Search"]["properties"][kind]
        found["Search"]["properties"][kind] = {"anyOf": words, "default": given["default"]}
    return found


def _without_seed(source: Schema) -> dict[str, Schema]:
    return {name: given for name, given in source["properties"].items() if name != "seed"}
