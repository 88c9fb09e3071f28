"""A training as one ledger tells it: what findings ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from reference.check.parameter import Parameter
from reference.check.step import Step
from reference.ledger.record import Record

DROPOUT = "dropout"
BATCH_NORM = "running_mean"  # the buffer that tells a batch normalisation


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of one model, in whatever mode, of which no step is made.

    Attributes:
        step: How many steps came before it.
        model: The model's name.
        trained: Whether a step was made of that model by then.
        metrics: The link, as the ledger has it.
        dropout: The largest p in a model that is in train mode; None where that isn't known.
        statistics: Whether it keeps running ones.
    """

    step: int
    model: str
    trained: bool
    metrics: Record
    dropout: float | None = None
    statistics: bool = False


@dataclass
class Training:
    """All that findings ask of one ledger.

    Attributes:
        header: As the ledger has it.
        rank: Of which process of a run.
        steps: In their order.
        evaluations: In their order.
        classes: Of each model by its number.
        parameters: In the order of their places.
        settings: What modules and schedulers were set to at first, by name.
        moving: The buffers that some step changed, by name.
        whole: Whether the ledger has an end, of a run that came to its own.
        ended_as_asked: Whether the run was asked to end after its last step here.
        others: The trainings of the other ranks of the run; only rank 0, or the first, has them.
        partings: In words, where ranks part that should be equal; beside `others`.
        each_alone: Whether the ranks share nothing in any step; beside `others`.
    """

    header: Record
    rank: int = 0
    steps: list[Step] = field(default_factory=list)
    evaluations: list[Evaluated] = field(default_factory=list)
    classes: dict[int, str] = field(default_factory=dict)
    parameters: list[Parameter] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    moving: set[str] = field(default_factory=set)
    buffers: set[str] = field(default_factory=set)
    whole: bool = False
    ended_as_asked: bool = False
    others: "Mapping[int, Training]" = field(default_factory=dict)
    partings: Sequence[str] = ()
    each_alone: bool = False

    @cached_property
    def by_optimizer(self) -> dict[int, list[Step]]:
        """The steps of each optimizer, by its number."""
        found: dict[int, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.optimizer, []).append(step)
        return found

    @cached_property
    def drops(self) -> str:
        """What tells train mode from eval mode in this model, in words; '' where nothing does."""
        rates = [value for name, value in self.settings.items() if name.endswith(".p")]
        rates = [value[0] if isinstance(value, list) else value for value in rates]
        largest = max((rate for rate in rates if isinstance(rate, float)), default=0.0)
        known = [f"{DROPOUT} ({largest:g})"] if largest > 0 else []
        if any(name.endswith(BATCH_NORM) for name in self.buffers):
            known.append("batch normalisation")
        return " and ".join(known)

    @cached_property
    def asked(self) -> "dict[str, list[Evaluated]]":
        """The models that no step trains, and that are asked in most steps: a teacher, say."""
        last = self.steps[-1].number if self.steps else 0
        found: dict[str, list[Evaluated]] = {}
        for each in self.evaluations:
            if not each.trained and each.step < last:
                found.setdefault(each.model, []).append(each)
        most = max(1, len(self.steps) / 2)
        # One that is trained later on is a generator, say, whose turn hasn't come.
        later = {each.model for each in self.evaluations if each.trained}
        return {m: each for m, each in found.items() if len(each) > most and m not in later}

    def setting(self, name: str) -> Any:
        """One setting by its name; None where there is none."""
        return self.settings.get(name)
