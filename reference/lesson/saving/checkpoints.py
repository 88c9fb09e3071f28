"""Checkpoints, as the loops speak of them: the state put back once, and saved after a step.

    checkpoints = Checkpoints(recipe, train_dataloader, model, optimizer, lr_scheduler)
    completed_steps, evaluations = checkpoints.restore()
    ...
    checkpoints.save(completed_steps, evaluations)

Outside of `kept` (keeping.py) they do nothing. No checkpoint is saved after the last step: what
comes then is made again from the one before.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from reference.lesson.metrics import Scores
from reference.lesson.recipe import Recipe
from reference.lesson.saving.checkpoint_folder import write_checkpoint
from reference.lesson.saving.generators import Generators
from reference.lesson.saving.keeping import Keeping, current
from reference.lesson.saving.manifest import (
    Damaged,
    Manifest,
    Unusable,
    describe,
    read_file,
    read_manifest,
)
from reference.lesson.saving.optimizer_state import put_together, taken_apart
from reference.lesson.saving.order import Order, Place

WEIGHTS, OPTIMIZER, GENERATORS = (
    f"{part}.safetensors" for part in ("weights", "optimizer", "generators")
)
STATE = "state.json"
NOW, BEGAN = "now.", "epoch_began."  # before the names of generators' tensors


class Checkpoints:
    """What a loop trains with, and where its state comes from and goes to.

    Args:
        recipe: By which it trains.
        dataloader: Of the training rows, before it is begun.
        model: Whose weights are trained.
        optimizer: Of these weights.
        lr_scheduler: Of this optimizer.
    """

    def __init__(
        self,
        recipe: Recipe,
        dataloader: Any,
        model: torch.nn.Module,
        optimizer: Any,
        scheduler: Any,
    ) -> None:
        self._recipe, self._model = recipe, model
        self._optimizer, self._scheduler = optimizer, scheduler
        self._keeping = current()
        self._batches = len(dataloader)
        self._order: Order | None = None
        if self._keeping is not None:
            # Not the loader's own `sampler`: of one that Accelerate prepared it is another.
            batches = dataloader.batch_sampler
            self._order = batches.sampler = Order(batches.sampler)

    def restore(self) -> tuple[int, dict[int, Scores]]:
        """Put the state back that the run is to go on from.

        Returns:
            The steps that were taken and the evaluations that were made: none in a new run.

        Raises:
            Damaged: The checkpoint was changed since it was looked at.
            Unusable: It doesn't hold what this version saves.
        """
        if self._keeping is None or self._keeping.resume is None:
            return 0, {}
        folder = self._keeping.resume
        try:
            return self._restore_from(folder)
        except Damaged:
            raise
        except Exception as error:  # whatever a part of another form gives rise to
            said = " ".join(str(error).split())
            raise Unusable(
                f"{folder}: doesn't hold the state of such a run ({type(error).__name__}: {said}); "
                "resume from another"
            ) from error

    def save(self, completed_steps: int, evaluations: dict[int, Scores]) -> None:
        """Save the state where that is due; then stop, where a signal asked for it.

        Raises:
            BaseException: What a signal asked for: KeyboardInterrupt or Stopped.
        """
        keeping = self._keeping
        if keeping is None:
            return
        _, last = self._recipe.duration(self._batches)
        keeping.over = completed_steps >= last
        if keeping.is_due(completed_steps) and not keeping.over:
            self._save_to(keeping, completed_steps, evaluations)
        if keeping.stopped is not None:
            raise keeping.stopped

    def _save_to(self, keeping: Keeping, step: int, evaluations: dict[int, Scores]) -> None:
        assert self._order is not None
        beside = keeping.beside()
        moments, rest = taken_apart(self._optimizer)
        now, began = Generators.now(), self._order.began
        epoch, rows = self._place(step)
        state = {
            "step": step,
            "epoch": epoch,
            "rows": rows,
            "optimizer": rest,
            "lr_scheduler": self._scheduler.state_dict(),
            "generators": {"now": now.values, "epoch_began": began.values},
            "evaluations": [[step, scores] for step, scores in evaluations.items()],
        }
        drawn = {
            **{NOW + name: tensor for name, tensor in now.tensors.items()},
            **{BEGAN + name: tensor for name, tensor in began.tensors.items()},
        }
        files = {
            WEIGHTS: _as_bytes(self._model.state_dict()),
            OPTIMIZER: _as_bytes(moments),
            GENERATORS: _as_bytes(drawn),
            STATE: json.dumps(state).encode(),
        }
        listed = {name: describe(content) for name, content in files.items()}
        manifest = Manifest(step, listed, keeping.run, beside)
        write_checkpoint(keeping.folder, manifest, files, keeping.keep)

    def _restore_from(self, folder: Path) -> tuple[int, dict[int, Scores]]:
        assert self._order is not None
        manifest = read_manifest(folder)
        tensors = {
            name: safetensors.torch.load(read_file(folder, name, manifest))
            for name in (WEIGHTS, OPTIMIZER, GENERATORS)
        }
        state = json.loads(read_file(folder, STATE, manifest))
        self._model.load_state_dict(tensors[WEIGHTS], strict=True)
        put_together(self._optimizer, tensors[OPTIMIZER], state["optimizer"])
        self._scheduler.load_state_dict(state["lr_scheduler"])
        now, began = (
            Generators(_under(prefix, tensors[GENERATORS]), state["generators"][name])
            for prefix, name in ((NOW, "now"), (BEGAN, "epoch_began"))
        )
        self._order.go_on_from(Place(state["epoch"], state["rows"], began, now))
        evaluations = {int(step): scores for step, scores in state["evaluations"]}
        return int(state["step"]), evaluations

    def _place(self, step: int) -> tuple[int, int]:
        """(epoch, rows of it that were trained on) after a step."""
        epoch, steps = divmod(step - 1, self._recipe.steps_per_epoch(self._batches))
        batches = (steps + 1) * self._recipe.gradient_accumulation_steps
        return epoch, batches * self._recipe.train_batch_size


def _as_bytes(tensors: dict[str, Tensor]) -> bytes:
    """As safetensors writes them; each with memory of its own, as it asks for."""
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return safetensors.torch.save(own)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
