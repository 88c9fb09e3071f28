"""The stock `Trainer` by the same recipe: no subclass, no override, no private attribute.

Run it: `python -m reference train trainer`
"""

import math
import tempfile
from functools import partial

from transformers import Trainer, TrainingArguments

from reference.lesson.data.pipeline import Data
from reference.lesson.data.shares import this_process
from reference.lesson.loop_file import train_by
from reference.lesson.metrics import Scores, compute_metrics
from reference.lesson.model import load_model
from reference.lesson.recipe import Recipe


def train(recipe: Recipe, data: Data) -> dict[int, Scores]:
    """Train and evaluate by the recipe; returns what each evaluation gave, by its step."""
    _, num_processes = this_process()
    num_shares = 1 if recipe.sharing == "whole" else num_processes
    with tempfile.TemporaryDirectory() as output_dir:  # nothing is saved in it
        training_args = TrainingArguments(
            output_dir,
            seed=recipe.seed,
            per_device_train_batch_size=recipe.train_batch_size // num_shares,
            per_device_eval_batch_size=math.ceil(recipe.eval_batch_size / num_shares),
            num_train_epochs=recipe.num_train_epochs,
            max_steps=recipe.max_steps,
            optim=recipe.optimizer,
            learning_rate=recipe.learning_rate,
            adam_beta1=recipe.adam_beta1,
            adam_beta2=recipe.adam_beta2,
            adam_epsilon=recipe.adam_epsilon,
            weight_decay=recipe.weight_decay,
            max_grad_norm=recipe.max_grad_norm,
            lr_scheduler_type="linear",
            warmup_steps=recipe.num_warmup_steps,
            gradient_accumulation_steps=recipe.gradient_accumulation_steps,
            bf16=recipe.mixed_precision == "bf16",
            use_cpu=recipe.device == "cpu",
            # The Trainer turns the seeded order on, Accelerate by itself leaves it off.
            accelerator_config={"use_seedable_sampler": recipe.data_order == "seeded"},
            train_sampling_strategy=(
                "sequential" if recipe.data_order == "sequential" else "random"
            ),
            dataloader_pin_memory=recipe.device == "cuda",
            eval_strategy=recipe.eval_strategy,
            eval_steps=recipe.eval_steps,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
        )
        trainer = Trainer(
            load_model(recipe),
            training_args,
            train_dataset=data.train,
            eval_dataset=data.validation,
            data_collator=data.collator,
            processing_class=data.tokenizer,
            compute_metrics=partial(compute_metrics, recipe.task),
        )
        trainer.train()
        if recipe.eval_strategy == "no":  # by another it evaluates after the last step, too
            trainer.evaluate()
    return {
        log["step"]: {name: log[f"eval_{name}"] for name in ("loss", *data.task.metrics)}
        for log in trainer.state.log_history
        if "eval_loss" in log
    }


if __name__ == "__main__":
    train_by(__file__)
