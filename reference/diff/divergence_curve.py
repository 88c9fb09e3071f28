"""How two runs go on after they have parted: their losses, gradients and weights."""

from dataclasses import dataclass, replace

from reference.errors import InputError
from reference.ledger.reader import Item
from reference.ledger.record import Record

KEPT = 12  # points, at the first steps and then at ever longer distances


@dataclass(frozen=True)
class Point:
    """One step.

    Attributes:
        step: Its number.
        losses: Both runs'; None where not seen.
        norms: The relative difference of the gradients' norms.
        weights: Of how many tensors the step leaves unequal values, and of how many it does; None
            where the ledgers don't list them alike.
    """

    step: int
    losses: tuple[float | None, float | None]
    norms: float | None
    weights: tuple[int, int] | None = None


class Curve:
    """Points at 0, 1, 2, 4, 8, ... steps after the divergence, and the last: never many."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._last: Point | None = None
        self._pair: tuple[Record, Record] | None = None  # of the last step
        self._seen = 0
        self._next = 0

    def add(self, ours: Item, theirs: Item, *, in_place: bool = False) -> None:
        """The next step of both runs.

        Args:
            ours: The first run's.
            theirs: The second run's.
            in_place: Their lists of tensors are in one order.

        Raises:
            InputError: A step isn't as its schema has it.
        """
        left, right = ours.record, theirs.record
        try:
            point = Point(int(left["step"]), (_loss(left), _loss(right)), _norms(left, right))
        except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError):
            raise InputError(
                f"{ours.where} and {theirs.where}: fields forward and gradient: not as their "
                "schema has them; edited or damaged, record the runs again"
            ) from None
        self._pair = (left, right) if in_place else None
        if self._seen == self._next:
            self._points.append(replace(point, weights=_weights(self._pair)))
            self._next = max(1, self._next * 2)
        self._last = point
        self._seen += 1

    def points(self) -> tuple[Point, ...]:
        """Those that were kept, in the order of the steps."""
        kept = self._points[:KEPT]
        if self._last is not None and self._last.step not in {point.step for point in kept}:
            kept.append(replace(self._last, weights=_weights(self._pair)))
        return tuple(kept)


def _loss(record: Record) -> float | None:
    """That of the last forward pass; None where it has one loss for each row."""
    passes = record.get("forward") or [{}]
    loss = passes[-1].get("loss")
    return float(loss) if isinstance(loss, int | float | str) else None


def _weights(pair: tuple[Record, Record] | None) -> tuple[int, int] | None:
    lists = [str((record.get("update") or {}).get("tensors", "")).split() for record in pair or ()]
    if not lists or not lists[0] or len(lists[0]) != len(lists[1]):
        return None
    return sum(x != y for x, y in zip(*lists, strict=True)), len(lists[0])


def _norms(left: Record, right: Record) -> float | None:
    x, y = ((r.get("gradient") or {}).get("norm") for r in (left, right))
    if x is None or y is None:
        return None
    larger = max(abs(float(x)), abs(float(y)))
    return abs(float(x) - float(y)) / larger if larger else 0.0
