"""One task of the matrix, in a process of its own: a run with its ledger, and what explains it.

A process of its own, so that no run is changed by what another left behind in memory. `WHAT` is a
loop or a deviation. It writes `FOLDER/WHAT/`: `ledger.jsonl`, `weights.safetensors`, `run.json`
when the run is over, and for a deviation `explained.json`, with the verdict of `diff` against the
faithful run beside it and what `explain` makes of it. What is there already isn't done again.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import PreTrainedModel

from reference.deviations import CATALOGUE, Chosen, train_with
from reference.diff.ledgers import diff
from reference.explain.search import explain
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE, Record, Writer
from reference.lesson.data.pipeline import Data, load_data
from reference.lesson.loops import LOOPS, get_loop
from reference.lesson.metrics import last_scores
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.observe.observer import Observer
from reference.observe.script.evaluate_scores import scores_taken
from reference.process.signals import signals_raise, stop_at_end_of_input
from reference.process.whole_files import write_json
from reference.run.environment_variables import put_aside
from reference.run.header import header
from reference.run.prepare import prepare

FAITHFUL = "manual"  # the run that all others of a setting are compared with
AGAIN = "manual-again"
WEIGHTS, RUN, EXPLAINED = "weights.safetensors", "run.json", "explained.json"


def chosen(name: str) -> Chosen:
    """A deviation with the value that the matrix tries."""
    return Chosen(CATALOGUE[name], CATALOGUE[name].in_matrix.value)


@dataclass
class Outside:
    """What any other project could log of a run: the loss of each step, and the model at its end.

    A step's loss is the sum of the numbers that the loop calls `backward` on: as the loop would
    log it, whatever it made of the model's own loss.

    Attributes:
        losses: one for each optimizer step.
        model: the model that was last called.
    """

    losses: list[float] = field(default_factory=list)
    model: PreTrainedModel | None = None
    _open: float = 0.0

    def __enter__(self) -> "Outside":
        self._backward: Callable[..., Any] = Tensor.backward
        backward = self._backward

        def logged(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            self._open += float(tensor.detach())
            return backward(tensor, *args, **kwargs)  # type: ignore[no-untyped-call]

        Tensor.backward = logged  # type: ignore[method-assign, assignment]
        self._handles = [
            register_optimizer_step_post_hook(self._stepped),
            register_module_forward_pre_hook(self._called),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        Tensor.backward = self._backward  # type: ignore[method-assign]
        for handle in self._handles:
            handle.remove()

    def _stepped(self, *_: object) -> None:
        self.losses.append(self._open)
        self._open = 0.0

    def _called(self, module: torch.nn.Module, _args: Any) -> None:
        if isinstance(module, PreTrainedModel):
            self.model = module

    def weights(self) -> dict[str, Tensor]:
        """The model's weights by name, on the CPU."""
        named = self.model.state_dict() if self.model is not None else {}
        return {name: tensor.cpu().contiguous() for name, tensor in named.items()}


def train(folder: Path, what: str, recipe: Recipe, data: Data) -> None:
    """Run a loop, or the manual one with a deviation, into `folder / what`."""
    run_dir = folder / what
    shutil.rmtree(run_dir, ignore_errors=True)  # of a task that was stopped
    run_dir.mkdir()
    name = FAITHFUL if what == AGAIN else what
    loop = get_loop(name) if name in LOOPS else train_with([chosen(name)])
    head = header(recipe, name if name in LOOPS else FAITHFUL, data)
    scores: dict[str, float] = {}
    failure = ""
    observer = Observer(Writer(run_dir / LEDGER_FILE, head), stop_if_not_finite=True)
    began = time.time()
    with Outside() as outside:
        try:
            with put_aside(), observer, scores_taken(observer.add_scores):
                scores = last_scores(loop(recipe, data))
        except Exception as error:  # a deviation may break the loop in any way; the page says so
            failure = f"{type(error).__name__}: {error}"
    save_file(outside.weights(), run_dir / WEIGHTS)
    run = {
        "losses": outside.losses,
        "scores": {name: float(score) for name, score in scores.items()},
        "steps": observer.steps,
        "failure": failure,
        "date": time.strftime("%Y-%m-%d", time.localtime(began)),
        "seconds": round(time.time() - began, 1),
        "header": head,
    }
    write_json(run_dir / RUN, run)


def explained(folder: Path, what: str, recipe: Recipe, data: Data) -> Record:
    """The verdict on a deviation's run, and what `explain` makes of it, for `explained.json`."""
    ours, theirs = (read_ledger(folder / name / LEDGER_FILE) for name in (FAITHFUL, what))
    verdict = diff(ours, theirs, each_evaluation=True)
    result: Record = {"verdict": verdict.verdict, "step": verdict.step, "link": verdict.link}
    if verdict.verdict == "identical" or not theirs.steps:
        return result
    began = time.time()
    explanation = explain(theirs, header(recipe, FAITHFUL, data), recipe, data)
    last = explanation.outcome
    left = "" if explanation.proven else last.verdict.detail or last.failure
    where = f"step {last.verdict.step}, link {last.verdict.link}: " if last.verdict.step else ""
    return {
        **result,
        "explained": [str(c) for c in last.chosen],
        "proven": explanation.proven,
        "left": where + left if left else "",
        "replays": explanation.replays,
        "replayed_steps": explanation.steps,
        "seconds": round(time.time() - began, 1),
    }


def run_task(folder: Path, what: str) -> None:
    """Train and explain what isn't there yet; `folder` holds the setting's `recipe.json`."""
    recipe = prepare(load_recipe(str(folder / "recipe.json")).for_loop(what))
    data = load_data(recipe)
    if not (folder / what / RUN).exists():
        train(folder, what, recipe, data)
    if what in CATALOGUE and not (folder / what / EXPLAINED).exists():
        write_json(folder / what / EXPLAINED, explained(folder, what, recipe, data))


def is_done(folder: Path, what: str) -> bool:
    """Whether a task's results are there."""
    return (folder / what / (EXPLAINED if what in CATALOGUE else RUN)).exists()


def read(folder: Path, what: str, file: str) -> Record:
    """One of a task's results: `RUN` or `EXPLAINED`."""
    result: Record = json.loads((folder / what / file).read_text())
    return result


if __name__ == "__main__":
    stop_at_end_of_input()
    with signals_raise():
        run_task(Path(sys.argv[1]), sys.argv[2])
