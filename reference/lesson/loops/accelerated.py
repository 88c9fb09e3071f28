"""The loop of Hugging Face's course, chapter 3, with Accelerate: `manual.py` and a few lines.

Run it: `python -m reference train accelerated`
Read `manual.py` beside it: the two differ in the lines that Accelerate changes, and no more.
"""

import torch
from accelerate import Accelerator
from torch.optim import AdamW
from tqdm.auto import tqdm
from transformers import get_scheduler, set_seed

from reference.lesson.data.pipeline import Data, get_dataloaders, weighted_windows
from reference.lesson.loop_file import train_by
from reference.lesson.metrics import load_metric
from reference.lesson.model import load_model, parameter_groups
from reference.lesson.recipe import Recipe


def train(recipe: Recipe, data: Data) -> dict[str, float]:
    """Train and evaluate by the recipe; returns the task's scores on the validation split."""
    accelerator = Accelerator(
        mixed_precision=recipe.mixed_precision,
        cpu=recipe.device == "cpu",
        step_scheduler_with_optimizer=False,  # once a step, not once for each process
    )
    train_dataloader, eval_dataloader = get_dataloaders(recipe, data)
    model = load_model(recipe)
    set_seed(recipe.seed)  # after the model is made, where `Trainer` does it

    optimizer = AdamW(
        parameter_groups(model, recipe.weight_decay),  # torch's own default would decay by 0.01
        lr=recipe.learning_rate,
        betas=(recipe.adam_beta1, recipe.adam_beta2),
        eps=recipe.adam_epsilon,
        fused=True if recipe.optimizer == "adamw_torch_fused" else None,
    )
    num_epochs, num_training_steps = recipe.duration(len(train_dataloader))
    lr_scheduler = get_scheduler(
        "linear",
        optimizer=optimizer,
        num_warmup_steps=recipe.num_warmup_steps,
        num_training_steps=num_training_steps,
    )
    train_dataloader, eval_dataloader, model, optimizer, lr_scheduler = accelerator.prepare(
        train_dataloader, eval_dataloader, model, optimizer, lr_scheduler
    )

    progress_bar = tqdm(range(num_training_steps), disable=not accelerator.is_main_process)
    completed_steps = 0
    model.train()
    for _epoch in range(num_epochs):
        for batches in weighted_windows(train_dataloader, recipe.gradient_accumulation_steps):
            for batch, weight in batches:
                outputs = model(**batch)
                # Each sample of the step weighs the same, on however many processes.
                loss = outputs.loss * weight
                accelerator.backward(loss)
            if recipe.max_grad_norm > 0:
                accelerator.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            optimizer.step()
            lr_scheduler.step()
            optimizer.zero_grad()
            progress_bar.update(1)
            completed_steps += 1
            if completed_steps == num_training_steps:  # max_steps may end within an epoch
                break

    metric = load_metric(recipe.task)
    model.eval()
    for batch in eval_dataloader:
        with torch.no_grad():
            outputs = model(**batch)
        predictions = torch.argmax(outputs.logits, dim=-1)
        predictions, references = accelerator.gather_for_metrics((predictions, batch["labels"]))
        metric.add_batch(predictions=predictions, references=references)
    return dict(metric.compute())


if __name__ == "__main__":
    train_by(__file__)
