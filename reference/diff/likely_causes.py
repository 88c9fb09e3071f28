"""What a divergence follows from, as far as the two ledgers tell: notes beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from reference.diff.argument_differences import Passes, arguments, other_arguments
from reference.diff.batch_differences import rows
from reference.diff.cause_notes import (
    BatchAgain,
    DrewNumbers,
    MoreSettings,
    NotZeroed,
    OnlyThisLink,
    RowsAgain,
)
from reference.diff.divergence import Divergence
from reference.diff.inside_calls import inside
from reference.diff.inside_notes import PartsInside
from reference.diff.notes import MatchedByPosition, Note
from reference.diff.setting_differences import other_settings
from reference.diff.unequal import HARD, NOTE
from reference.diff.weight_causes import like_another, weights_were
from reference.ledger.link_table import METRICS
from reference.ledger.record import Record

SHOWN = 4  # arguments, or settings
EFFECTS = ("forward", "gradient", "update", METRICS)
MOST = 1 << 16  # steps that are remembered, of each run


@dataclass
class Earlier:
    """What earlier steps of one run had, by which a later one is known again."""

    batches: dict[Any, int] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)  # of any input, as short hashes
    updates: dict[str, int] = field(default_factory=dict)
    zeroed: bool | None = None  # after the last step
    arguments: Passes = ()  # of the last step
    settings: Record = field(default_factory=dict)  # all, by name

    def remember(self, record: Record, step: int) -> None:
        """One more step, as it stands in the ledger."""
        self.zeroed = record.get("zeroed")
        self.arguments = arguments(record)
        self.settings.update(record.get("settings") or {})
        if len(self.batches) < MOST:
            key = _key(record)
            if key is not None:
                self.batches.setdefault(key, step)
                self.rows.update(row for each in _rows(record).values() for row in each)
            update = record.get("update") or {}
            if "hash" in update:
                self.updates[update["hash"]] = step


def likely_causes(
    divergence: Divergence,
    earlier: tuple[Earlier, Earlier],
    names: Sequence[str] = (),
    renamed: Sequence[MatchedByPosition] = (),
) -> list[Note]:
    """What is known of a divergence beside its unequal values.

    Args:
        divergence: Where the two runs part.
        earlier: What both had before.
        names: Of the parameters that both have, in the first run's places.
        renamed: Parameters that the two call by two names.
    """
    pair = divergence.left, divergence.right
    step, link = divergence.step, divergence.link
    told = _told(divergence, pair, earlier, renamed)
    if divergence.left.get("kind") != "step":
        return told  # an evaluation
    if link == "batch":
        return [*_again(pair, earlier, step), *told]
    if link == "weights":
        were = weights_were(pair, (earlier[0].updates, earlier[1].updates), step)
        only: list[Note] = [OnlyThisLink(link, step)] if step > 1 else []
        return were or like_another(pair, names) or only
    if link == "gradient":
        left, right = (each.zeroed for each in earlier)
        if step > 1 and left is not None and right is not None and left != right:
            return [NotZeroed(int(left), step - 1), *told]
    drew = _drew(pair) if link in ("forward", "rng") else []
    alone = all(u.link == link or u.weight == NOTE for u in divergence.unequal)
    in_words = any(u.words for u in divergence.unequal if u.link == link)
    is_only = alone and not in_words and link in ("forward", "gradient", "update")
    within = inside(*pair, link)
    known = drew or any(isinstance(note, PartsInside) for note in within)
    known = known or any(not getattr(note, "before", True) for note in told)
    rest: list[Note] = [OnlyThisLink(link, step)] if is_only and not known else []
    return [*told, *drew, *rest, *within]


def _told(
    divergence: Divergence,
    pair: tuple[Record, Record],
    earlier: tuple[Earlier, Earlier],
    renamed: Sequence[MatchedByPosition],
) -> list[Note]:
    """What the two were told otherwise beside their inputs, where something computed is unequal."""
    if not any(u.link in EFFECTS and u.weight == HARD for u in divergence.unequal):
        return []
    known = earlier[0].settings, earlier[1].settings
    now = tuple({**own, **(r.get("settings") or {})} for own, r in zip(known, pair, strict=True))
    if any(now) and not all(now):
        return []  # one is a ledger from before this was recorded
    settings = list(other_settings((now[0], now[1]), known, renamed))
    # What is new in this step tells more than what did nothing in the steps before.
    settings.sort(key=lambda setting: setting.before)
    arguments = other_arguments(pair, (earlier[0].arguments, earlier[1].arguments))
    more = [MoreSettings(len(settings) - SHOWN)] if len(settings) > SHOWN else []
    return [*islice(arguments, SHOWN), *settings[:SHOWN], *more]


def _key(record: Record) -> Any:
    passes = record.get("batch") or []
    inputs = [(n, *map(str, v[:2])) for each in passes for n, v in each.items() if type(v) is list]
    return hash(tuple(inputs)) if inputs else None


def _again(pair: tuple[Record, Record], earlier: tuple[Earlier, Earlier], step: int) -> list[Note]:
    found = [own.batches.get(_key(record)) for record, own in zip(pair, earlier, strict=True)]
    if (found[0] is None) == (found[1] is None):
        return _rows_again(pair, earlier)
    side = int(found[0] is None)
    return [BatchAgain(side, step, found[side] or 0)]


def _rows(record: Record) -> dict[str, list[str]]:
    """By name the rows of the first pass's inputs, as short hashes."""
    first = (record.get("batch") or [{}])[0]
    return {name: rows(value) for name, value in first.items() if type(value) is list}


def _rows_again(pair: tuple[Record, Record], earlier: tuple[Earlier, Earlier]) -> list[Note]:
    """How many rows of the first unequal input each run had before."""
    left, right = map(_rows, pair)
    for name in left:
        if left[name] != right.get(name, left[name]):
            counts = [
                sum(row in own.rows for row in each)
                for each, own in zip((left[name], right[name]), earlier, strict=True)
            ]
            if counts[0] != counts[1]:
                return [RowsAgain(name, len(left[name]), *counts)]
            return []
    return []


def _drew(pair: tuple[Record, Record]) -> list[Note]:
    """Generators that one run's step drew from, and the other's didn't."""
    left, right = (record.get("rng") or {} for record in pair)
    names = [name for name in left if name in right and bool(left[name][1]) != bool(right[name][1])]
    return [DrewNumbers(int(not left[names[0]][1]), tuple(names))] if names else []
