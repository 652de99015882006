"""The protocol of an experiment, and differences between protocols.

Only experiments with the same protocol are ranked together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pandas

from results import records
from results.experiment import Experiment
from results.records import Row
from spaces.errors import UserError

VERSIONS = ("torch", "torchvision", "numpy")  # packages that compute a student; the others only choose students


def experiment_protocol(experiment: Experiment) -> dict[str, str]:
    """Return the training conditions of the ranked configurations."""
    environment, lines = experiment.environment, experiment.leaderboard()
    data = environment.get("data", {})
    ranked = lines[lines["rank"].notna()]
    return {
        "data": _describe_data(data),
        "split": str(data.get("split", "?")),
        "chosen by": ", ".join(experiment.objectives),
        "trained on": "all images" if experiment.space.trains_on_all else "training images",
        "epochs": _distinct_integers(ranked["epochs"]),
        "n": _distinct_integers(ranked["n"]),
        "precision": str(environment.get("precision", "?")),
        "code": _code_versions(experiment),
    }


def protocol_differences(runs: Sequence[Experiment]) -> dict[str, list[str]]:
    """Return the differing parts of the protocol, with one value per experiment."""
    protocols = [experiment_protocol(run) for run in runs]
    parts = {part: [protocol[part] for protocol in protocols] for part in protocols[0]}
    return {part: values for part, values in parts.items() if len(set(values)) > 1}


def require_same_protocol(runs: Sequence[Experiment]) -> None:
    """Raise UserError listing all differences between the protocols."""
    for run in runs:
        if run.leaderboard()["rank"].isna().all():
            raise UserError(f"{run.folder}: no configuration is ranked yet; use --best or --every to show its students")
    if differences := protocol_differences(runs):
        lines = [
            f"\n  {part}: {'; '.join(f'{value} ({run.folder})' for value, run in zip(values, runs, strict=True))}"
            for part, values in differences.items()
        ]
        raise UserError(
            f"experiments cannot be ranked together: they differ in {', '.join(differences)}; use --best or --every "
            f"to show them side by side{''.join(lines)}"
        )


def _describe_data(data: Row) -> str:
    sizes = " / ".join(f"{data[part]:,}" if part in data else "?" for part in ("train", "val", "test"))
    shape = "×".join(map(str, data.get("shape", []))) or "?"
    return f"{data.get('name', '?')}, {sizes} images of {shape}, {len(data.get('classes', []))} classes"


def _distinct_integers(column: pandas.Series) -> str:
    return ", ".join(str(int(number)) for number in sorted(column.dropna().unique())) or "none yet"


def _code_versions(experiment: Experiment) -> str:
    """Return package versions of all runs, and plugin hashes."""
    environment = experiment.environment
    sources = environment.get("plugins", {})
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sources.items()}
    digests |= records.read_identity(experiment.folder).get("plugins", {})  # with the files beside plugins
    runs = environment.get("runs") or [environment]
    versions = {name: [run.get("versions", {}).get(name, "?") for run in runs] for name in VERSIONS}
    code = {name: " and ".join(dict.fromkeys(used)) for name, used in versions.items()}
    code |= {name: digest[:8] for name, digest in digests.items()}
    return ", ".join(f"{name} {version}" for name, version in code.items())
