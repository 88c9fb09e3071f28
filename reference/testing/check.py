"""A stranger's loop observed, compared with the recipe's run, and the difference explained.

What `assert_same_run` does once it is called.
"""

import contextlib
import dataclasses
import inspect
import io
import numbers
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from reference.explain.search import explain
from reference.ledger.reader import Memory
from reference.ledger.record import Record
from reference.lesson.data.hub import check_hub
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops.manual import train
from reference.lesson.metrics import last_scores
from reference.lesson.recipe import FIELDS, Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.messages import nearest
from reference.observe.observer import Observer
from reference.run.environment_variables import put_aside
from reference.run.header import header
from reference.run.prepare import prepare
from reference.testing.diagnosis import Run, diagnosis
from reference.testing.global_state import clean_state
from reference.testing.loop_arguments import hand, name_of, names_of

INSIDE = ("embedded", "minilm")  # data and checkpoints that can't change while a session lasts


def check(
    mine: Callable[..., Any],
    recipe: str | Path | Recipe,
    fields: dict[str, Any],
    default_steps: int,
) -> None:
    """Raises AssertionError, with the diagnosis, unless `mine` is the recipe's run."""
    __tracebackhide__ = True
    wanted = names_of(mine)
    chosen = _chosen(recipe, fields, default_steps).for_loop("manual")
    with clean_state():
        chosen = prepare(chosen)
        with _no_warnings():
            _check_reach(chosen)
            data = _data(chosen)
            head = header(chosen, "manual", data)
        theirs = observe(mine, wanted, chosen, data, head)
    with clean_state(), _no_warnings():
        prepare(chosen)
        ours = faithful(chosen, data, head)
        with put_aside():
            differences = diagnosis(
                ours, theirs, lambda ledger, each: explain(ledger, head, chosen, data, each)
            )
    if differences:
        raise AssertionError("\n".join(differences))


def _chosen(recipe: str | Path | Recipe, fields: dict[str, Any], default_steps: int) -> Recipe:
    """The recipe, of `default_steps` where nobody says how long it is."""
    if isinstance(recipe, Recipe):
        for name in fields:
            if name not in FIELDS:
                raise nearest("recipe field", name, FIELDS)
        chosen = dataclasses.replace(recipe, **fields)
    else:
        chosen = load_recipe(str(recipe), fields)
    if chosen.max_steps == -1 and not fields.keys() & {"max_steps", "num_train_epochs"}:
        chosen = dataclasses.replace(chosen, max_steps=default_steps)
    return chosen


@contextlib.contextmanager
def _no_warnings() -> Any:
    """Ignore warnings in all code but the stranger's own.

    Their filters may turn a library's warning into an error, which in a replay would hide a
    deviation.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_reach(recipe: Recipe) -> None:
    """InputError at once, where the libraries would retry for long, for a hub out of reach."""
    folder = recipe.checkpoint in INSIDE or Path(recipe.checkpoint).exists()
    if recipe.data == "hub" or not folder:
        check_hub()


def _data(recipe: Recipe) -> Data:
    if recipe.data in INSIDE and recipe.checkpoint in INSIDE:
        return _kept_data(recipe.task, recipe.data, recipe.checkpoint, recipe.max_length)
    return load_data(recipe)


@cache
def _kept_data(task: str, data: str, checkpoint: str, max_length: int) -> Data:
    fields = {"task": task, "data": data, "checkpoint": checkpoint, "max_length": max_length}
    return load_data(load_recipe("embedded", fields))


class WentOn(BaseException):
    """Raised in a stranger's loop at a step beyond the recipe's last; no Exception, to get out."""


class UpTo(Memory):
    """Keeps a ledger up to the recipe's last step, and stops a run that goes on."""

    def __init__(self, head: Record, steps: int) -> None:
        super().__init__(head)
        self.steps = steps
        self.over = False
        self.stops = True  # not once the run has ended by itself, well or not

    def write(self, record: Record) -> None:
        """Keep a record, or raise WentOn where the run has gone on too long."""
        if record["kind"] == "step" and record["step"] > self.steps and not self.over:
            self.over = True
            if self.stops:
                raise WentOn
        if not self.over:
            super().write(record)


def observe(
    mine: Callable[..., Any],
    wanted: list[inspect.Parameter],
    recipe: Recipe,
    data: Data,
    head: Record,
) -> Run:
    """Train `mine`. What it raises passes through."""
    __tracebackhide__ = True
    sink = UpTo({**head, "loop": name_of(mine)}, head["num_training_steps"])
    scores: dict[str, float] = {}
    devices: list[torch.device] = []
    with put_aside():
        with _no_warnings():
            call = hand(mine, wanted, recipe, data)
        hook = register_module_forward_pre_hook(lambda module, _: _note_device(module, devices))
        try:
            with Observer(sink) as observer:
                try:
                    scores = _scores(call())
                finally:
                    sink.stops = False
                observer.add_scores(scores)
        except WentOn:
            pass
        finally:
            hook.remove()
    # As `mine` left them: with others, its bits needn't be the recipe's.
    sink.ledger.header["num_threads"] = torch.get_num_threads()
    if devices and devices[0].type != recipe.device:
        cuda = devices[0].type == "cuda"
        sink.ledger.header["device"] = torch.cuda.get_device_name() if cuda else str(devices[0])
    return Run(sink.ledger.header["loop"], sink.ledger, scores, sink.over)


def _note_device(module: torch.nn.Module, devices: list[torch.device]) -> None:
    if not devices:
        devices += [p.device for p in module.parameters()][:1]


def _scores(returned: Any) -> dict[str, float]:
    """The numbers of what a loop returned, by name, without the Trainer's prefix `eval_`."""
    if not isinstance(returned, Mapping):
        return {}
    return {
        str(name).removeprefix("eval_"): float(value)
        for name, value in returned.items()
        if isinstance(value, numbers.Real)
    }


_FAITHFUL: dict[tuple[Recipe, str, str], Run] = {}


def faithful(recipe: Recipe, data: Data, head: Record) -> Run:
    """The recipe's own run; the same one is trained once in a session."""
    key = (recipe, data.digest, head["checkpoint"]["sha256"])
    if key not in _FAITHFUL:
        memory = Memory(head)
        observer = Observer(memory, stop_if_not_finite=True)
        # Its progress bar would be shown as the stranger's.
        with put_aside(), contextlib.redirect_stderr(io.StringIO()), observer:
            scores = last_scores(train(recipe, data))
            observer.add_scores(scores)
        _FAITHFUL[key] = Run(f"recipe {recipe.name}", memory.ledger, scores)
    return _FAITHFUL[key]
