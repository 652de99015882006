"""Names of tensors in a file, matched with those of a network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from torch import Tensor, nn

from spaces.errors import UserError

# Parts of names added by torch.compile and by sharded training.
WRAPPERS = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
GOOGLENET_AUXILIARY = ("aux1.", "aux2.")  # heads used only when the published weights were trained
# Names of DenseNet's layers in files from before 2018.
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")


def match_names(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a file's tensors to a network's names.

    Removes what training tools put before the names, such as `module.` or `model.`; tensors outside such a prefix
    belong to other networks and are left out. Raises UserError if several networks in the file match equally.
    """
    plain = {OLD_DENSENET.sub(r"\1\2.", WRAPPERS.sub("", name)): value for name, value in weights.items()}
    prefix = _prefix(plain, own)
    named = {name.removeprefix(prefix): value for name, value in plain.items() if name.startswith(prefix)}
    return {name: value for name, value in named.items() if name in own or not name.startswith(GOOGLENET_AUXILIARY)}


def _prefix(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    counts: Counter[str] = Counter()
    for name in weights:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in own:
                counts[".".join([*parts[:i], ""])] += 1
    best = [prefix for prefix, count in counts.items() if count == max(counts.values())]
    if not best or "" in best:
        return ""
    if len(best) > 1 and counts[best[0]] > len(own) // 2:
        raise UserError(f"networks named {' and '.join(sorted(best))} match equally; save the weights of one of them")
    return min(best)


def tensor_problems(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the misfits of weights and a network's own tensors, by name."""
    problems = {name: f"{name} is missing" for name in own.keys() - weights.keys()}
    problems |= {name: f"{name} is not in the model" for name in weights.keys() - own.keys()}
    for name in own.keys() & weights.keys():
        if weights[name].shape != own[name].shape:
            problems[name] = f"{name} is {list(weights[name].shape)}, expected {list(own[name].shape)}"
        elif own[name].is_floating_point() and not weights[name].is_floating_point():
            problems[name] = f"{name} is {_dtype(weights[name])}, expected {_dtype(own[name])}"
    return problems


def problem_list(problems: Mapping[str, str]) -> str:
    """Return the first problems in parentheses, with their number."""
    return f"({len(problems)} tensors: {'; '.join(sorted(problems.values())[:4])})"


def layer_name(tensor_name: str) -> str:
    """Return the name of the layer of a tensor."""
    return tensor_name.rpartition(".")[0]


def first_layer_and_head(module: nn.Module) -> tuple[str, str]:
    """Return the first layer's name and the prefix of the head's tensors."""
    layers = (name for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    first = next(layers, "")
    *_, last = (name for name, _ in module.named_parameters())
    top = last.partition(".")[0] + "."
    return first, layer_name(last) + "." if first.startswith(top) else top


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
