"""Records of two runs brought to one numbering: models, parameters and buffers as the first has.

The comparators go by places. Where the second run has its parameters in another order, in models of
other numbers, or beside more of them, its record is rewritten before it is compared.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reference.diff.parameter_matching import Matching
from reference.ledger.combined_hash import combine_listed
from reference.ledger.link_table import Holds, links_holding
from reference.ledger.marks import ABSENT, is_value
from reference.ledger.odd_modules import OddModules
from reference.ledger.record import Record


class OneNumbering:
    """Both runs' steps with all their tensors, in the first run's places and by its numbers."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._updates: list[Record] = [{}, {}]  # the last step's, to which `weights` may refer
        self._odd = OddModules(), OddModules()

    def remember(self, left: Record, right: Record) -> None:
        """Keeps the updates of an equal step, as they stand in the ledgers."""
        self._updates = [record.get("update") or {} for record in (left, right)]
        for odd, record in zip(self._odd, (left, right), strict=True):
            odd.in_full(record.get("mode"))

    def step(self, side: int, record: Record, *, rearrange: bool) -> Record:
        """A step with the lists of tensors that its ledger leaves out, in one numbering.

        Args:
            side: Of which run it is.
            record: The step, as it stands in the ledger.
            rearrange: Put the parameters in the first run's places, if they stand in others.
        """
        filled = self._with_all_tensors(side, record)
        if rearrange and not self._matching.in_place:
            filled = at_places_of(filled, self._matching.places(side))
        return self._with_one_numbering(side, filled)

    def _with_all_tensors(self, side: int, record: Record) -> Record:
        """Weights that nothing touched are those of the last update; so is `clip` the gradient."""
        filled = dict(record)
        if "mode" in record:
            filled["mode"] = self._odd[side].in_full(record["mode"])
        update, gradient = self._updates[side], record.get("gradient") or {}
        for link, source in (("weights", update), ("clip", gradient)):
            value = record.get(link)
            if isinstance(value, dict) and "tensors" not in value and "tensors" in source:
                filled[link] = {**value, "tensors": source["tensors"]}
        clip = filled.get("clip")
        if isinstance(clip, dict) and "norms" not in clip and "norms" in gradient:
            norms = _times(gradient["norms"], clip.get("factor"))
            filled["clip"] = {**clip, "norms": norms} if norms else clip
        kept, earlier = ((r or {}).get("buffers") for r in (filled.get("weights"), update))
        if kept and earlier and "tensors" not in kept:
            filled["weights"] = {**filled["weights"], "buffers": {**earlier, **kept}}
        return filled

    def _with_one_numbering(self, side: int, record: Record) -> Record:
        """With each forward pass's model, and each buffer's, by its number in the first run."""
        for link in links_holding(Holds.BUFFERS):
            record[link] = self.with_named_buffers(side, record.get(link))
        for link in links_holding(Holds.PASSES):
            numbers = [each.get("model", 0) for each in record.get(link) or []]
            ours = [self._matching.model(side, number) for number in numbers]
            if ours != numbers:
                pairs = zip(record[link], numbers, ours, strict=True)
                record[link] = [
                    each if number == new else {**each, "model": new} for each, number, new in pairs
                ]
        return record

    def with_named_buffers(self, side: int, value: Any) -> Any:
        """Weights, or an end, whose buffers have the names of the first run's same model."""
        kept = value.get("buffers") if isinstance(value, dict) else None
        if not isinstance(kept, dict) or "tensors" not in kept:
            return value
        tensors = self._matching.with_one_numbering(side, kept["tensors"])
        return {**value, "buffers": {**kept, "tensors": tensors}}


def _times(norms: str, factor: object) -> str:
    """The norms of gradients that were all clipped by the same factor."""
    if not isinstance(factor, float):
        return ""
    try:
        return " ".join(f"{factor * float(norm):.7g}" for norm in norms.split())
    except ValueError:
        return ""  # a newer schema's own words


def at_places_of(record: Record, places: Sequence[int]) -> Record:
    """A step with only the parameters at these places, in this order, and its hashes over them."""
    kept = dict(record)
    for link in links_holding(Holds.TENSORS):
        value = record.get(link)
        if isinstance(value, dict):
            kept[link] = _tensors_at(value, places)
    optimizer, schedule = record.get("optimizer"), record.get("schedule")
    if isinstance(optimizer, dict):
        groups = str(optimizer["of"]).split()
        kept["optimizer"] = {**optimizer, "of": " ".join(at_places(groups, places))}
        if "base_learning_rate" in optimizer:
            rates = _rates_at(optimizer["base_learning_rate"], places)
            kept["optimizer"]["base_learning_rate"] = rates
    if isinstance(schedule, dict):
        kept["schedule"] = {name: _rates_at(rates, places) for name, rates in schedule.items()}
    return kept


def _tensors_at(value: Mapping[str, Any], places: Sequence[int]) -> Record:
    kept = dict(value)
    for field in ("tensors", "norms"):
        if field in value:
            kept[field] = " ".join(at_places(str(value[field]).split(), places))
    if "tensors" in kept:
        kept["hash"] = combine_listed(kept["tensors"])
    return kept


def at_places(values: Sequence[str], places: Sequence[int]) -> list[str]:
    """Those at these places; a list from before a model was seen is shorter."""
    return [values[place] if place < len(values) else ABSENT for place in places]


def _rates_at(rates: Sequence[float | str], places: Sequence[int]) -> list[float | str]:
    """As the ledger writes them: one where all parameters have the same."""
    if len(rates) < 2:
        return list(rates)
    kept = [rates[place] if place < len(rates) else ABSENT for place in places]
    distinct = {rate for rate in kept if is_value(rate)}
    return list(distinct) if len(distinct) < 2 else kept
