"""One process of a run whose gradients, weights and answers are kept, to be held against others'.

python -m tests.helpers.recorded_rank FILE DTYPE RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE ADDRESS
PORT WORDS...

FILE gets the parameters' names, each step's gradient before the clip, the weights after the last
step, and what the metric was computed of; of sharded tensors the whole. The model is of type DTYPE:
in float64 what is the same but for rounding is equal to fifteen digits, where float32 itself is
8e-7 off. With the DTYPE `averaged` the Trainer doesn't
multiply its loss by the number of processes, which it does by default (transformers 5.23).
"""

import functools
import os
import runpy
import sys
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from reference.lesson.loops import accelerated, manual, trainer
from reference.lesson.metrics import GlueMetric

PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def main(file: str, dtype: str, *words: str) -> None:
    os.environ.update(zip(PLACE, words, strict=False))
    kept: dict[str, Any] = {"gradients": []}
    parameters: list[torch.Tensor] = []
    load = accelerated.load_model
    clip, compute = torch.nn.utils.clip_grad_norm_, GlueMetric._compute

    def load_in_dtype(recipe: Any) -> Any:
        model = load(recipe).to(getattr(torch, dtype))
        kept["names"] = [name for name, _ in model.named_parameters()]
        return model

    def keep_gradients(given: Any, *rest: Any, **named: Any) -> Any:
        parameters[:] = list(given)
        kept["gradients"].append([whole(p.grad).clone() for p in parameters])
        return clip(parameters, *rest, **named)

    def keep_answers(self: Any, predictions: Any, references: Any) -> Any:
        kept["predictions"], kept["references"] = np.array(predictions), np.array(references)
        return compute(self, predictions, references)

    def keep_weights(*_: Any) -> None:
        kept["weights"] = [whole(p.detach()).clone() for p in parameters]

    if dtype == "averaged":
        arguments = functools.partial(
            trainer.TrainingArguments, average_tokens_across_devices=False
        )
        trainer.TrainingArguments, dtype = arguments, "float32"
    for loop in (accelerated, manual):
        loop.load_model = load_in_dtype
    torch.nn.utils.clip_grad_norm_ = keep_gradients
    GlueMetric._compute = keep_answers
    register_optimizer_step_post_hook(keep_weights)
    sys.argv = ["reference", *words[len(PLACE) :]]
    try:
        runpy.run_module("reference", run_name="__main__", alter_sys=True)
    finally:
        torch.save(kept, file)


def whole(tensor: Any) -> torch.Tensor:
    full: torch.Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return full


if __name__ == "__main__":
    main(*sys.argv[1:])
