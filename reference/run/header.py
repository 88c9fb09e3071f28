"""What identifies a run: the first line of its ledger."""

from typing import Any

import torch

from reference.lesson.checkpoints import find_checkpoint
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe
from reference.observe.script.launcher import Launch
from reference.process.versions import machine, versions

ALONE = Launch(0, 1, "")


def header(recipe: Recipe, loop: str, data: Data, launch: Launch = ALONE) -> dict[str, Any]:
    """What identifies a run: the first line of its ledger.

    Args:
        recipe: by which the run trains; its device is made plain (`prepare`).
        loop: the name that the ledger gives to what trains.
        data: what it trains on.
        launch: which of several processes this one is.
    """
    batches = recipe.batches_per_epoch(len(data.train), launch.world_size)
    _, steps = recipe.duration(batches)
    checkpoint = find_checkpoint(recipe.checkpoint)
    synthetic = {"synthetic": True} if recipe.data == "embedded" else {}
    rule = {"split": data.split_rule} if data.split_rule else {}
    several = {"rank": launch.rank, "world_size": launch.world_size}
    return {
        "loop": loop,
        "recipe": recipe.to_json(),
        "data": {"source": recipe.data, "sha256": data.digest, **synthetic, **rule},
        "checkpoint": {"name": recipe.checkpoint, "sha256": checkpoint.sha256},
        "versions": versions(),
        "device": torch.cuda.get_device_name() if recipe.device == "cuda" else "cpu",
        "num_threads": recipe.num_threads,
        "platform": machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "num_training_steps": steps,
        **(several if launch.world_size > 1 else {}),
    }
