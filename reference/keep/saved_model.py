"""A trained model as a folder, as Transformers expects it.

    python -m reference train manual --run-dir mine     writes mine/model

Beside model, configuration and tokenizer lies the run's `recipe.json`: by it a saved model knows
its task. The folder gets its name when all of it is written.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import RECIPE_FILE
from reference.process.run_folder import MODEL_FOLDER
from reference.process.whole_files import write_json


def save_model(
    model: PreTrainedModel,
    recipe: Recipe,
    data: Data,
    run_dir: Path,
    *,
    writes: bool = True,
) -> None:
    """Save a trained model into a run's folder, with its tokenizer and its recipe.

    Args:
        model: as the loop left it; each process of several calls this with its own.
        recipe: by which it was trained.
        data: whose labels and tokenizer it has.
        run_dir: gets the folder `model`.
        writes: False in every process but the first.

    Raises:
        OSError: the disk takes no more; nothing is left of the folder.
    """
    weights = _whole_weights(model)
    if not writes:
        return
    labels = data.task.labels
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: number for number, label in enumerate(labels)}
    folder = Path(tempfile.mkdtemp(prefix=f".{MODEL_FOLDER}.", dir=run_dir))
    try:
        model.save_pretrained(folder, state_dict=weights)
        # What is longer than a row of this training is cut off by whoever asks for it.
        data.tokenizer.model_max_length = recipe.max_length
        data.tokenizer.save_pretrained(folder)
        write_json(folder / RECIPE_FILE, recipe.to_json())
        _let_be_read(folder)
        folder.rename(run_dir / MODEL_FOLDER)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _whole_weights(model: torch.nn.Module) -> dict[str, Any]:
    """All of the weights, on the CPU; of shards they are gathered, in which every process joins."""
    if any(hasattr(parameter, "device_mesh") for parameter in model.parameters()):
        from torch.distributed.checkpoint.state_dict import (
            StateDictOptions,
            get_model_state_dict,
        )

        whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
        return dict(get_model_state_dict(model, options=whole))
    return {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}


def _let_be_read(folder: Path) -> None:
    """As any new file: `mkdtemp` and safetensors make theirs for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    for path in (folder, *folder.iterdir()):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
