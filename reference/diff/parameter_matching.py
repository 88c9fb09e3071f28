"""Which parameter of one run is which of the other's, where the two don't call them alike.

A model that is wrapped has a prefix before every name; of
one that was first looked through in part, the parts are in a ledger as models of their own. The
tensors are the same, and in another order perhaps. Names that differ in more than a prefix, or that
fit in two ways, are matched with nothing: then there is nothing to be compared by.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from reference.diff.notes import MatchedByPosition
from reference.ledger.record import Record

NUMBERED = re.compile(r"model(\d+)\.(.+)")  # as the ledger calls what isn't the first model's
OTHERS = ("another of the first", "another of the second")
MOST_WAYS = 256  # in which several models may fit, before it is said that none does


@dataclass(frozen=True)
class Model:
    """One record of a model.

    Attributes:
        number: As the ledger counts models, from 0.
        kind: The name of its class.
        names: Of its parameters, without the model's number before them.
        shapes: Of its parameters, with the placement of those that processes share.
        first: Where its parameters begin in the ledger's lists of all parameters.
    """

    number: int
    kind: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int | str, ...], ...]
    first: int


@dataclass(frozen=True)
class Way:
    """How one model fits into another: its parameters' places there, and the prefix in between."""

    places: tuple[int, ...]
    prefix: str = ""


def model_of(record: Record, first: int) -> Model:
    """The model of a record; `first` is where its parameters begin in the ledger's lists."""
    number = record.get("model", 0)
    own = f"model{number}." if number else ""
    # Of one that processes share the placement follows: other shards are other tensors.
    parameters = [(str(p[0]).removeprefix(own), (*p[1], *p[2:3])) for p in record["parameters"]]
    names, shapes = tuple(n for n, _ in parameters), tuple(s for _, s in parameters)
    return Model(number, str(record.get("class", "model")), names, shapes, first)


class Matching:
    """The parameters of two runs, as their records of models come.

    Attributes:
        pairs: Of each parameter that both have, its places in both ledgers' lists.
        in_place: Each parameter has the same place in both lists.
        same_parts: And they are of as many models: those of the last step, too.
        notes: Pairs of parameters that have two names.
        left_over: Models that fit nowhere, each with its side (0 or 1).
        untaken: By side, the places of parameters that the other run's same model lacks.
    """

    def __init__(self) -> None:
        self._models: tuple[list[Model], list[Model]] = ([], [])
        self._raw: tuple[list[str], list[str]] = ([], [])
        self.pairs: list[tuple[int, int]] = []
        self.in_place = True
        self.same_parts = True
        self.notes: list[MatchedByPosition] = []
        self.left_over: list[tuple[int, Model]] = []
        self.untaken: tuple[list[int], list[int]] = ([], [])
        self._parts: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._exchanged: dict[int, int] = {}
        self._whole: set[int] = set()

    @property
    def names(self) -> list[str]:
        """Of the parameters that both have, as the first run calls them."""
        return [self._raw[0][i] for i, _ in self.pairs]

    @property
    def kinds(self) -> list[str]:
        """The classes of the first run's models, by their numbers."""
        return [model.kind for model in self._models[0]]

    def add(self, left: Sequence[Record], right: Sequence[Record]) -> None:
        """Takes more records of models of either run, and matches all of them anew."""
        for models, raw, records in zip(self._models, self._raw, (left, right), strict=True):
            for record in records:
                models.append(model_of(record, len(raw)))
                raw += [str(p[0]) for p in record["parameters"]]
        if left or right:
            self._match()

    def _match(self) -> None:
        left, right = self._models
        self.notes, self.left_over, self._parts = [], [], ({}, {})
        self._whole = {model.number for model in left} if left == right else set()
        self.untaken = ([], [])
        if left == right:
            self._pair_alike(left)
            return
        swap = len(right) < len(left)  # the parts go into the whole
        parts, wholes = (left, right) if swap else (right, left)
        of_parts, of_wholes = (0, 1) if swap else (1, 0)  # sides
        ways = _best(parts, wholes, self._homes(parts, wholes, of_parts))
        pairs: list[tuple[int, int]] = []
        for model, way in zip(parts, ways, strict=True):
            if way is None:
                self.left_over.append((of_parts, model))
                continue
            places = [(place, model.first + i) for i, place in enumerate(way.places)]
            pairs += [(j, i) for i, j in places] if swap else places
            self._join(model, way, wholes, swap=swap)
        self.pairs = sorted(pairs)
        taken = {pair[of_wholes] for pair in pairs}
        for whole in wholes:
            own = range(whole.first, whole.first + len(whole.names))
            if not taken & set(own):
                self.left_over.append((of_wholes, whole))
            else:
                self.untaken[of_wholes].extend(i for i in own if i not in taken)
        lengths = {len(raw) for raw in self._raw}
        self.in_place = lengths == {len(pairs)} and all(i == j for i, j in pairs)
        self.same_parts = self.in_place and len(left) == len(right)

    @property
    def models(self) -> tuple[Sequence[Model], Sequence[Model]]:
        """The models of either run."""
        return self._models

    @property
    def whole(self) -> frozenset[int]:
        """The first run's numbers of models that both have, with all their parameters."""
        others = {self.model(side, model.number) for side, model in self.left_over}
        return frozenset(self._whole - others)

    def exchange(self, numbers: Mapping[int, int]) -> None:
        """Some of the second run's models are those of other numbers in the first."""
        self._exchanged = dict(numbers)
        self._match()

    def _pair_alike(self, models: Sequence[Model]) -> None:
        """Both runs have the same models, by these numbers or by exchanged ones."""
        first = {model.number: model.first for model in reversed(models)}
        self._parts = ({}, dict(self._exchanged))
        self.pairs = sorted(
            (place + first[self._exchanged.get(m.number, m.number)] - first[m.number], place)
            for m in models
            for place in range(m.first, m.first + len(m.names))
        )
        self.in_place = self.same_parts = not self._exchanged

    def _homes(self, parts: Sequence[Model], wholes: Sequence[Model], of_parts: int) -> list[int]:
        """Where in the other run each model is looked for first: in its own place, or exchanged."""
        numbers = self._exchanged if of_parts else {v: k for k, v in self._exchanged.items()}
        homes: list[int] = []
        for place, part in enumerate(parts):
            # A model that grows has several records, which come in the same order in both runs.
            nth = sum(each.number == part.number for each in parts[:place])
            there = [w.first for w in wholes if w.number == numbers.get(part.number)]
            homes.append(there[nth] if nth < len(there) else part.first)
        return homes

    def _join(self, part: Model, way: Way, wholes: Sequence[Model], *, swap: bool) -> None:
        """A part's forward passes are the whole's; and a word on names that aren't the same."""
        whole = next(w for w in wholes if w.first <= way.places[0] < w.first + len(w.names))
        ours = self._parts[0 if swap else 1]
        ours[part.number] = self._parts[1 if swap else 0].setdefault(whole.number, whole.number)
        if len(part.names) == len(whole.names) and not way.prefix:
            self._whole.add(ours[part.number])
        there = whole.names[way.places[0] - whole.first]
        if part.names[0] != there:
            names = (part.names[0], there) if swap else (there, part.names[0])
            self.notes.append(MatchedByPosition(*names))

    def model(self, side: int, number: int) -> int:
        """A model's number, the same for both runs where it is the same model."""
        return self._parts[side].get(number, number)

    def with_one_numbering(self, side: int, tensors: Mapping[str, str]) -> dict[str, str]:
        """Buffers, by the names under which the other run's same model has them.

        Those of a model that fits nowhere get names that no other run has.
        """
        if not (self._parts[side] or self.left_over):
            return dict(tensors)
        over = {model.number for model, _ in self.strangers(side)} - self._parts[side].keys()
        renamed: dict[str, str] = {}
        for name, hashed in tensors.items():
            numbered = NUMBERED.match(name)
            number, own = (int(numbered[1]), numbered[2]) if numbered else (0, name)
            there = self.model(side, number)
            if number in over:
                renamed[f"{OTHERS[side]} {number}.{own}"] = hashed
            else:
                renamed[f"model{there}.{own}" if there else own] = hashed
        return renamed

    def strangers(self, side: int) -> Iterator[tuple[Model, range]]:
        """A side's models that fit nowhere, and where their parameters are."""
        for where, model in self.left_over:
            if where == side:
                yield model, range(model.first, model.first + len(model.names))

    def name(self, side: int, place: int) -> str:
        """What a side calls a parameter."""
        return self._raw[side][place]

    def places(self, side: int) -> list[int]:
        """Where in its lists this side has the parameters that both have."""
        return [pair[side] for pair in self.pairs]


