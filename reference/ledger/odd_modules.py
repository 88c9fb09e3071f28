"""Modules in another mode than their parent's: a list that is written once, then referred to.

A model with 90 frozen normalisations has the same 90 names in each of its steps.
"""

from typing import Any

from reference.ledger.combined_hash import combine
from reference.ledger.record import Record

FEW = 4  # names that are written in each step


def reference_to(odd: list[str]) -> str:
    """How many they are, and a hash of their names."""
    return f"{len(odd)} {combine(odd)}"


class OddModules:
    """The lists of one ledger so far, by what refers to them."""

    def __init__(self) -> None:
        self._lists: dict[str, list[str]] = {}

    def in_short(self, mode: Record) -> Record:
        """The link `mode` with a reference in place of a long list that was written before."""
        odd = mode.get("odd")
        if not isinstance(odd, list) or len(odd) <= FEW:
            return mode
        reference = reference_to(odd)
        known = reference in self._lists
        self._lists[reference] = odd
        return {**mode, "odd": reference} if known else mode

    def in_full(self, mode: Any) -> Any:
        """The link with the list itself, where this ledger had it."""
        if not isinstance(mode, dict):
            return mode
        odd = mode.get("odd")
        if isinstance(odd, list):
            self._lists[reference_to(odd)] = odd
        return {**mode, "odd": self._lists.get(odd, odd)} if isinstance(odd, str) else mode
