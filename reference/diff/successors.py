"""A model whose training goes on in a copy of it, in one run alone: deep-copied, or loaded anew.

To a ledger the copy is another model. It takes the other one's place where it is of the same class
and shapes, begins with its weights to the bit, and is used from then on in its stead. From then on
the two have each other's numbers and places, so that nothing is left out: the one that stays behind
is the other model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reference.diff.joined_optimizers import MALFORMED
from reference.diff.parameter_matching import NUMBERED, Model, model_of
from reference.ledger.combined_hash import combine_listed
from reference.ledger.link_table import Holds, links_holding
from reference.ledger.marks import ABSENT, is_value
from reference.ledger.reader import Item
from reference.ledger.record import Record, encode
from reference.ledger.steps import Group


class Successors:
    """Both runs' models that have taken another's place so far."""

    def __init__(self) -> None:
        self._runs = _Run(), _Run()

    def renumbered(self, left: Group, right: Group) -> tuple[Group, Group]:
        """The next groups of both runs, with the numbers and places that their models have now."""
        counts = len(left.models), len(right.models)
        try:
            first, second = (
                run.next(group, looks=own > other)
                for run, group, own, other in zip(
                    self._runs, (left, right), counts, counts[::-1], strict=True
                )
            )
        except MALFORMED:  # somebody edited it, and the comparison says where
            return left, right
        return first, second


class _Run:
    def __init__(self) -> None:
        self._models: list[Model] = []
        self._total = 0  # places
        self._before: Item | None = None  # the last step, as the ledger has it
        # What counts in another's place or by another's number, since it has taken that.
        self._places: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._left: set[int] = set()  # the places of models that were left
        self._behind: list[dict[str, str]] = []  # what those hold that were left, by name

    def next(self, group: Group, *, looks: bool) -> Group:
        """The group as it counts; `looks`: it brings a model that the other run's doesn't."""
        for record in group.models:
            model = model_of(record, self._total)
            if looks and group.step is not None and self._before is not None:
                self._look(model, group.step.record, self._before.record)
            self._models.append(model)
            self._total += len(model.names)
        self._before = group.step
        if not self._places:
            return group  # as in most runs
        step, end = group.step, group.end
        return replace(
            group,
            step=None if step is None else Item(encode(self._step(step.record)), step.where),
            end=None if end is None else self._end(end),
        )

    def _look(self, model: Model, step: Record, before: Record) -> None:
        """Whether it goes on where another model was."""
        values, last = (
            str(link["tensors"]).split() for link in (step["weights"], before["update"])
        )
        of = str(step["optimizer"]["of"]).split()
        used = {each.get("model", 0) for each in step["forward"]}
        for other in reversed(self._models):
            pairs = list(zip(_places(model), _places(other), strict=False))
            is_like = (other.kind, other.names, other.shapes) == (
                *(model.kind, model.names, model.shapes),
            )
            takes_over = model.number in used and other.number not in used
            if (
                is_like
                and takes_over
                and all(values[ours] == last[theirs] != ABSENT for ours, theirs in pairs)
                and not any(is_value(of[theirs]) for _, theirs in pairs)
            ):
                for ours, theirs in pairs:
                    _exchange(self._places, ours, theirs)
                _exchange(self._numbers, model.number, other.number)
                held = (last[place] for place in _places(other))
                self._behind.append(dict(zip(other.names, held, strict=True)))
                self._left.update(_places(other))
                return

    def _step(self, record: Record) -> Record:
        changed = dict(record)
        for link in links_holding(Holds.TENSORS):
            if isinstance(record.get(link), dict):
                changed[link] = self._link(record[link])
        for link in links_holding(Holds.PASSES):
            if record.get(link):
                changed[link] = [self._pass(each) for each in record[link]]
        optimizer, schedule = record["optimizer"], record["schedule"]
        # What is left may have its last gradients, and be in no group: it takes no part.
        of = [
            ABSENT if place in self._left and not is_value(group) else group
            for place, group in enumerate(str(optimizer["of"]).split())
        ]
        changed["optimizer"] = {**optimizer, "of": " ".join(self._arranged(of))}
        if "base_learning_rate" in optimizer:
            rates = self._rates(optimizer["base_learning_rate"])
            changed["optimizer"]["base_learning_rate"] = rates
        changed["schedule"] = {name: self._rates(rates) for name, rates in schedule.items()}
        if "settings" in record:
            changed["settings"] = self._named(record["settings"])
        return changed

    def _pass(self, described: Record) -> Record:
        number = described.get("model", 0)
        return {**described, "model": self._numbers.get(number, number)}

    def _link(self, link: Record) -> Record:
        changed = dict(link)
        changed.update((n, self._listed(link[n])) for n in ("tensors", "norms") if n in link)
        if "tensors" in changed:
            changed["hash"] = combine_listed(changed["tensors"])
        buffers = link.get("buffers")
        if buffers and "tensors" in buffers:
            changed["buffers"] = {**buffers, "tensors": self._named(buffers["tensors"])}
        return changed

    def _end(self, record: Record) -> Record:
        changed = dict(record)
        if "buffers" in record:
            changed["buffers"] = self._link({"buffers": record["buffers"]})["buffers"]
        for name in ("tensors", "gradients"):
            if name in record:
                changed[name] = self._listed(record[name])
        changed["optimizers"] = [
            {**each, "places": self._moved(each.get("places", ""))}
            for each in record.get("optimizers", ())
        ]
        models = list(record.get("models", ()))
        for held in self._behind:
            stale = next((m for m in models if m["trained"] and _is_as(m["tensors"], held)), None)
            models = [model for model in models if model is not stale]
        return {**changed, "models": models}

    def _listed(self, entries: str) -> str:
        return " ".join(self._arranged(entries.split()))

    def _arranged(self, entries: Sequence[Any]) -> list[Any]:
        arranged = list(entries)
        for place, counts in self._places.items():
            arranged[counts] = entries[place]
        return arranged

    def _rates(self, rates: Sequence[Any]) -> list[Any]:
        return list(rates) if len(rates) < 2 else self._arranged(rates)

    def _moved(self, places: str) -> str:
        return " ".join(str(self._places.get(int(p), int(p))) for p in places.split())

    def _named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Of names that begin with a model's number, with the number that counts."""
        named: dict[str, Any] = {}
        for name, value in values.items():
            numbered = NUMBERED.match(name)
            number, own = (int(numbered[1]), numbered[2]) if numbered else (0, name)
            counts = self._numbers.get(number, number)
            named[f"model{counts}.{own}" if counts else own] = value
        return named


def _places(model: Model) -> range:
    return range(model.first, model.first + len(model.names))


def _exchange(counts: dict[int, int], one: int, other: int) -> None:
    counts[one], counts[other] = counts.get(other, other), counts.get(one, one)


def _is_as(tensors: Mapping[str, str], held: Mapping[str, str]) -> bool:
    return all(tensors.get(name, "").partition(" ")[0] == value for name, value in held.items())
