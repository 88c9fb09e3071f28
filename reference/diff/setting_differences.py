"""What modules of two runs are set to, where it is unequal: causes beside a divergence.

A ledger has a setting once, and of parts of a list that have it alike one entry for all of them:
`layer.*.dropout.p`, its value, and how many they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reference.diff.notes import MatchedByPosition
from reference.ledger.record import Record
from reference.ledger.setting_names import BY_DEFAULT, pattern_of


@dataclass(frozen=True)
class OtherSetting:
    """What a module is set to, where it is unequal.

    Attributes:
        name: The module's path and the attribute's name.
        left: The first run's value; None where it has no such module.
        right: The second run's.
        before: It was so in the step before, which was equal all the same.
        usual: What the module's class takes by itself; None where no ledger says so.
    """

    name: str
    left: object
    right: object
    before: bool
    usual: object = None


def other_settings(
    pair: tuple[Record, Record],
    before: tuple[Record, Record],
    renamed: Sequence[MatchedByPosition] = (),
) -> Iterator[OtherSetting]:
    """Each setting that is unequal, in the order of the first run's ledger.

    Args:
        pair: All settings of both runs so far, by name.
        before: The same until the step before, which was equal in its effect.
        renamed: Parameters that the runs call by two names. Then only modules that both have are
            compared: one that has another name, too, would be one that isn't there.
    """
    known = list(_unequal(before, renamed))
    for unequal in _unequal(pair, renamed):
        name, x, y = unequal
        usual = next((s[u] for s in pair if (u := f"{name}{BY_DEFAULT}") in s), None)
        yield OtherSetting(name, _shown(x), _shown(y), unequal in known, usual)


def _unequal(
    pair: tuple[Record, Record], renamed: Sequence[MatchedByPosition]
) -> Iterator[tuple[str, Any, Any]]:
    """The names and both values; None where a run has no such setting."""
    left = _without_prefix(pair[0], [(note.left, note.right) for note in renamed])
    right = _without_prefix(pair[1], [(note.right, note.left) for note in renamed])
    single = [{pattern_of(n) for n in each if "*" not in n} for each in (left, right)]
    one_by_one = (single[0] - left.keys()) | (single[1] - right.keys())
    for name in dict.fromkeys(n for n in (*left, *right) if not n.endswith(BY_DEFAULT)):
        x, y = _value(left, name), _value(right, name)
        # Parts that a run has one by one are compared by the names of each.
        if x != y and name not in one_by_one and not (renamed and None in (x, y)):
            yield name, x, y


def _without_prefix(settings: Record, names: Sequence[tuple[str, str]]) -> Record:
    """By the other run's names, which lack what a wrapper puts before them.

    Args:
        settings: By name.
        names: Pairs of names of one parameter: this run's and the other's.
    """
    for own, other in names:
        if own.endswith(f".{other}"):
            prefix = own.removesuffix(other)
            settings = {name.removeprefix(prefix): value for name, value in settings.items()}
    return settings


def _value(settings: Record, name: str) -> Any:
    """Of one name: its own, or else that of all the list."""
    if name in settings:
        return settings[name]
    of_list = settings.get(pattern_of(name))
    return of_list[0] if isinstance(of_list, list) and of_list else None


def _shown(value: Any) -> Any:
    """A value of one module, or of several."""
    if isinstance(value, list):
        return f"{value[0]} ({value[1]} times)" if len(value) > 1 else str(value)
    return value
