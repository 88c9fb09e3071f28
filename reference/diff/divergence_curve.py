"""How two runs go on after they have parted: the difference of their losses and gradients."""

from dataclasses import dataclass

from reference.errors import InputError
from reference.ledger.reader import Item
from reference.ledger.record import Record

KEPT = 12  # points, at the first steps and then at ever longer distances


@dataclass(frozen=True)
class Point:
    """One step: both losses (None where not seen), and the relative difference of the norms."""

    step: int
    losses: tuple[float | None, float | None]
    norms: float | None


class Curve:
    """Points at 0, 1, 2, 4, 8, ... steps after the divergence, and the last: never many."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._last: Point | None = None
        self._seen = 0
        self._next = 0

    def add(self, ours: Item, theirs: Item) -> None:
        """The next step of both runs.

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
        if self._seen == self._next:
            self._points.append(point)
            self._next = max(1, self._next * 2)
        self._last = point
        self._seen += 1

    def points(self) -> tuple[Point, ...]:
        """Those that were kept, in the order of the steps."""
        last = [self._last] if self._last and self._last not in self._points else []
        return tuple(self._points[:KEPT] + last)


def _loss(record: Record) -> float | None:
    """That of the last forward pass; None where it has one loss for each row."""
    passes = record.get("forward") or [{}]
    loss = passes[-1].get("loss")
    return float(loss) if isinstance(loss, int | float | str) else None


def _norms(left: Record, right: Record) -> float | None:
    x, y = ((r.get("gradient") or {}).get("norm") for r in (left, right))
    if x is None or y is None:
        return None
    larger = max(abs(float(x)), abs(float(y)))
    return abs(float(x) - float(y)) / larger if larger else 0.0
