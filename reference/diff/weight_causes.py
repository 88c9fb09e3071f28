"""What unequal weights are: those of an earlier step, or of another layer."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from reference.ledger.marks import is_value
from reference.ledger.record import Record


def weights_were(
    pair: tuple[Record, Record], updates: tuple[Mapping[str, int], Mapping[str, int]], step: int
) -> tuple[int, int] | None:
    """Which run's weights are those after an earlier step of its own, and after which.

    Args:
        pair: Both steps.
        updates: Of both runs, by the hash of all weights, the last step after which it had them.
        step: The number of this one.
    """
    for side, record in enumerate(pair):
        at = updates[side].get(str((record.get("weights") or {}).get("hash")))
        if at is not None and at != step - 1:
            return side, at
    return None


def like_another(
    pair: tuple[Record, Record], names: Sequence[str]
) -> list[tuple[int, str, int, str, int]]:
    """Tensors that have another's values: of the same run (a copy), or else of the other one.

    Args:
        pair: Both steps, in one numbering.
        names: Of the parameters, in its places.

    Returns:
        At most one: the run that has it, the tensor's name, the run that has the other tensor, that
        one's name, and how many such tensors there are.
    """
    lists = [str((record.get("weights") or {}).get("tensors", "")).split() for record in pair]
    if not len(lists[0]) == len(lists[1]) == len(names):
        return []
    for side, whose in ((1, 1), (0, 0), (1, 0)):
        found = list(_matches(lists, side, whose))
        if found:
            place, at = found[0]
            return [(side, names[place], whose, names[at], len(found))]
    return []


def _matches(lists: Sequence[Sequence[str]], side: int, whose: int) -> Iterator[tuple[int, int]]:
    """Places of unequal tensors of one run, and of the one other tensor that has their values.

    Where several have them, they are zeros or ones, and nothing follows.
    """
    own, other, those = lists[side], lists[1 - side], lists[whose]
    counts = Counter(those)
    for place, (value, theirs) in enumerate(zip(own, other, strict=True)):
        others = counts[value] - (whose == side)
        if value == theirs or not is_value(value) or others != 1:
            continue
        at = next((p for p, v in enumerate(those) if v == value and p != place), place)
        # What is alike in the other run, too, is no difference.
        if at != place and (whose != side or other[at] != theirs):
            yield place, at
