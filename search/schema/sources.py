"""pydantic's JSON schemas of models and knobs, the material of spaces/catalogue/schema.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import AfterValidatorFunctionSchema

from search.schema.domains import Schema
from spaces.catalogue.entries import CatalogueEntry
from spaces.recipe import Recipe
from spaces.sections import Sections, TeacherSeeds
from trainables.knobs import knob_schema
from trainables.models.nested_network import NestedNetwork

NESTED_NETWORK_VALIDATOR = get_args(NestedNetwork)[1].func


class _KnobSchema(GenerateJsonSchema):
    """Generator of JSON schemas with nested networks marked by x-part."""

    def function_after_schema(self, schema: AfterValidatorFunctionSchema) -> Schema:
        """Mark a value validated as a network."""
        if schema["function"]["function"] is NESTED_NETWORK_VALIDATOR:
            return {"x-part": "Model"}
        return super().function_after_schema(schema)


def knob_schemas(function: Callable[..., Any]) -> Schema:
    """Return the schema of a function's knobs.

    Knobs of marked types, such as StudentLayer, have the mark as x-mark.
    """
    model = knob_schema(function)
    schema = model.model_json_schema(schema_generator=_KnobSchema)
    for knob, field in model.model_fields.items():
        marks = [mark for mark in field.metadata if isinstance(mark, str)]
        schema["properties"][knob] |= {"x-mark": marks[0]} if marks else {}
    return schema


def model_schemas(entries: list[CatalogueEntry]) -> dict[str, Schema]:
    """Return pydantic's schemas by class name, adapted to files.

    A file has `seeds` instead of `seed`, and the registries add names of algorithms and schedulers. "Teachers" is the
    teacher of a file.
    """
    recipe, sections = (model.model_json_schema(ref_template="{model}") for model in (Recipe, Sections))
    schemas = {**recipe.pop("$defs"), **sections.pop("$defs"), "Recipe": recipe, "Sections": sections}
    seeds = TeacherSeeds.model_json_schema()["properties"]["seeds"]
    teacher = schemas["Teacher"]
    schemas["Teachers"] = {**teacher, "properties": {**_without_seed(teacher), "seeds": seeds}}
    del recipe["properties"]["train_on"]  # set by confirm.train_on
    keys = _without_seed(recipe)
    recipe["properties"] = {**keys, "teacher": keys["teacher"] | {"anyOf": [{"$ref": "Teachers"}, {"type": "null"}]}}
    sections["properties"]["seeds"]["uniqueItems"] = seeds["uniqueItems"] = True
    schemas["Confirm"]["properties"]["seeds"]["uniqueItems"] = True
    for kind in ("algorithm", "scheduler"):
        names = [{"const": entry.name, "description": entry.summary} for entry in entries if entry.kind == kind]
        key = schemas["Search"]["properties"][kind]
        del key["type"]
        key["anyOf"] = names
    return schemas


def _without_seed(source: Schema) -> dict[str, Schema]:
    return {name: schema for name, schema in source["properties"].items() if name != "seed"}
