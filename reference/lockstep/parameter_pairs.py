"""Which parameter of B is which of A's: as `diff` matches them, and else by shape and order."""

from collections import defaultdict, deque
from collections.abc import Mapping

from reference.diff.parameter_matching import Matching, Model
from reference.ledger.record import Record


class ParameterPairs:
    """The places of the same parameter in both trainings."""

    def __init__(self) -> None:
        self._matching = Matching()
        self.pairs: list[tuple[int, int]] = []
        self.own: dict[int, int] = {}  # A's place: B's
        self.alone: tuple[list[str], list[str]] = ([], [])  # names that the other lacks

    def add(self, left: Record | None, right: Record | None) -> None:
        """More parameters of either training, as a ledger has a model's record."""
        if left is None and right is None:
            return
        self._matching.add([left] if left else [], [right] if right else [])
        pairs = list(self._matching.pairs)
        extra, alone = self._by_shape()
        self.pairs = sorted([*pairs, *extra])
        self.own = dict(self.pairs)
        self.alone = alone

    def name(self, place: int) -> str:
        """What A calls a parameter of its own."""
        return self._matching.name(0, place)

    def strangers_text(self) -> str:
        """Where no parameter of one is any of the other's."""
        first = [names[0] if names else "none" for names in self.alone]
        return f"the models have no parameter in common (first {first[0]} in A, {first[1]} in B)"

    def buffers(self, own: Mapping[str, str]) -> dict[str, str]:
        """B's buffers by A's names: the name there, and B's own."""
        return self._matching.with_one_numbering(1, {name: name for name in own})

    def _by_shape(self) -> tuple[list[tuple[int, int]], tuple[list[str], list[str]]]:
        """Models that fit nowhere, each shape's parameters in their order."""
        sides: list[list[tuple[int, tuple[int | str, ...]]]] = [[], []]
        for side, model in self._matching.left_over:
            sides[side] += _places(model)
        waiting: dict[tuple[int | str, ...], deque[int]] = defaultdict(deque)
        for place, shape in sides[1]:
            waiting[shape].append(place)
        pairs, alone = [], [i for i, _ in sides[0]]
        for place, shape in sides[0]:
            if waiting[shape]:
                pairs.append((place, waiting[shape].popleft()))
        taken = {a for a, _ in pairs}
        left = [*(p for p in alone if p not in taken), *self._matching.untaken[0]]
        right = [*(p for queue in waiting.values() for p in queue), *self._matching.untaken[1]]
        names = (
            [self._matching.name(0, p) for p in sorted(left)],
            [self._matching.name(1, p) for p in sorted(right)],
        )
        return pairs, names


def _places(model: Model) -> list[tuple[int, tuple[int | str, ...]]]:
    return [(model.first + i, shape) for i, shape in enumerate(model.shapes)]
