"""Declared formulas and papers, and functions without a declaration."""

from __future__ import annotations

import pytest

from trainables import methods
from trainables.declare import NO_FORMULA, Declaration, declaration_of, declare
from trainables.methods import method_formula


def test_the_declaration_is_returned_and_the_function_unchanged() -> None:
    def double(x: int) -> int:
        return 2 * x

    declared = declare(formula="2x", paper="Euler (1748)")(double)
    assert declared is double and declared(3) == 6
    assert declaration_of(declared) == Declaration("2x", "Euler (1748)")


def test_a_plain_function_works_without_a_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.METHODS, "mine", lambda student, teacher, labels: student.logits.sum(-1))
    assert method_formula("mine") == NO_FORMULA
    assert declaration_of(methods.METHODS["mine"]) == Declaration()
