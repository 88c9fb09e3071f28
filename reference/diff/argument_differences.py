"""Plain arguments of forward passes, in which two runs differ: causes beside a divergence.

Never a divergence themselves: most of them do nothing to what is learnt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

Passes = Sequence[Record]  # of each forward pass its plain arguments, by name


@dataclass(frozen=True)
class OtherArgument:
    """A plain argument of a forward pass that is unequal.

    Attributes:
        name: Its name.
        left: The first run's value; None where it isn't given, or is the default.
        right: The second run's.
        forward_pass: Of which pass of the step, from 1; None where there is just one.
        before: It was so in the step before, which was equal all the same.
    """

    name: str
    left: object
    right: object
    forward_pass: int | None
    before: bool


def arguments(record: Record) -> Passes:
    """Those of each forward pass of a step, or of the passes of an evaluation together."""
    passes = [record[METRICS]] if METRICS in record else record.get("batch") or []
    return [each.get("arguments") or {} for each in passes]


def other_arguments(
    pair: tuple[Record, Record], before: tuple[Passes, Passes]
) -> Iterator[OtherArgument]:
    """Each argument that is unequal.

    Args:
        pair: The two steps or evaluations.
        before: The arguments of both runs' steps before, which were equal in their effect.
    """
    known = list(_unequal(*before))
    left, right = map(arguments, pair)
    places: dict[tuple[str, object, object], list[int]] = {}
    for place, name, x, y in _unequal(left, right):
        places.setdefault((name, x, y), []).append(place)
    for (name, x, y), of_passes in places.items():
        in_all = len(of_passes) == len(left) == len(right)
        first = of_passes[0]
        yield OtherArgument(name, x, y, None if in_all else first, (first, name, x, y) in known)


def _unequal(left: Passes, right: Passes) -> Iterator[tuple[int, str, object, object]]:
    for number, (x, y) in enumerate(zip(left, right, strict=False), 1):
        for name in sorted({*x, *y}):
            if name not in x or name not in y or x[name] != y[name]:
                yield number, name, _value(x, name), _value(y, name)


def _value(given: Record, name: str) -> object:
    """None where it isn't given; what no observer writes as its text."""
    value = given.get(name)
    plain = isinstance(value, bool | int | float | str) or name not in given
    return value if plain else str(value)