def _best(
    parts: Sequence[Model], wholes: Sequence[Model], homes: Sequence[int]
) -> list[Way | None]:
    """The one way of most matched parameters, no place being taken twice; else nothing fits."""
    options = [list(_ways(part, wholes)) for part in parts]
    count = 1
    for ways in options:
        count *= len(ways) + 1
    if count > MOST_WAYS:
        return [None] * len(parts)
    best: list[tuple[Way | None, ...]] = []
    most = (0, 0)
    for chosen in product(*([*ways, None] for ways in options)):
        places = [place for way in chosen if way is not None for place in way.places]
        # A copy of a model fits where the model does: the one in its own place is meant.
        own = sum(
            way is not None and not way.prefix and way.places[0] == home
            for home, way in zip(homes, chosen, strict=True)
        )
        if len(places) == len(set(places)) and (len(places), own) >= most:
            best = [*best, chosen] if (len(places), own) == most else [chosen]
            most = (len(places), own)
    return list(best[0]) if len(best) == 1 else [None] * len(parts)


def _ways(part: Model, wholes: Sequence[Model]) -> Iterator[Way]:
    """Each way in which all of a part's parameters are some of a whole's, but for a prefix."""
    for whole in wholes:
        there = {name: i for i, name in enumerate(whole.names)}
        for ours, prefix in _renamed(part.names, whole.names):
            places = [there.get(name, -1) for name in ours]
            fits = all(
                place >= 0 and whole.shapes[place] == shape
                for place, shape in zip(places, part.shapes, strict=True)
            )
            if fits and places:
                yield Way(tuple(whole.first + place for place in places), prefix)


def _renamed(names: Sequence[str], there: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """The names as they are; with each prefix before them that fits the first; or one less."""
    yield list(names), ""
    first = names[0] if names else ""
    more = {other.removesuffix(first): True for other in there if other.endswith(f".{first}")}
    less = {first.removesuffix(o): False for o in there if first.endswith(f".{o}")}
    # A stranger's file may have any number of them; what fits in many ways is matched in none.
    for prefix, added in islice({**more, **less}.items() if first else (), MOST_WAYS):
        if added:
            yield [prefix + name for name in names], prefix
        elif all(name.startswith(prefix) for name in names):
            yield [name.removeprefix(prefix) for name in names], prefix
