"""The loop of Hugging Face's course, chapter 3, with Accelerate: `manual.py` and a few lines.

Run it: `python -m reference train accelerated`
Read `manual.py` beside it: the two differ in the lines that Accelerate changes, and no more.
"""

import torch
from accelerate import Accelerator
from torch.optim import AdamW
from tqdm.auto import tqdm
from transformers import get_scheduler, set_seed

from reference.lesson.data.pipeline import Data, Loader, get_dataloaders, weighted_windows
from reference.lesson.loop_file import train_by
from reference.lesson.metrics import Scores, load_metric, mean_loss
from reference.lesson.model import Model, load_model, parameter_groups
from reference.lesson.recipe import Recipe
from reference.lesson.saving.checkpoints import Checkpoints


def train(recipe: Recipe, data: Data) -> dict[int, Scores]:
    """Train and evaluate by the recipe; returns what each evaluation gave, by its step."""
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
    checkpoints = Checkpoints(recipe, train_dataloader, model, optimizer, lr_scheduler)
    completed_steps, evaluations = checkpoints.restore()  # none, unless the run is resumed
    progress_bar.update(completed_steps)
    model.train()
    for _epoch in range(num_epochs):
        for batches in weighted_windows(train_dataloader, recipe.gradient_accumulation_steps):
            for batch, weight in batches:
                outputs = model(**batch)
                loss = outputs.loss * weight  # each sample of the step weighs the same
                accelerator.backward(loss)
            if recipe.max_grad_norm > 0:
                accelerator.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            optimizer.step()
            lr_scheduler.step()
            optimizer.zero_grad()
            progress_bar.update(1)
            completed_steps += 1
            if completed_steps in recipe.evaluation_steps(len(train_dataloader)):  # not the last
                evaluations[completed_steps] = evaluate(recipe, model, eval_dataloader, accelerator)
                model.train()
            checkpoints.save(completed_steps, evaluations)  # when it is due
            if completed_steps == num_training_steps:  # max_steps may end within an epoch
                break
    return {**evaluations, completed_steps: evaluate(recipe, model, eval_dataloader, accelerator)}


def evaluate(recipe: Recipe, model: Model, dataloader: Loader, accelerator: Accelerator) -> Scores:
    """Loss and scores on the validation split; the model is left in eval mode."""
    metric, losses = load_metric(recipe.task), []
    model.eval()
    for batch in dataloader:
        with torch.no_grad():
            outputs = model(**batch)
        predictions = outputs.logits[:, 0] if recipe.is_regression else outputs.logits.argmax(-1)
        labels, loss = batch["labels"], outputs.loss.repeat(len(predictions))
        predictions, labels, loss = accelerator.gather_for_metrics((predictions, labels, loss))
        metric.add_batch(predictions=predictions, references=labels)
        losses.append(loss)
    return {"loss": mean_loss(losses), **metric.compute()}


if __name__ == "__main__":
    train_by(__file__)
