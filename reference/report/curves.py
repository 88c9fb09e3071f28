"""The curves of a run, read off its ledger: no torch is needed."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.ledger.ledger_path import find_ledgers
from reference.ledger.losses import step_loss
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE

METRICS_FILE = "metrics.json"

Points = dict[int, float]  # by step, from 1


@dataclass(frozen=True)
class Curves:
    """One run, step by step; a step without a value is absent, also one that isn't finite.

    Attributes:
        name: The run's.
        loss: The mean over a step's forward passes.
        norm: The gradient's 2-norm as accumulated, before a clip.
        rate: The learning rate of the first group of parameters.
        validation: The loss of each evaluation, where the run's folder has `metrics.json`.
        scores: Of each evaluation that had any, by name.
        synthetic: Whether its data was made from code.
    """

    name: str
    loss: Points = field(default_factory=dict)
    norm: Points = field(default_factory=dict)
    rate: Points = field(default_factory=dict)
    validation: Points = field(default_factory=dict)
    scores: dict[str, Points] = field(default_factory=dict)
    synthetic: bool = False


def read_curves(run: Path) -> list[Curves]:
    """The curves of a run; of a comparison's folder those of each loop.

    Args:
        run: A run's folder, a comparison's, or a ledger.

    Raises:
        InputError: There is no ledger, it can't be read, or it has no step.
    """
    paths = [run]
    if run.is_dir() and not (run / LEDGER_FILE).exists():
        paths = sorted(path.parent for path in run.glob(f"*/{LEDGER_FILE}")) or [run]
    named = [path.name or str(path) for path in paths]
    return [_curves(path, name) for path, name in zip(paths, named, strict=True)]


def _curves(path: Path, name: str) -> Curves:
    ledger = next(iter(find_ledgers(path).values()))  # of several processes rank 0's
    read = read_ledger(ledger)
    curves = Curves(name, synthetic=bool((read.header.get("data") or {}).get("synthetic")))
    try:
        for record in read.steps:
            step = int(record["step"])
            _put(curves.loss, step, step_loss(record))
            _put(curves.norm, step, (record.get("gradient") or {}).get("norm"))
            _put(curves.rate, step, _first(record["schedule"]["learning_rate"]))
        for record in read.evaluations:
            for score, value in (record["metrics"].get("scores") or {}).items():
                _put(curves.scores.setdefault(str(score), {}), int(record["step"]), value)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{ledger}: not as its schema has it ({type(error).__name__}: {error}); record the run "
            "again"
        ) from None
    _put_validation(curves, ledger.with_name(METRICS_FILE))
    if not (curves.loss or curves.norm or curves.rate):
        raise InputError(f"{ledger}: holds no step; there is nothing to draw")
    return curves


def _put_validation(curves: Curves, file: Path) -> None:
    """The losses of a run's evaluations: a ledger has those of their batches, and no mean."""
    if not file.exists():  # a script's run, or one that was stopped
        return
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
        for each in metrics.get("evaluations", []):  # version 1 had none
            _put(curves.validation, int(each["step"]), each["loss"])
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{file}: field evaluations: not as `train` writes it ({type(error).__name__}: "
            f"{error}); train again"
        ) from None


def _first(rates: Any) -> Any:
    """Of the first group; a rate that is a tensor stands there as its value."""
    while isinstance(rates, list):
        rates = rates[0] if rates else None
    return rates


def _put(points: Points, step: int, value: Any) -> None:
    if value is not None and math.isfinite(float(value)):
        points[step] = float(value)
