"""Suggestions for unknown keys: a missing colon, common names of other tools, other sections, the nearest name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spaces.errors import closest_match, did_you_mean
from spaces.renamed_keys import RENAMED_KEYS
from spaces.syntax_errors import colon_hint, first_word

# Keys of a space by their names in other tools, in lower case.
COMMON_NAMES = {
    "batch": "batch_size",
    "batchsize": "batch_size",
    "bs": "batch_size",
    "dataset": "data",
    "learning_rate": "lr",
    "learningrate": "lr",
    "lr_schedule": "schedule",
    "lr_scheduler": "schedule",
    "max_epochs": "epochs",
    "n_epochs": "epochs",
    "n_trials": "trials",
    "num_epochs": "epochs",
    "num_samples": "trials",
    "num_trials": "trials",
    "num_workers": "workers",
    "optim": "optimizer",
    "reduction_factor": "reduction",
    "sampler": "algorithm",
    "scheduler": "schedule",
    "seed": "seeds",
    "t": "temperature",
    "tau": "temperature",
    "temp": "temperature",
    "warmup_epochs": "warmup",
    "wd": "weight_decay",
    "weight": "alpha",
}


def unknown_key(key: str, keys: Iterable[str], sections: Mapping[str, Iterable[str]] | None = None) -> str:
    """Return "unknown key" with a suggestion.

    `keys` are those allowed in its place. `sections` are other keys by the section that holds them.
    """
    keys, name = list(keys), COMMON_NAMES.get(key.lower())
    if key not in keys and first_word(key) in keys and (hint := colon_hint(key)):
        return f"unknown key; {hint}"
    if name in keys:
        return f"unknown key; did you mean {name}?"
    for word in filter(None, (key, name)):
        for section, section_keys in (sections or {}).items():
            if word in section_keys:
                return f"unknown key; did you mean {section}: {{{word}: …}}?"
    for (section, old), new in RENAMED_KEYS.items():
        if old == key and section and old != "top":  # top is a key of confirm too
            return f"unknown key; in {section}, renamed to {new}"
    return f"unknown key{did_you_mean(key, keys)}"


def find_misspelled(name: str, keys: Iterable[str]) -> str | None:
    """Return the key that was probably meant as `name`, None without one."""
    candidates = list(keys)
    meant = (key for key in candidates if first_word(key) == name or COMMON_NAMES.get(key.lower()) == name)
    return next(meant, None) or closest_match(name, candidates)
