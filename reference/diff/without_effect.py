"""What was unequal in steps that came out equal all the same, counted over the steps."""

from dataclasses import replace

from reference.diff.notes import WithoutEffect
from reference.diff.unequal import HARD, Unequal

Kind = tuple[Unequal, bool]  # without its values; and whether only one run has it


class Ineffective:
    """Each kind of such a difference: in how many steps it was, and in which one first."""

    def __init__(self) -> None:
        self._steps: dict[Kind, int] = {}
        self._first: dict[Kind, int] = {}

    def add(self, unequal: list[Unequal], step: int) -> None:
        """Notes what was unequal in an equal step: once for all its forward passes.

        A loss that only one run shows is no difference.
        """
        kinds: set[Kind] = set()
        for each in unequal:
            only_in_one = each.left is None or each.right is None
            if not (only_in_one and each.link == "forward"):
                field = replace(each, left=None, right=None, weight=HARD, forward_pass=None)
                kinds.add((field, only_in_one))
        for kind in sorted(kinds, key=_in_order):
            self._steps[kind] = self._steps.get(kind, 0) + 1
            self._first.setdefault(kind, step)

    def notes(self, *, whole: bool) -> list[WithoutEffect]:
        """One note for each kind; `whole`: the runs are equal to their ends."""
        return [
            WithoutEffect(*kind, steps=steps, first=self._first[kind], whole=whole)
            for kind, steps in self._steps.items()
        ]


def _in_order(kind: Kind) -> tuple[str, str, str, bool]:
    unequal, only_in_one = kind
    return unequal.link, unequal.field, unequal.tensor or "", only_in_one
