"""Priors: the user's guess beside a domain, `{uniform: [0, 1], prior: 0.9}`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spaces.domain import Choice, Domain
from spaces.label import compact_json, describe_value, label_text

PRIOR_KEY = "prior"  # beside every kind of domain
PRIOR_DESCRIPTION = "Your best guess: tried after a few proposals, then values near it as often as they prove good"


def with_prior(domain: Domain, guess: object) -> Domain:
    """Return the domain with a guess, written as in a recipe.

    An option with a name is written by its label. Raises ValueError outside the domain.
    """
    label: Any = compact_json(guess) if isinstance(guess, list) else guess
    try:
        if isinstance(domain, Choice):
            if isinstance(guess, dict):
                raise ValueError(f"found a mapping, expected one of {', '.join(map(describe_value, domain.labels))}")
            return replace(domain, prior=label_text(domain.normalize(label)))
        if isinstance(guess, str | list | dict):
            raise ValueError(f"found {describe_value(guess)}, expected a number")
        return replace(domain, prior=domain.normalize(label))
    except ValueError as error:
        raise ValueError(f"{PRIOR_KEY}: {error}") from None
