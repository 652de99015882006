"""Front matter of a card, as the Hugging Face Hub reads it."""

from __future__ import annotations

from typing import Any

import pandas

from spaces import document
from spaces.metrics import TEST_FIELDS

# Names of metrics on the Hub, by our columns.
HUB_METRICS = {"test_accuracy": "accuracy", "test_macro_f1": "f1"}


def card_header(name: str, data: str, row: pandas.Series) -> str:
    """Return the YAML block at the top of a card.

    `row` is the student's row of `results.students`. Accuracies are fractions.
    """
    metrics = [
        {"type": HUB_METRICS[column], "value": float(row[column]), "name": f"test {HUB_METRICS[column]}"}
        for column in TEST_FIELDS
        if column in HUB_METRICS and column in row and not pandas.isna(row[column])
    ]
    result = {"task": {"type": "image-classification"}, "dataset": {"type": data, "name": data}, "metrics": metrics}
    header: dict[str, Any] = {
        "pipeline_tag": "image-classification",
        "library_name": "onnx",
        "tags": ["image-classification", "knowledge-distillation", "onnx", "pytorch", "safetensors"],
    }
    if metrics:
        header["model-index"] = [{"name": name, "results": [result]}]
    return f"---\n{document.dump_yaml(header).strip()}\n---"
