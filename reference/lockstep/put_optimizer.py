"""What an optimizer does to each parameter: A's hyper-parameters in B's groups, for one step."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.record import Record
from reference.lockstep.model_parts import Undo
from reference.lockstep.notes import Notes
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.watcher import NO_GROUP, Watcher, groups_of, is_how
from reference.observe.step.optimizer_record import effective

RATE = "lr"
LINKS = {RATE: "schedule"}  # of a hyper-parameter, if not `optimizer`
UNKNOWN = object()


@dataclass
class _Unequal:
    """One hyper-parameter, with the parameters that have these two values."""

    a: Any
    b: Any
    places: list[int] = field(default_factory=list)


class OptimizerPlacer:
    """Compares two optimizers that are about to step."""

    def __init__(self, watcher: Watcher, pairs: ParameterPairs, notes: Notes) -> None:
        self._watcher, self._pairs, self._notes = watcher, pairs, notes
        self.puts_how = False  # `fused` and the like, once the update was seen to be unequal
        self.how_is_unequal = self.class_is_unequal = False
        self.in_no_group: set[int] = set()  # A's places of what its optimizer has, and not B's

    def compare(self, theirs: Record, optimizer: Optimizer) -> Undo | None:
        """Note what is unequal, and put A's in place; what undoes it."""
        ours = groups_of(optimizer, self._watcher.parameters)
        step = self._watcher.step
        names = [(each["class"], each["module"]) for each in (theirs, ours)]
        if names[0] != names[1]:
            same = theirs["class"] == ours["class"]
            values = [".".join(name[::-1]) if same else name[0] for name in names]
            self._notes.unequal(step, "optimizer", "class", *values, soft=True)
        pairs = list(self._moved(theirs, ours))
        known = self._pairs.pairs
        mine = {a for a, _ in known if _group(theirs, a) != NO_GROUP}
        self.in_no_group = {a for a, b in known if a in mine and _group(ours, b) == NO_GROUP}
        if not pairs:
            return None
        found = self._unequal(theirs, ours, pairs)
        self.how_is_unequal = any(is_how(name) for name in found)
        self.class_is_unequal = names[0] != names[1]
        for name, each in found.items():
            self._note(name, each, len(pairs))
        put = {n for n in found if self._notes.puts(LINKS.get(n, "optimizer"), n)}
        puts_how = self.puts_how or not self._notes.is_whole
        put = {n for n in put if not is_how(n) or puts_how}
        return self._put(theirs, ours, optimizer, put) if put else None

    def _moved(self, theirs: Record, ours: Record) -> Iterator[tuple[int, int]]:
        """The pairs of which either optimizer moves one."""
        none = set(theirs["none"])
        for a, b in self._pairs.pairs:
            in_either = _group(theirs, a) != NO_GROUP or _group(ours, b) != NO_GROUP
            if a not in none and in_either:
                yield a, b

    def _unequal(
        self, theirs: Record, ours: Record, pairs: list[tuple[int, int]]
    ) -> dict[str, list[_Unequal]]:
        found: dict[str, list[_Unequal]] = {}
        # Of another model's parameters: its groups are held against A's in their order.
        is_strange = all(_group(ours, b) == NO_GROUP for _, b in pairs)
        is_strange = is_strange and len(theirs["groups"]) == len(ours["groups"])
        of_groups: dict[tuple[int, int], list[tuple[str, Any, Any]]] = {}
        for a, b in pairs:
            groups = _group(theirs, a), _group(ours, b)
            if groups not in of_groups:
                of_groups[groups] = list(_fields(theirs, ours, *groups))
                if is_strange and groups[0] != NO_GROUP:
                    of_groups[groups] += _fields(theirs, ours, groups[0], groups[0])
            for name, left, right in of_groups[groups]:
                each = found.setdefault(name, [])
                known = next((u for u in each if (u.a, u.b) == (left, right)), None)
                if known is None:
                    known = _Unequal(left, right)
                    each.append(known)
                known.places.append(a)
        return found

    def _note(self, name: str, each: list[_Unequal], total: int) -> None:
        link = LINKS.get(name, "optimizer")
        for unequal in each:
            names = [self._pairs.name(place) for place in unequal.places]
            share = {"count": len(names), "total": total, "first": names[0], "names": names[:8]}
            share["vectors"] = all(self._is_vector(place) for place in unequal.places)
            step, values = self._watcher.step, (unequal.a, unequal.b)
            self._notes.unequal(step, link, name, *values, **share, soft=is_how(name))

    def _is_vector(self, place: int) -> bool:
        return self._watcher.tensor(self._pairs.own[place]).dim() < 2

    def _put(self, theirs: Record, ours: Record, optimizer: Optimizer, put: set[str]) -> Undo:
        """Groups for this step, which have A's values."""
        there = {b: a for a, b in self._pairs.pairs}
        none = set(theirs["none"])
        parameters = self._watcher.parameters
        before = list(optimizer.param_groups)
        groups: list[dict[str, Any]] = []
        for group in before:
            parts: dict[int, list[Tensor]] = {}
            for tensor in group["params"]:
                place = parameters.place(tensor)
                a = there.get(-1 if place is None else place)
                of = NO_GROUP if a is None else _group(theirs, a)
                left_out = of == NO_GROUP and a is not None and a not in none
                if left_out and "in a group" in put:
                    continue
                parts.setdefault(of, []).append(tensor)
            for of, tensors in parts.items():
                new = {} if of == NO_GROUP else self._values(theirs["groups"][of], group, put)
                groups.append({**group, **new, "params": tensors})
        if "in a group" in put:
            groups += self._more(theirs, ours, before[0], put)
        optimizer.param_groups[:] = groups

        def undo() -> None:
            optimizer.param_groups[:] = before

        return undo

    def _more(
        self, theirs: Record, ours: Record, like: dict[str, Any], put: set[str]
    ) -> Iterator[dict[str, Any]]:
        """Groups for parameters that B's optimizer hasn't got."""
        none = set(theirs["none"])
        for number, group in enumerate(theirs["groups"]):
            places = [
                b
                for a, b in self._pairs.pairs
                if _group(theirs, a) == number and _group(ours, b) == NO_GROUP and a not in none
            ]
            if places:
                tensors = [self._watcher.tensor(b) for b in places]
                yield {**like, **self._values(group, like, put | {*group}), "params": tensors}

    def _values(self, theirs: Record, own: dict[str, Any], put: set[str]) -> dict[str, Any]:
        """A group's values, each of the type that B's own has."""
        values: dict[str, Any] = {}
        for name in put:
            if name not in theirs or name not in own:
                continue
            value, mine = theirs[name], own[name]
            if isinstance(mine, Tensor):
                value = torch.tensor(value, dtype=mine.dtype, device=mine.device)
            elif isinstance(mine, tuple) and isinstance(value, list):
                value = tuple(value)
            values[name] = value
        return values


def _group(record: Record, place: int) -> int:
    of = record["of"]
    return int(of[place]) if place < len(of) else NO_GROUP


def _fields(theirs: Record, ours: Record, a: int, b: int) -> Iterator[tuple[str, Any, Any]]:
    """What is unequal in what two groups do."""
    if a == NO_GROUP or b == NO_GROUP:
        if a != b:
            yield "in a group", a != NO_GROUP, b != NO_GROUP
        return
    left, right = theirs["groups"][a], ours["groups"][b]
    kept = effective(left), effective(right)
    names = dict.fromkeys([*kept[0], *kept[1], RATE, *(n for n in left if is_how(n))])
    for name in names:
        mine, his = right.get(name), left.get(name)
        if is_how(name):
            mine, his = mine or None, his or None  # None and False are the same
        if name in left and name in right and mine != his:
            yield name, his, mine
