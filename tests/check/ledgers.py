"""A training's ledger as `observe` keeps it of a script, and what `check` makes of it."""

from collections.abc import Callable
from typing import Any

from reference.check.examination import Examination, examine
from reference.check.reader import read_training
from reference.check.training import Training
from reference.ledger.reader import Memory
from reference.observe.observer import Observer


def training_of(train: Callable[..., Any]) -> Training:
    """With all that an observed script's ledger holds."""
    memory = Memory({"program": {"script": "train.py"}})
    with Observer(memory, uncalled=True):
        train()
    return read_training(memory.ledger)


def examined(train: Callable[..., Any]) -> Examination:
    return examine([training_of(train)])


def names_in(examination: Examination) -> list[str]:
    """The findings, the most serious first."""
    return [each.finding.name for each in examination.found]
