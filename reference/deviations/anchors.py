"""Pieces of the manual loop's text that edits of several themes are anchored on, or put in.

Each of the first stands in `lesson/loops/manual.py` once. A piece that only one theme changes
stands in that theme's file.
"""

from reference.deviations.source_edits import imports

LOADERS = "train_dataloader, eval_dataloader = get_dataloaders(recipe, data)"
PROGRESS_BAR = "progress_bar = tqdm("
DURATION = "num_epochs, num_training_steps = recipe.duration(len(train_dataloader))"
EPOCH = "for _epoch in range(num_epochs):"
BACKWARD = "loss.backward()"
CLIP = "if recipe.max_grad_norm > 0:"
CLIP_LINES = (
    "if recipe.max_grad_norm > 0:\n"
    "                torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)"
)
OPTIMIZER_STEP = "optimizer.step()"
ZERO_GRAD = "optimizer.zero_grad()"

# Imports that edited loops need.
LOOP_PARTS = imports("from reference.deviations import loop_parts")
REPLACE = imports("from dataclasses import replace")

# An evaluation beside the loop's own, of which no scores are made.
WITHOUT_GRADIENTS = (
    "with torch.no_grad(), torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):"
)
ON_DEVICE = "model(**{k: v.to(model.device) for k, v in batch.items()})"
EVALUATION = f"for batch in eval_dataloader:\n    {WITHOUT_GRADIENTS}\n        {ON_DEVICE}"
