"""A resumed run beside the whole one: it begins where the whole one was after some step.

Its first weights are those that the whole run's update left then. From there the two are compared,
and each step has the whole run's number.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from reference.diff.notes import BeginsLater
from reference.errors import InputError
from reference.ledger.odd_modules import OddModules
from reference.ledger.reader import Item, Ledger
from reference.ledger.record import Record, encode
from reference.ledger.steps import Group, open_ledger
from reference.messages import brief

MANY = 1 << 48  # steps: more than any run has

Source = Ledger | Path


def where_it_begins(a: Source, b: Source) -> BeginsLater | None:
    """Which of two runs goes on from a step of the other, if its first weights say so.

    Returns:
        None where both begin with the same weights, or neither with what the other had.
    """
    of_a, of_b = _first_weights(a), _first_weights(b)
    if of_a is None or of_b is None or _has(of_a, of_b):
        return None
    for side, whole, first in ((1, a, of_b), (0, b, of_a)):
        steps = [number for number, update in _updates(whole) if _has(update, first)]
        if steps:
            return BeginsLater(side, steps[-1], len(steps), given=False)
    return None


def given(offset: int) -> BeginsLater:
    """What somebody says: the second run begins after so many steps of the first.

    Raises:
        InputError: No run has so many steps.
    """
    if abs(offset) > MANY:
        raise InputError(f"--offset: {brief(offset)} makes no sense; give a number of steps")
    return BeginsLater(int(offset > 0), abs(offset), 1, given=True)


def groups_from(source: Source, step: int) -> Iterator[Group]:
    """The groups of a whole run after a step: the first one knows the weights that it left.

    Raises:
        InputError: The run has no such step, or isn't a ledger.
    """
    _, groups = open_ledger(source)
    before = Group()
    update: Record = {}
    settings: Record = {}
    odd = OddModules()
    number = 0
    for group in groups:
        number += group.step is not None
        if number <= step and group.step is not None:
            before.models += group.models
            update = group.step.record.get("update") or {}
            settings.update(group.step.record.get("settings") or {})
            odd.in_full(group.step.record.get("mode"))
            continue
        if number == step + 1 and group.step is not None and update:
            group.models = [*before.models, *group.models]
            group.step = _with_weights(group.step, update, settings, odd)
            update = {}
        yield group
    if number <= step:
        raise InputError(f"--offset {step}: a run of {number} steps; give a smaller one")


def groups_as_from(source: Source, step: int) -> Iterator[Group]:
    """The groups of a run that goes on after a step, numbered as the whole run numbers them."""
    _, groups = open_ledger(source)
    for group in groups:
        if group.step is not None:
            record = group.step.record
            line = encode({**record, "step": record["step"] + step})
            group.step = Item(line, group.step.where)
        group.evaluations = [{**e, "step": e["step"] + step} for e in group.evaluations]
        yield group


def _with_weights(item: Item, update: Record, settings: Record, odd: OddModules) -> Item:
    """A step that lists what its ledger has in an earlier one: weights, settings and modes."""
    record = dict(item.record)
    if "mode" in record:
        record["mode"] = odd.in_full(record["mode"])
    if settings:
        record["settings"] = {**settings, **(record.get("settings") or {})}
    weights = record.get("weights")
    if isinstance(weights, dict):
        filled = {**update, **weights}
        buffers = weights.get("buffers")
        if isinstance(buffers, dict) and "tensors" not in buffers and "buffers" in update:
            filled["buffers"] = {**update["buffers"], **buffers}
        record["weights"] = filled
    return Item(encode(record), item.where)


def _first_weights(source: Source) -> Record | None:
    for group in open_ledger(source)[1]:
        if group.step is not None:
            weights = group.step.record.get("weights")
            return weights if isinstance(weights, dict) else None
    return None


def _updates(source: Source) -> Iterator[tuple[int, Record]]:
    number = 0
    for group in open_ledger(source)[1]:
        if group.step is not None:
            number += 1
            update = group.step.record.get("update")
            if isinstance(update, dict):
                yield number, update


def _has(weights: Record, wanted: Record) -> bool:
    """Whether all of the wanted weights are among these, in whatever order."""
    if weights.get("hash") == wanted.get("hash"):
        return True
    there, these = (Counter(str(w.get("tensors", "")).split()) for w in (weights, wanted))
    return bool(these) and not these - there
