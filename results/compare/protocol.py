"""What numbers of several experiments must have in common before they may be ranked in one table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pandas

from results import experiment as experiments
from results.experiment import Experiment
from results.records import Row
from spaces.errors import UserError

VERSIONS = ("torch", "torchvision", "numpy")  # of what computes a student; the rest only decides whom to train


def protocol(experiment: Experiment) -> dict[str, str]:
    """How the ranked configurations of an experiment came by their numbers, in words."""
    about, lines = experiment.environment, experiments.leaderboard(experiment)
    ranked = lines[lines["rank"].notna()]
    return {
        "data": _data(about.get("data", {})),
        "split": str(about.get("data", {}).get("split", "?")),
        "chosen by": experiment.metric,
        "epochs": _numbers(ranked["epochs"]),
        "n": _numbers(ranked["n"]),
        "precision": str(about.get("precision", "?")),
        "code": _code(about),
    }


def differences(found: Sequence[Experiment]) -> dict[str, list[str]]:
    """The parts of the protocol that are not the same for all, each with what it is for every experiment."""
    each = [protocol(experiment) for experiment in found]
    parts = {part: [known[part] for known in each] for part in each[0]}
    return {part: values for part, values in parts.items() if len(set(values)) > 1}


def demand(found: Sequence[Experiment]) -> None:
    """Raise UserError, which names every difference, where experiments do not have one protocol."""
    for experiment in found:
        if experiments.leaderboard(experiment)["rank"].isna().all():
            raise UserError(
                f"{experiment.folder}: no configuration is ranked yet; --best and --every show what is there"
            )
    if different := differences(found):
        told = [
            f"\n  {part}: {'; '.join(f'{value} ({each.folder})' for value, each in zip(values, found, strict=True))}"
            for part, values in different.items()
        ]
        raise UserError(
            f"these experiments cannot be ranked in one table, for they differ in {', '.join(different)}; expected one "
            f"protocol, or --best or --every, which show them side by side{''.join(told)}"
        )


def _data(known: Row) -> str:
    sizes = " / ".join(f"{known[part]:,}" if part in known else "?" for part in ("train", "val", "test"))
    shape = "×".join(map(str, known.get("shape", []))) or "?"
    return f"{known.get('name', '?')}, {sizes} images of {shape}, {len(known.get('classes', []))} classes"


def _numbers(column: pandas.Series) -> str:
    return ", ".join(str(int(number)) for number in sorted(column.dropna().unique())) or "none yet"


def _code(about: Row) -> str:
    versions, plugins = about.get("versions", {}), about.get("plugins", {})
    digests = {name: hashlib.sha256(text.encode()).hexdigest()[:8] for name, text in plugins.items()}
    known = {name: versions.get(name, "?") for name in VERSIONS} | digests
    return ", ".join(f"{name} {version}" for name, version in known.items())
