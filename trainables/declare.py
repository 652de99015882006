"""Formula and paper of a registered function, declared beside it.

Used by methods, networks, data sets, samplers and schedulers. `python -m spaces show NAME`, model cards, the protocol
of an experiment and the reference pages print both. A function without a declaration works the same. A method also
declares the module that it owns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
NO_FORMULA = "formula not declared"
NO_OPTIONS: Mapping[str, str] = MappingProxyType({})
_ATTRIBUTE = "declaration"


class Declaration(NamedTuple):
    """Formula and paper of a function; empty strings for none.

    `options` are further clauses of the formula, by the argument that turns each on. `needs_labels` marks a method with
    a teacher's term that reads the labels. `module` builds the module that a method owns; a `stackable` one can be
    trained in a pack.
    """

    formula: str = ""
    paper: str = ""
    needs_labels: bool = False
    module: Callable[..., Any] | None = None
    stackable: bool = False
    options: Mapping[str, str] = NO_OPTIONS

    def full_formula(self, options: Collection[str] | None = None) -> str:
        """Return the formula with the clauses of some options, or of all."""
        used = self.options if options is None else options
        return "; ".join([self.formula, *(clause for name, clause in self.options.items() if name in used)])


def declare(
    *,
    formula: str = "",
    paper: str = "",
    needs_labels: bool = False,
    module: Callable[..., Any] | None = None,
    stackable: bool = False,
    options: Mapping[str, str] = NO_OPTIONS,
) -> Callable[[Function], Function]:
    """Decorate a function with its formula and paper.

    The formula is one line. A clause that holds only where an argument differs from its default belongs into `options`,
    by the argument's name. `paper` is cited as in "Hinton, Vinyals & Dean (2015), section 2". A method that
    `needs_labels` refuses unlabeled images. `module` is a function from `ObservedShapes`, and those knobs of the method
    that it names, to the method's `torch.nn.Module` (trainables/method_module.py). It is `stackable` if its forward
    pass works under `torch.func.vmap`, changes no buffer, draws no random numbers, and if the method only calls it.
    """

    def attach(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, Declaration(formula, paper, needs_labels, module, stackable, options))
        return function

    return attach


def declaration_of(function: Callable[..., Any]) -> Declaration:
    """Return the declaration of a function, or an empty one."""
    return getattr(function, _ATTRIBUTE, Declaration())
