"""Reads a ledger into a training: the lists of hashes become counts, and are let go."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reference.check.parameter import Parameter
from reference.check.step import Step, finite
from reference.check.training import Evaluated, Training
from reference.errors import InputError
from reference.ledger.marks import ABSENT, NO_GROUP, is_value
from reference.ledger.odd_modules import OddModules
from reference.ledger.reader import Ledger
from reference.ledger.record import Record, is_newer
from reference.ledger.schema import check, known
from reference.ledger.setting_names import BY_DEFAULT
from reference.ledger.steps import Group, open_ledger

LISTS = ("tensors", "norms", "of", "buffers")
FROZEN = "requires_grad"
OFF_FOR, OFF, ON, CUT = "off for ", "off for all", "on for all", "... ("


def read_training(source: Path | Ledger, rank: int = 0) -> Training:
    """A ledger as a training.

    Args:
        source: A ledger's file, or one in memory.
        rank: Of which process it is.

    Raises:
        InputError: It isn't a ledger, is damaged, or has no step.
    """
    header, groups = open_ledger(source)
    training = Training(header, rank)
    reading = _Reading(training, newer=is_newer(header))
    for group in groups:
        reading.add(group)
    if not training.steps:
        raise InputError(f"{source}: has no step; observe a training that takes some")
    reading.note_frozen()
    return training


class _Reading:
    """What has to be remembered from step to step."""

    def __init__(self, training: Training, *, newer: bool) -> None:
        self.training, self._newer = training, newer
        self._odd = OddModules()
        self._update: Record = {}  # what the last step left
        self._buffers: Record = {}
        self._equal: dict[str, Any] = {}  # one object for equal ones: most steps' are alike

    def add(self, group: Group) -> None:
        """One more step, and what was written before it."""
        training = self.training
        for model in group.models:
            self._add_model(model)
        for evaluation in group.evaluations:
            training.evaluations.append(
                Evaluated(
                    evaluation["step"],
                    str(evaluation.get("model", "")),
                    bool(evaluation.get("trained", False)),
                    evaluation["metrics"],
                    finite(evaluation.get("dropout")),
                    bool(evaluation.get("statistics")),
                )
            )
        if group.end is not None:
            training.whole = bool(group.end["complete"]) and not group.broken
            training.ended_as_asked = group.end.get("asked") is True
        if group.step is not None:
            item = group.step
            self._add_step(known(item)[0] if self._newer else check(item))

    def _add_model(self, record: Record) -> None:
        number = record.get("model", 0)
        self.training.classes.setdefault(number, str(record.get("class", "")))
        for name, shape, *placement in record["parameters"]:
            parameter = Parameter(name, tuple(shape), number, shared=bool(placement))
            self.training.parameters.append(parameter)

    def _add_step(self, record: Record) -> None:
        for name, value in record.get("settings", {}).items():
            if not name.endswith(BY_DEFAULT):
                self.training.settings.setdefault(name, value)
        optimizer = record.get("optimizer") or {}
        gradient, update = record.get("gradient") or {}, record.get("update") or {}
        self._count_gradients(gradient)
        members = self._count_groups(optimizer)
        weights = record.get("weights") or {}
        moved = self._have_moved(weights)
        before = weights.get("hash", self._update.get("hash"))
        self._look_at_buffers(weights, update)
        self._update = update
        schedule = record.get("schedule") or {}
        self.training.steps.append(
            Step(
                record["step"],
                record.get("batch") or [],
                record.get("rng") or {},
                self._one(self._odd.in_full(record.get("mode") or {})),
                record.get("forward") or [],
                _without_lists(gradient),
                _without_lists(record.get("clip") or {}),
                self._one(_without_lists(optimizer)),
                _distinct(schedule.get("learning_rate") or ()),
                _distinct(schedule.get("next_learning_rate") or ()),
                record.get("chores"),
                members,
                moved_between=moved,
                changed=before is None or before != update.get("hash"),
                unseen=str(record.get("unseen", "")),
            )
        )

    def _have_moved(self, weights: Record) -> bool:
        """Whether some weight of those that an optimizer steps isn't what the last step left.

        New ones and those that are gone say nothing.
        """
        if "hash" not in weights or weights["hash"] == self._update.get("hash"):
            return False
        before, now = (str(each.get("tensors", "")).split() for each in (self._update, weights))
        three = zip(self.training.parameters, before, now, strict=False)
        return any(
            parameter.in_group and one != other and ABSENT not in (one, other)
            for parameter, one, other in three
        )

    def _one(self, value: Any) -> Any:
        return self._equal.setdefault(repr(value), value)

    def _count_gradients(self, gradient: Record) -> None:
        hashes = str(gradient.get("tensors", "")).split()
        norms = str(gradient.get("norms", "")).split()
        for parameter, hashed, norm in zip(self.training.parameters, hashes, norms, strict=False):
            if hashed != ABSENT:
                parameter.with_gradient += 1
                parameter.zero += norm == "0"

    def _count_groups(self, optimizer: Record) -> int:
        decays = [finite(hyper.get("weight_decay")) for hyper in optimizer.get("hyper", ())]
        members, number = 0, int(optimizer.get("index", 0))
        entries = str(optimizer.get("of", "")).split()
        for parameter, entry in zip(self.training.parameters, entries, strict=False):
            if is_value(entry):
                members += 1
                parameter.in_group += 1
                decay = decays[int(entry)]
                if decay is not None:
                    before = parameter.decays.get(number, 0.0)
                    parameter.decays[number] = max(before, decay)
            parameter.left_out += entry == NO_GROUP
        return members

    def _look_at_buffers(self, weights: Record, update: Record) -> None:
        before = (weights.get("buffers") or {}).get("tensors") or self._buffers
        after = (update.get("buffers") or {}).get("tensors") or before
        self.training.buffers |= after.keys()
        self.training.moving |= {n for n in after if n in before and before[n] != after[n]}
        self._buffers = after

    def note_frozen(self) -> None:
        """Which parameters aren't to be trained, as far as the settings name them."""
        for parameter in self.training.parameters:
            prefix = f"model{parameter.model}." if parameter.model else ""
            said = self.training.settings.get(prefix + FROZEN)
            name = parameter.name.removeprefix(prefix)
            parameter.frozen = _is_frozen(name, said) if isinstance(said, str) else None


def _is_frozen(name: str, said: str) -> bool | None:
    if said in (OFF, ON):
        return said == OFF
    parts = said.removeprefix(OFF_FOR).partition(CUT)[0].split(", ")
    if any(name == part or name.startswith(f"{part}.") for part in parts):
        return True
    return None if CUT in said else False


def _without_lists(link: Record) -> Record:
    return {name: value for name, value in link.items() if name not in LISTS}


def _distinct(rates: Iterable[Any]) -> tuple[Any, ...]:
    """Those of parameters that have one, each once."""
    return tuple(dict.fromkeys(rate for rate in rates if is_value(rate)))
