"""The first call of a module that is unequal in two forward passes, and what is different of it.

    python -m reference observe --inside 3 SCRIPT

Both passes are gone through in the order in which things happen: a call begins (with its inputs),
what it calls, it ends (with its outputs). The first unequal one of these tells where the two part:
an output, in the module that gives it; an input, in the module around it, between its parts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reference.diff.inside_notes import (
    CutInside,
    EqualInside,
    How,
    Inside,
    ModuleName,
    NotInside,
    PartsInside,
    Setting,
    Value,
)
from reference.diff.inside_passes import Call, read_pass
from reference.ledger.inside_record import UNREAD
from reference.ledger.record import Record

FEW_SETTINGS = 3


def inside(left: Record, right: Record, link: str) -> list[Inside]:
    """What two steps tell of the inside of their forward passes, which part in this link.

    Returns:
        The first unequal call, or that all are equal; where the ledgers hold no calls, that they
        don't, if `link` is `forward`.
    """
    passes = [record.get("inside") or [] for record in (left, right)]
    known = [any(each) for each in passes]
    if not all(known):
        only = None if known[0] == known[1] else known.index(True)
        return [NotInside(left["step"], only)] if link == "forward" else []
    several = max(map(len, passes)) > 1
    cut = [note for side, each in enumerate(passes) for note in _cut(side, each)]
    same = EqualInside(0, (), 0)
    for number, (a, b) in enumerate(zip(*passes, strict=False), 1):
        if a is None or b is None:
            continue
        found = _Walk(a, b).run()
        if isinstance(found, PartsInside):
            return [replace(found, forward_pass=number if several else None), *cut]
        settings = same.settings or found.settings
        same = EqualInside(same.calls + found.calls, settings, same.unread + found.unread)
    return [same, *cut]


def _cut(side: int, passes: list[Any]) -> list[CutInside]:
    for each in passes:
        if each is not None and (each.get("left_out") or each.get("lost")):
            return [CutInside(side, each.get("left_out", 0), each.get("lost", ""))]
    return []


class _Found(Exception):
    """The first unequal place, out of the walk that came to it."""

    def __init__(self, found: PartsInside) -> None:
        super().__init__()
        self.found = found


class _Walk:
    """Goes through two passes at once."""

    def __init__(self, a: Record, b: Record) -> None:
        x, y = read_pass(a), read_pass(b)
        x, y = x.of_model(y.kind), y.of_model(x.kind)
        self._tops = x.top, y.top
        self._rows = x.rows, y.rows
        self._count = self._unread = 0
        self._only: tuple[int, ModuleName] | None = None
        self._arguments: dict[str, Value] = {}  # by module, one that only one run gives to it

    def run(self) -> PartsInside | EqualInside:
        try:
            self._parts(*self._tops)
        except _Found as found:
            return self._with_causes(found.found)
        settings = _nearest(self._settings(""), [])[:FEW_SETTINGS]
        return EqualInside(self._count, settings, self._unread)

    def _call(self, around: tuple[Call, Call], a: Call, b: Call) -> None:
        """A call of both runs, the inputs of which are compared first."""
        unequal = self._first_unequal(*self._given_by_both(a, b))
        if unequal is not None:
            outer = _name(*around)
            raise _Found(PartsInside(outer, How.BEFORE, unequal, (_name(a, b), _name(a, b))))
        self._count += 1
        self._parts(a, b)
        unequal = self._first_unequal(a.outputs or {}, b.outputs or {})
        if unequal is not None:
            parts = bool(a.parts or b.parts)
            drew = a.generators != b.generators
            raise _Found(PartsInside(_name(a, b), How.OUTPUT, unequal, has_parts=parts, drew=drew))

    def _parts(self, a: Call, b: Call) -> None:
        """What both call, one after another. A call that only one run makes is passed over."""
        left, right = list(a.parts), list(b.parts)
        while left or right:
            side = self._of_one(left, right)
            if side is None:
                self._call((a, b), left.pop(0), right.pop(0))
                continue
            if side < 0:
                x, y = (each[0] for each in (left, right))
                names = ModuleName(x.name, (x.kind, x.kind)), ModuleName(y.name, (y.kind, y.kind))
                raise _Found(PartsInside(_name(a, b), How.CALLS, part=names))
            extra = (left, right)[side].pop(0)
            if self._only is None:
                self._only = side, ModuleName(extra.name, (extra.kind, extra.kind))

    def _of_one(self, left: list[Call], right: list[Call]) -> int | None:
        """Which run alone makes its next call; None for neither, and -1 where the orders differ.

        Modules of one class that each run has under a name of its own are each other's.
        """
        if not left or not right:
            return int(not left)
        x, y = left[0].name, right[0].name
        if x == y:
            return None
        later = [any(c.name == name for c in each) for name, each in ((x, right), (y, left))]
        if all(later):
            return -1
        if any(later):
            return later.index(False)
        strange = x not in self._rows[1] and y not in self._rows[0]
        if strange and left[0].kind == right[0].kind:
            return None
        return -1

    def _given_by_both(self, a: Call, b: Call) -> tuple[dict[str, str], dict[str, str]]:
        """Both calls' inputs, without plain values that one call alone gets.

        Another version of a library may give more of them, which say what is its default anyway.
        """
        inputs = a.inputs, b.inputs
        for mine, others in (inputs, inputs[::-1]):
            for name in (n for n in mine if n not in others and not _is_tensor(mine[n])):
                value = Value(name, a.inputs.get(name), b.inputs.get(name))
                self._arguments.setdefault(a.name, value)
        left, right = (
            {n: v for n, v in mine.items() if n in others or _is_tensor(v)}
            for mine, others in (inputs, inputs[::-1])
        )
        return left, right

    def _first_unequal(self, a: Mapping[str, str], b: Mapping[str, str]) -> Value | None:
        for name in dict.fromkeys([*a, *b]):
            left, right = a.get(name), b.get(name)
            if UNREAD in (left, right):
                self._unread += 1
            elif left != right:
                return Value(name, left, right)
        return None

    def _with_causes(self, found: PartsInside) -> PartsInside:
        """With what may be why: settings, arguments, other random numbers."""
        drew, first = found.drew, None
        if found.how is not How.OUTPUT:
            call = self._first_unequal_output()
            if call is not None:
                first, drew = _name(*call), call[0].generators != call[1].generators
        named = [first.name] if first is not None else []
        named.append(found.module.name)
        settings = _nearest(self._settings(found.module.name), named)
        elsewhere = () if settings else _nearest(self._settings(""), [])
        arguments = [self._arguments[name] for name in named if name in self._arguments]
        return replace(
            found,
            settings=(settings or elsewhere)[:FEW_SETTINGS],
            settings_elsewhere=bool(elsewhere),
            argument=next(iter(arguments), None),
            first_output=first if first != found.module else None,
            drew=drew,
            only=self._only,
            unread=self._unread,
        )

    def _first_unequal_output(self) -> tuple[Call, Call] | None:
        """Of calls that both make, in the order in which they end."""
        pairs = zip(_as_they_end(self._tops[0]), _as_they_end(self._tops[1]), strict=False)
        for a, b in pairs:
            if a.name != b.name:
                return None
            if a.outputs != b.outputs:
                return a, b
        return None

    def _settings(self, name: str) -> tuple[Setting, ...]:
        """Unequal settings of a module and of all within it, its own first."""
        mine, theirs = self._rows
        within = [n for n in mine if n == name or not name or n.startswith(f"{name}.")]
        found: list[Setting] = []
        for each in within:
            if each in theirs:
                a, b = mine[each], theirs[each]
                fields = dict.fromkeys([*a, *b])
                found += [
                    Setting(each, f, a.get(f), b.get(f)) for f in fields if a.get(f) != b.get(f)
                ]
        return tuple(found)


def _is_tensor(value: str) -> bool:
    return value == UNREAD or value.endswith("]")


def _nearest(settings: tuple[Setting, ...], named: list[str]) -> tuple[Setting, ...]:
    """Those of the modules that are named first; each pair of values once.

    The classes of these modules stand beside their names.
    """
    ordered = sorted(settings, key=lambda s: named.index(s.of) if s.of in named else len(named))
    once: dict[tuple[str, str | None, str | None], Setting] = {}
    for each in ordered:
        if each.field != "class" or each.of not in named:
            once.setdefault((each.field, each.left, each.right), each)
    return tuple(once.values())


def _as_they_end(call: Call) -> Iterator[Call]:
    for part in call.parts:
        yield from _as_they_end(part)
        yield part


def _name(a: Call, b: Call) -> ModuleName:
    return ModuleName(a.name, (a.kind, b.kind))
