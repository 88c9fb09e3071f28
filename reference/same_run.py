"""A stranger's loop observed, compared with the recipe's run, and the difference explained.

This is what `assert_same_run` does (`python -c "from reference import testing; help(testing)"`).
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

from reference.data.pipeline import Data, load_data
from reference.environment import put_aside
from reference.explained import words
from reference.handed import hand, name_of, names_of
from reference.ledger.diff import Verdict, diff
from reference.ledger.explain import explain
from reference.ledger.observe import Observer
from reference.ledger.record import Ledger, Memory, Record
from reference.loops.manual import train
from reference.model import check_checkpoint
from reference.put_back import clean_state
from reference.recipe import FIELDS, Recipe, load_recipe, nearest
from reference.run import header, prepare
from reference.verdicts import curve, lines

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
            check_checkpoint(chosen)
            data = _data(chosen)
            head = header(chosen, "manual", data)
        theirs = observe(mine, wanted, chosen, data, head)
    with clean_state(), _no_warnings():
        prepare(chosen)
        found = _diagnosis(name_of(mine), theirs, chosen, data, head)
    if found:
        raise AssertionError("\n".join(found))


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
    """Around what isn't the stranger's: their filters may make an error of any library's warning,
    and an error in a replay would be a deviation not found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _data(recipe: Recipe) -> Data:
    if recipe.data in INSIDE and recipe.checkpoint in INSIDE:
        return _kept_data(recipe.task, recipe.data, recipe.checkpoint, recipe.max_length)
    return load_data(recipe)


@cache
def _kept_data(task: str, data: str, checkpoint: str, max_length: int) -> Data:
    fields = {"task": task, "data": data, "checkpoint": checkpoint, "max_length": max_length}
    return load_data(load_recipe("embedded", fields))


@dataclasses.dataclass
class Observed:
    """What a run did, and the scores that it returned, where it did."""

    ledger: Ledger
    scores: dict[str, float]
    stopped: bool = False  # it went on after the recipe's last step


class WentOn(BaseException):
    """Raised in a stranger's loop at a step that the recipe hasn't; no `except Exception` of theirs
    is meant to catch it."""


class UpTo(Memory):
    """Keeps a ledger up to the first step beyond the recipe's last one, and stops there."""

    def __init__(self, head: Record, steps: int) -> None:
        super().__init__(head)
        self.steps, self.over = steps, False

    def write(self, record: Record) -> None:
        if self.over:
            return
        super().write(record)
        if record["kind"] == "step" and record["step"] > self.steps:
            self.over = True
            raise WentOn


def observe(
    mine: Callable[..., Any],
    wanted: list[inspect.Parameter],
    recipe: Recipe,
    data: Data,
    head: Record,
) -> Observed:
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
                scores = _scores(call())
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
    return Observed(sink.ledger, scores, sink.over)


def _note_device(module: torch.nn.Module, devices: list[torch.device]) -> None:
    if not devices:
        devices += [p.device for p in module.parameters()][:1]


def _scores(returned: Any) -> dict[str, float]:
    """Numbers by name; the Trainer's `eval_` says nothing of what they are."""
    if not isinstance(returned, Mapping):
        return {}
    return {
        str(name).removeprefix("eval_"): float(value)
        for name, value in returned.items()
        if isinstance(value, numbers.Real)
    }


_FAITHFUL: dict[tuple[Recipe, str, str], Observed] = {}


def faithful(recipe: Recipe, data: Data, head: Record) -> Observed:
    """The recipe's own run; the same one is trained once in a session."""
    key = (recipe, data.digest, head["checkpoint"]["sha256"])
    if key not in _FAITHFUL:
        memory = Memory(head)
        observer = Observer(memory, stop_if_not_finite=True)
        # Not to be seen: its progress bar.
        with put_aside(), contextlib.redirect_stderr(io.StringIO()), observer:
            scores = train(recipe, data)
            observer.add_scores(scores)
        _FAITHFUL[key] = Observed(memory.ledger, scores)
    return _FAITHFUL[key]


def _diagnosis(name: str, theirs: Observed, recipe: Recipe, data: Data, head: Record) -> list[str]:
    """Why it isn't the recipe's run, in lines; none if it is."""
    if not theirs.ledger.steps:
        return [f"{name} ended without a step: no torch optimizer's step() was called in it"]
    ours = faithful(recipe, data, head)
    verdict = diff(ours.ledger, theirs.ledger)
    if verdict.verdict == "identical":
        return _unequal_scores(name, ours.scores, theirs.scores)
    pair = f"recipe {recipe.name} and {name}"
    if verdict.verdict == "incomparable":
        found = lines(pair, verdict)
    else:
        found = _explained(pair, verdict, theirs.ledger, recipe, data, head)
    if theirs.stopped:
        found.append(
            f"{name} was stopped in step {head['num_training_steps'] + 1}, which the recipe hasn't "
            "(train_dataloader ends where it does, and num_training_steps says it)"
        )
    return found


def _explained(
    pair: str, verdict: Verdict, target: Ledger, recipe: Recipe, data: Data, head: Record
) -> list[str]:
    """The divergence, and what it comes from; where that isn't known, how the two go on."""
    with put_aside():
        explanation = explain(target, head, recipe, data)
    found = [f"diverged: {pair} part at step {verdict.step}, link {verdict.link}"]
    found += words(explanation)
    found += [note for note in verdict.notes if note not in found]
    if not explanation.proven and len(verdict.curve) > 1:
        found += ["how the two go on:", curve(verdict.curve)]
    return found


def _unequal_scores(name: str, ours: dict[str, float], theirs: dict[str, float]) -> list[str]:
    """Scores of an evaluation that couldn't be seen, or that are computed in another way."""
    unequal = [
        f"{score}: {ours[score]:.9g} and {theirs[score]:.9g}"
        for score in sorted(ours.keys() & theirs.keys())
        if ours[score] != theirs[score]
    ]
    if not unequal:
        return []
    return [f"diverged: every step of {name} is the recipe's, its scores aren't: {unequal[0]}"]
